"""Reads images for one model: mtmd, and its projector file.

An image is decoded twice, when a request comes and when its turn to be computed has: what
lies between are the bytes that the client sent, and no pixels.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backend import Vectors
from ..config import EngineConfig
from ..errors import DecodeFailed, InvalidParameter, ModelLoadFailed
from ..image import Image, measure
from ..span import Span
from .library import complaints, llama, log_callback
from .loading import FLASH_ATTENTION, batch_tokens, threads, uses_gpu


class Sight(NamedTuple):
    """A row of `vectors` for each token of a span, and a column of `positions`, which has a
    row for each dimension.
    """

    vectors: NDArray[np.float32]
    positions: NDArray[np.int32]


class LlamaEyes:
    """See `Eyes`; `see`, `forget` and `close` are for the engine's thread.

    Raises:
        ModelLoadFailed: naming the projector.
    """

    def __init__(self, config: EngineConfig, model: Any, mtmd: Any) -> None:
        self._mtmd = mtmd
        self._path = config.projector
        self._most = batch_tokens(config)
        self._width: int = llama.llama_model_n_embd_inp(model)
        self.salt = config.projector_sha256
        self._context = self._load(config, model)
        self._check()
        self._has_dimensions = bool(mtmd.mtmd_decode_use_mrope(self._context))
        # Nothing but images: what is none of stb_image's must start no ffmpeg.
        self._options = mtmd.mtmd_helper_init_opt_default()
        self._options.video_params.ffmpeg_bin_dir = os.devnull.encode()
        self._sights: dict[int, Sight] = {}  # by the span's id, of those in several steps

    def _load(self, config: EngineConfig, model: Any) -> Any:
        if not Path(config.projector).is_file():
            raise ModelLoadFailed(f"{config.projector}: there is no such file")
        params = self._mtmd.mtmd_context_params_default()
        params.use_gpu = uses_gpu(config)
        params.n_threads = threads(config)
        params.flash_attn_type = FLASH_ATTENTION[config.flash_attention]
        params.print_timings = False
        complaints()  # those of before
        context = self._mtmd.mtmd_init_from_file(config.projector.encode(), model, params)
        if not context:
            raise ModelLoadFailed(
                f"the projector {config.projector} does not fit {config.model_id}: {complaints()}"
            )
        return context

    def _check(self) -> None:
        if not self._mtmd.mtmd_support_vision(self._context):
            self.close()
            raise ModelLoadFailed(f"the projector {self._path} reads no images")

    def look(self, image: Image) -> list[list[int] | Vectors]:
        with self._chunks(image) as chunks:
            return [self._part(image, chunk) for chunk in chunks]

    def _part(self, image: Image, chunk: Any) -> list[int] | Vectors:
        mtmd = self._mtmd
        if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
            number = ctypes.c_size_t()
            tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(number))
            # Below 0 are control tokens that this vocabulary has not got.
            return [token for token in tokens[: number.value] if token >= 0]
        length = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
        is_whole = bool(mtmd.mtmd_decode_use_non_causal(self._context, chunk))
        if is_whole and length > self._most:
            raise image.refused(
                f"needs a step of {length} tokens, and this model's has {self._most}"
                " (batch_tokens of its row)"
            )
        num_positions = mtmd.mtmd_input_chunk_get_n_pos(chunk) if self._has_dimensions else None
        return Vectors(length, is_whole, num_positions)

    def see(self, span: Span, position: int) -> Sight:
        """What the span is, which begins at that position; kept until it is forgotten.

        Raises:
            DecodeFailed: it cannot be computed.
        """
        if id(span) not in self._sights:
            try:
                self._sights[id(span)] = self._sight(span, position)
            except InvalidParameter as error:  # it could be read when the request came
                raise DecodeFailed(f"An image cannot be read any more: {error}") from None
        return self._sights[id(span)]

    def forget(self, span: Span) -> None:
        self._sights.pop(id(span), None)

    def _sight(self, span: Span, position: int) -> Sight:
        mtmd, length = self._mtmd, span.end - span.start
        with self._chunks(span.image) as chunks:
            kinds = (mtmd.mtmd_input_chunk_get_type(chunk) for chunk in chunks)
            pairs = zip(chunks, kinds, strict=True)
            images = [chunk for chunk, kind in pairs if kind != mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT]
            if mtmd.mtmd_encode_chunk(self._context, images[span.index]) != 0:
                raise DecodeFailed(f"llama.cpp could not read an image: {complaints()}")
            raw = mtmd.mtmd_get_output_embd(self._context)
            positions = self._positions(images[span.index], position, length)
        vectors = np.ctypeslib.as_array(raw, (length, self._width))
        return Sight(vectors.copy(), positions)  # the next image's will be in their place

    def _positions(self, chunk: Any, first: int, length: int) -> NDArray[np.int32]:
        """As mtmd's `set_position_mrope_2d`, where there are several dimensions."""
        if not self._has_dimensions:
            return np.arange(first, first + length, dtype=np.int32)[np.newaxis]
        image = self._mtmd.mtmd_input_chunk_get_tokens_image(chunk)
        places = (self._mtmd.mtmd_decoder_pos * length)()
        self._mtmd.mtmd_helper_image_get_decoder_pos(image, first, places)
        rows = np.frombuffer(places, np.uint32).reshape(length, 4)
        return rows[:, [0, 2, 1, 3]].T.astype(np.int32)  # t, y, x, z

    @contextmanager
    def _chunks(self, image: Image) -> Iterator[list[Any]]:
        """What mtmd makes of the image, with the tokens that belong around it."""
        mtmd = self._mtmd
        marker = mtmd.mtmd_get_marker(self._context)
        text = mtmd.mtmd_input_text(marker, len(marker), False, True)
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            with self._bitmap(image) as bitmap:
                bitmaps = (ctypes.c_void_p * 1)(bitmap)
                status = mtmd.mtmd_tokenize(self._context, chunks, ctypes.byref(text), bitmaps, 1)
            if status != 0:
                raise image.refused("cannot be used by this model")
            number = mtmd.mtmd_input_chunks_size(chunks)
            yield [mtmd.mtmd_input_chunks_get(chunks, index) for index in range(number)]
        finally:
            mtmd.mtmd_input_chunks_free(chunks)

    @contextmanager
    def _bitmap(self, image: Image) -> Iterator[Any]:
        mtmd, data = self._mtmd, np.frombuffer(image.data, np.uint8)
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        made = mtmd.mtmd_helper_bitmap_init_from_buf_wrapper(
            self._context, pointer, len(data), False, self._options
        )
        if not made.bitmap:
            raise image.refused("cannot be decoded")
        try:
            size = (mtmd.mtmd_bitmap_get_nx(made.bitmap), mtmd.mtmd_bitmap_get_ny(made.bitmap))
            if size != measure(image):
                raise image.refused("has another size than its header says")
            yield made.bitmap
        finally:
            mtmd.mtmd_bitmap_free(made.bitmap)

    def close(self) -> None:
        self._mtmd.mtmd_free(self._context)


def make_eyes(config: EngineConfig, model: Any) -> LlamaEyes | None:
    """None without a projector: then the library for it is not even loaded.

    Raises:
        ModelLoadFailed: naming the projector.
    """
    if not config.projector:
        return None
    try:
        from llama_cpp import mtmd_cpp as mtmd
    except (OSError, RuntimeError) as error:
        raise ModelLoadFailed(f"this build of llama.cpp reads no images: {error}") from None
    mtmd.mtmd_helper_log_set(log_callback, None)
    return LlamaEyes(config, model, mtmd)
