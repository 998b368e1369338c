"""A GGUF that makes vectors, or tells how relevant documents are."""

import collections.abc
import ctypes
import logging
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..config import EngineConfig, EngineInfo
from ..errors import DecodeFailed, ModelLoadFailed, OutOfMemory, TemplateError
from .batch import Batch
from .library import complaints, llama
from .loading import batch_tokens, context_params, failure, gpu, load_model, memory_bytes, uses_gpu
from .vocabulary import Vocabulary

logger = logging.getLogger(__name__)

MAX_SEQUENCES = 64  # inputs of one step
AUTO_CONTEXT = 8192  # tokens of an input, unless the registry says more: all are computed at once
LEAST_CONTEXT = 512
MASK_BYTES = 6  # of a pair of tokens that are computed at once: which of them sees the other
SLOT = re.compile(r"\{(query|document)\}")


class LlamaEmbedBackend:
    """Loads the model on creation; see `EmbedBackend` for what the methods promise."""

    # Of an unknown word these vocabularies make one token, and of spaces none: how long
    # a text is says nothing about its tokens.
    max_token_length = sys.maxsize
    seams: re.Pattern[str] | None = None
    eyes = None

    def __init__(self, config: EngineConfig, on_progress: Callable[[float], None]) -> None:
        started = time.monotonic()
        self.config = config
        self._model = load_model(config, on_progress)
        self._pooling = _pooling(config, self._model)
        self._context, length = _make_context(config, self._model, self._pooling)
        self._memory = llama.llama_get_memory(self._context)  # encoders have none
        # A step's one input may be as long as the context.
        self._batch = Batch(max(batch_tokens(config), length))
        self._vocabulary = vocabulary = Vocabulary(self._model)
        self.tokenize, self.is_special = vocabulary.tokenize, vocabulary.is_special
        self.name, self.piece = vocabulary.name, vocabulary.piece
        self.infill, self.opening = vocabulary.infill, None
        template = llama.llama_model_chat_template(self._model, b"rerank")
        self._template = template.decode() if template else ""
        is_rank = self._pooling == llama.LLAMA_POOLING_TYPE_RANK
        self._length = 1 if is_rank else llama.llama_model_n_embd_out(self._model)
        self.info = EngineInfo(
            context_length=length,
            cache_tokens=length,
            max_sequences=config.max_sequences,
            batch_tokens=batch_tokens(config),
            prefill_chunk_tokens=batch_tokens(config),
            memory_bytes=memory_bytes(config, self._model, length if self._memory else 0)
            + MASK_BYTES * length**2,
            has_chat_template=False,
            device=(gpu() or "") if uses_gpu(config) else "cpu",
            build=f"llama-cpp-python {llama.__version__}",
            embedding_length=self._length,
            load_seconds=time.monotonic() - started,
        )

    def has_token(self, token: int) -> bool:
        return 0 <= token < self._vocabulary.size

    def render(self, messages: list[dict[str, object]], options: dict[str, object]) -> str:
        raise TemplateError(f"{self.config.model_id} is not for chats.")

    def pair(self, query: str, document: str) -> list[int]:
        if not self._template:
            return self._vocabulary.pair(query, document)
        texts = {"query": query, "document": document}
        return self.tokenize(SLOT.sub(lambda slot: texts[slot[1]], self._template))

    def embed(self, inputs: collections.abc.Sequence[list[int]]) -> list[np.ndarray[Any, Any]]:
        if self._memory:
            llama.llama_memory_clear(self._memory, True)
        self._batch.lay(inputs)
        status = llama.llama_decode(self._context, self._batch.struct)  # or encodes
        if status != 0:
            raise DecodeFailed(f"llama.cpp could not compute a step (llama_decode: {status}).")
        return [self._vector(index) for index in range(len(inputs))]

    def _vector(self, index: int) -> np.ndarray[Any, Any]:
        numbers = llama.llama_get_embeddings_seq(self._context, index)
        vector = np.ctypeslib.as_array(numbers, (self._length,)).copy()
        is_logit = llama.llama_model_n_cls_out(self._model) == 1
        if self._pooling == llama.LLAMA_POOLING_TYPE_RANK and is_logit:
            vector = 1 / (1 + np.exp(-vector))  # of several classes the graph makes probabilities
        return vector

    def close(self) -> None:
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)


def _pooling(config: EngineConfig, model: Any) -> int:
    """How an input's tokens become one vector: as the file says.

    A file that says nothing is one for text, whose last token has seen all others; or an
    encoder from before the key, and those take the mean.

    Raises:
        ModelLoadFailed: it is for the other task.
    """
    architecture = _metadata(model, "general.architecture")
    said = _metadata(model, f"{architecture}.pooling_type")
    pooling = int(said) if said.isdigit() else llama.LLAMA_POOLING_TYPE_NONE
    is_rank = pooling == llama.LLAMA_POOLING_TYPE_RANK
    if is_rank != (config.task == "rerank"):
        does = "tells how relevant documents are" if is_rank else "does not judge documents"
        raise ModelLoadFailed(f"{config.path}: task {config.task!r} is not for it: it {does}")
    if pooling != llama.LLAMA_POOLING_TYPE_NONE:
        return pooling
    is_encoder = _metadata(model, f"{architecture}.attention.causal") == "false"
    return int(llama.LLAMA_POOLING_TYPE_MEAN if is_encoder else llama.LLAMA_POOLING_TYPE_LAST)


def _metadata(model: Any, key: str) -> str:
    """A value of the file's, or nothing."""
    size = 256
    buffer = ctypes.create_string_buffer(size)
    count = llama.llama_model_meta_val_str(model, key.encode(), buffer, size)
    return buffer.value.decode(errors="replace") if count >= 0 else ""


def _make_context(config: EngineConfig, model: Any, pooling: int) -> tuple[Any, int]:
    """A llama_context, and the tokens that one input may have: all in one micro-batch.

    Raises:
        OutOfMemory: there is none even for short inputs.
        ModelLoadFailed: llama.cpp refuses the options.
    """
    # Beyond what it was trained on, an encoder has no positions to look up.
    length = llama.llama_model_n_ctx_train(model) or AUTO_CONTEXT
    length = min(length, config.context_length or AUTO_CONTEXT)
    least = length if config.context_length else min(LEAST_CONTEXT, length)
    while True:
        context = llama.llama_init_from_model(model, _params(config, length, pooling))
        if context:
            return context, length
        said = complaints()
        if "alloc" not in said:
            raise failure(config, said)
        if length == least:
            raise OutOfMemory(f"{config.path}: there is no memory for inputs of {least} tokens")
        logger.warning("no memory for inputs of %d tokens", length)
        length = max(least, length // 2)


def _params(config: EngineConfig, length: int, pooling: int) -> Any:
    size = max(length, batch_tokens(config))
    params = context_params(config, size)
    params.n_batch = params.n_ubatch = size
    params.n_seq_max = MAX_SEQUENCES
    params.n_outputs_max = 0  # as many as a batch has
    params.embeddings = True
    params.pooling_type = pooling
    return params
