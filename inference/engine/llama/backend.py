"""A GGUF that computes."""

import collections.abc
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from ..compiler import Compiler
from ..config import EngineConfig, EngineInfo
from ..errors import DecodeFailed, ModelLoadFailed, TemplateError
from ..grammar import Constraint
from ..request import Sequence
from ..scheduler import Work
from ..template import CHATML, ChatTemplate
from .batch import Batch
from .candidates import sample
from .library import llama
from .loading import (
    batch_tokens,
    can_share,
    gpu,
    load_model,
    make_context,
    memory_bytes,
    prefill_chunk_tokens,
    uses_gpu,
)
from .ranking import ranked
from .sampler import make_sampler, window
from .vocabulary import Vocabulary

logger = logging.getLogger(__name__)


class LlamaBackend:
    """Loads the model on creation; see `Backend` for what the methods promise."""

    def __init__(self, config: EngineConfig, on_progress: Callable[[float], None]) -> None:
        started = time.monotonic()
        self.config = config
        self._model = load_model(config, on_progress)
        self._context, context_length = make_context(config, self._model)
        self._memory = llama.llama_get_memory(self._context)
        if not self._memory:
            raise ModelLoadFailed(f"{config.path}: it is an encoder, and writes no text")
        self._batch = Batch(batch_tokens(config))
        self._vocabulary = vocabulary = Vocabulary(self._model)
        self.is_end, self.piece = vocabulary.is_end, vocabulary.piece
        self.tokenize, self.is_special = vocabulary.tokenize, vocabulary.is_special
        self.name, self.infill = vocabulary.name, vocabulary.infill
        self.constraint = Compiler(vocabulary.grammar_tokenizer).constraint
        # What is worked out while the model computes.
        self._beside = ThreadPoolExecutor(1, "beside")
        self.max_token_length = vocabulary.max_token_length
        source = llama.llama_model_chat_template(self._model, None)
        self._template = self._make_template(source.decode() if source else CHATML)
        cells = llama.llama_n_ctx(self._context)
        self.info = EngineInfo(
            context_length=context_length,
            cache_tokens=cells,
            max_sequences=config.max_sequences,
            batch_tokens=batch_tokens(config),
            prefill_chunk_tokens=prefill_chunk_tokens(config),
            memory_bytes=memory_bytes(config, self._model, cells),
            has_chat_template=bool(source),
            can_share=can_share(self._model),
            device=(gpu() or "") if uses_gpu(config) else "cpu",
            build=f"llama-cpp-python {llama.__version__}",
            load_seconds=time.monotonic() - started,
        )

    def has_token(self, token: int) -> bool:
        return 0 <= token < self._vocabulary.size

    def _make_template(self, source: str) -> ChatTemplate | TemplateError:
        """A broken template breaks chats only: prompts of one's own need none."""
        try:
            return ChatTemplate(source, self._vocabulary.bos, self._vocabulary.eos)
        except TemplateError as error:
            logger.warning("the chat template is broken: %s", error)
            return error

    def render(self, messages: list[dict[str, object]], options: dict[str, object]) -> str:
        if isinstance(self._template, TemplateError):
            raise self._template
        return self._template.render(messages, extra=options)

    def begin(self, sequence: Sequence) -> None:
        if sequence.sampler is not None:
            return  # it has been here before: its penalties and its dice go on
        params, context_length = sequence.request.params, self.info.context_length
        sequence.sampler = make_sampler(params, self._vocabulary.handle, context_length)
        last = window(params, context_length)
        for token in sequence.prompt_tokens[-last:] if last else []:
            llama.llama_sampler_accept(sequence.sampler, token)

    def forward(self, works: collections.abc.Sequence[Work]) -> list[int]:
        sampled_at = self._batch.fill(works)
        sampling = [work.sequence for work in works if work.samples]
        constraints = [s.constraint for s in sampling if s.constraint]
        prepared = [self._beside.submit(constraint.prepare) for constraint in constraints]
        status = llama.llama_decode(self._context, self._batch.struct)
        wait(prepared)
        if status != 0:
            raise DecodeFailed(f"llama.cpp could not compute a step (llama_decode: {status}).")
        return [self._sample(s, i) for s, i in zip(sampling, sampled_at, strict=True)]

    def _sample(self, sequence: Sequence, index: int) -> int:
        params = sequence.request.params
        raw = None if params.num_logprobs is None else self._logits(index).copy()
        token = self._chosen(sequence, index)
        if raw is not None:
            sequence.ranks = ranked(raw, token, params.num_logprobs or 0)
        return token

    def _chosen(self, sequence: Sequence, index: int) -> int:
        may_end = sequence.may_stop and not sequence.request.params.ignore_eos
        if sequence.constraint:
            allowed = self._allowed(sequence.constraint, may_end)
            return sample(sequence.sampler, self._logits(index), allowed)
        if not may_end:
            self._logits(index)[self._vocabulary.ends] = -np.inf
        token: int = llama.llama_sampler_sample(sequence.sampler, self._context, index)
        return token

    def _logits(self, index: int) -> NDArray[np.float32]:
        """llama.cpp's own, of all tokens."""
        logits = llama.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(logits, (self._vocabulary.size,))

    def _allowed(self, constraint: Constraint, may_end: bool) -> NDArray[np.intp]:
        """Without the ends while it may not end, unless nothing else may follow."""
        allowed = constraint.allowed()
        others = allowed if may_end else allowed[~self._vocabulary.is_end_mask[allowed]]
        return others if others.size else allowed

    def copy(self, source: int, slot: int, num_tokens: int) -> None:
        llama.llama_memory_seq_cp(self._memory, source, slot, 0, num_tokens)

    def forget(self, slot: int) -> None:
        llama.llama_memory_seq_rm(self._memory, slot, -1, -1)

    def end(self, sequence: Sequence) -> None:
        if sequence.sampler is not None:
            llama.llama_sampler_free(sequence.sampler)
            sequence.sampler = None

    def clear(self) -> None:
        llama.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        self._beside.shutdown()
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)
