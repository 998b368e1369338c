"""A GGUF that computes."""

import collections.abc
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import Eyes, nothing
from ..compiler import Compiler
from ..config import EngineConfig, EngineInfo
from ..errors import DecodeFailed, ModelLoadFailed, TemplateError
from ..grammar import Constraint
from ..request import Sequence
from ..scheduler import Work
from ..snapshot_file import State
from ..span import Span
from ..template import CHATML, ChatTemplate
from ..thoughts import OPENING
from . import state
from .adapters import Adapters
from .attached import Attached
from .batch import Batch
from .candidates import leaves_allowed_only, likeliest, num_in_question, sample
from .drafting import open_drafter
from .eyes import make_eyes
from .library import llama
from .loading import (
    batch_tokens,
    can_share,
    draft_tokens,
    gpu,
    idle_tokens,
    load_model,
    make_context,
    memory_bytes,
    mixed_tokens,
    num_slots,
    prefill_chunk_tokens,
    projector_bytes,
    system,
    threads,
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
        self._eyes = make_eyes(config, self._model)
        self._adapters = adapters = Adapters(config, self._model)
        self.check_adapter = adapters.check
        self.drafter, draft_problem = open_drafter(config, self._model)
        beside = self.drafter.memory_bytes if self.drafter else 0
        self._context, context_length = make_context(config, self._model, beside)
        self._memory = llama.llama_get_memory(self._context)
        if not self._memory:
            raise ModelLoadFailed(f"{config.path}: it is an encoder, and writes no text")
        self._attached = Attached(self._context, config.sampling, uses_gpu(config))
        self._batch = Batch(batch_tokens(config))
        self._vocabulary = vocabulary = Vocabulary(self._model)
        self.is_end, self.piece = vocabulary.is_end, vocabulary.piece
        self.tokenize, self.is_special = vocabulary.tokenize, vocabulary.is_special
        self.name, self.infill = vocabulary.name, vocabulary.infill
        self.constraint = Compiler(vocabulary.grammar_tokenizer).constraint
        # What is worked out while the model computes.
        self._beside = ThreadPoolExecutor(1, "beside")
        self.max_token_length = vocabulary.max_token_length
        self.seams = vocabulary.seams
        source = llama.llama_model_chat_template(self._model, None)
        self._template = self._make_template(source.decode() if source else CHATML)
        self.opening = self._opening(source.decode() if source else "")
        self.info = EngineInfo(
            **self._sizes(context_length, beside + adapters.size_bytes),
            draft_problem=draft_problem,
            has_chat_template=bool(source),
            reads_images=self._eyes is not None,
            can_share=can_share(self._model),
            is_async=uses_gpu(config),
            device=(gpu() or "") if uses_gpu(config) else "cpu",
            build=f"llama-cpp-python {llama.__version__}",
            threads=threads(config),
            system=system(config),
            load_seconds=time.monotonic() - started,
        )

    def _sizes(self, context_length: int, beside: int) -> dict[str, Any]:
        """Of the EngineInfo, what is counted; `beside` the model it takes so many bytes."""
        config, cells = self.config, llama.llama_n_ctx(self._context)
        beside += projector_bytes(config) + config.snapshot_memory_bytes
        return {
            "context_length": context_length,
            "cache_tokens": cells,
            "max_sequences": config.max_sequences,
            "batch_tokens": batch_tokens(config),
            "prefill_chunk_tokens": prefill_chunk_tokens(config),
            "mixed_tokens": mixed_tokens(config),
            "num_slots": num_slots(config, self._model),
            "draft_tokens": draft_tokens(config, self._model),
            "idle_tokens": idle_tokens(config, self._model, cells),
            "memory_bytes": memory_bytes(config, self._model, cells) + beside,
        }

    def _opening(self, template: str) -> int | None:
        tokens = self.tokenize(OPENING, False) if OPENING in template else []
        return tokens[0] if len(tokens) == 1 else None

    @property
    def eyes(self) -> Eyes | None:
        return self._eyes

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
        # Where a form decides, it may leave nothing but the end; then that is the answer's.
        banned = self._vocabulary.ends.tolist() if params.ignore_eos and not params.grammar else ()
        vocab = self._vocabulary.handle
        sequence.sampler = make_sampler(params, vocab, context_length, banned)
        last = window(params, context_length)
        for token in sequence.prompt_tokens[-last:] if last else []:
            if token >= 0:  # and no part of an image
                llama.llama_sampler_accept(sequence.sampler, token)

    def forward(
        self,
        works: collections.abc.Sequence[Work],
        meanwhile: collections.abc.Callable[[], None] = nothing,
    ) -> list[list[int]]:
        self._adapters.use(works[0].sequence.request.adapter, self._context)
        if works[0].span:
            meanwhile()  # now: an image takes long
            return self._see(works[0], works[0].span)
        placed = [*zip(works, self._batch.fill(works), strict=True)]
        sampling = [work for work in works if work.samples]
        has_prompts = any(not work.sequence.is_decoding for work in works)
        telling = [work for work in works if work.samples or work.scored]
        self._attached.arrange(telling, has_prompts=has_prompts)
        constraints = [c for work in sampling if (c := work.sequence.constraint)]
        prepared = [self._beside.submit(constraint.prepare) for constraint in constraints]
        try:
            self._decode(self._batch.struct)
            meanwhile()  # a GPU has been told by now what to do, and has not done it
        finally:
            if prepared:  # to wait for nothing takes as long as a token's text
                wait(prepared)
        for work, start in placed:
            self._score(work, start)
        return [self._samples(work, start) for work, start in placed if work.samples]

    def _see(self, work: Work, span: Span) -> list[list[int]]:
        """Compute a part of an image; a prompt may end with one, and samples then."""
        assert self._eyes
        sight = self._eyes.see(span, work.sequence.position(span.start))
        first = work.start - span.start
        last = first + len(work.tokens)
        positions = np.ascontiguousarray(sight.positions[:, first:last])
        [start] = self._batch.fill_vectors(work, sight.vectors[first:last], positions)
        if work.samples:
            self._attached.arrange([work], has_prompts=True)
        llama.llama_set_causal_attn(self._context, not span.is_whole)
        try:
            self._decode(self._batch.vectors)
        finally:
            llama.llama_set_causal_attn(self._context, True)
        if work.start + len(work.tokens) == span.end:
            self._eyes.forget(span)
        return [self._samples(work, start)] if work.samples else []

    def _decode(self, batch: Any) -> None:
        status = llama.llama_decode(self._context, batch)
        if status != 0:
            raise DecodeFailed(f"llama.cpp could not compute a step (llama_decode: {status}).")

    def _score(self, work: Work, start: int) -> None:
        """What the model thinks of the prompt's own tokens; `start` is the work's in the batch."""
        sequence, num_top = work.sequence, work.sequence.request.params.num_logprobs or 0
        for index in work.scored:
            after = sequence.prompt_tokens[work.start + index + 1]
            sequence.scores.append(ranked(self._logits(start + index), after, num_top))

    def _samples(self, work: Work, start: int) -> list[int]:
        """The next token, and those after it for as long as the drafts are right."""
        places = [start + index for index in work.sampled]
        if not work.num_drafted:
            return [self._sample(work.sequence, places[0])]
        tokens: list[int] = []
        for index, guess in zip(places, [*work.tokens[-work.num_drafted :], None], strict=True):
            tokens.append(self._sample(work.sequence, index))
            if tokens[-1] != guess:
                break
        assert work.sequence.slot is not None
        right = work.start + len(work.tokens) - work.num_drafted + len(tokens) - 1
        self.cut(work.sequence.slot, work.sequence.position(right), None)
        return tokens

    def _sample(self, sequence: Sequence, index: int) -> int:
        params = sequence.request.params
        raw = None if params.num_logprobs is None else self._logits(index).copy()
        token = self._chosen(sequence, index)
        if raw is not None:
            sequence.ranks = ranked(raw, token, params.num_logprobs or 0)
        return token

    def _chosen(self, sequence: Sequence, index: int) -> int:
        if sequence.constraint:
            may_end = sequence.may_stop and not sequence.request.params.ignore_eos
            allowed = self._allowed(sequence.constraint, may_end)
            params, logits = sequence.request.params, self._logits(index)
            if not leaves_allowed_only(params, allowed.size):
                return sample(sequence.sampler, logits, allowed)
            kept = logits[allowed]
            logits.fill(-np.inf)
            logits[allowed] = kept
        elif not sequence.may_stop:
            self._logits(index)[self._vocabulary.ends] = -np.inf
        token = self._attached.token(sequence, index)
        return self._of_likeliest(sequence, index) if token is None else token

    def _of_likeliest(self, sequence: Sequence, index: int) -> int:
        """As the chain chooses among all, and it does where these are not known."""
        logits, num_ends = self._logits(index), self._vocabulary.ends.size
        ids = likeliest(logits, num_in_question(sequence.request.params, num_ends))
        if ids is None:
            return int(llama.llama_sampler_sample(sequence.sampler, self._context, index))
        return sample(sequence.sampler, logits, ids)

    def _logits(self, index: int) -> NDArray[np.float32]:
        """llama.cpp's own, of all tokens."""
        logits = llama.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(logits, (self._vocabulary.size,))

    def _allowed(self, constraint: Constraint, may_end: bool) -> NDArray[np.intp]:
        """Without the ends while it may not end, unless nothing else may follow."""
        allowed = constraint.allowed()
        others = allowed if may_end else allowed[~self._vocabulary.is_end_mask[allowed]]
        return others if others.size else allowed

    def copy(self, source: int, slot: int, start: int, end: int) -> None:
        llama.llama_memory_seq_cp(self._memory, source, slot, start, end)

    def cut(self, slot: int, start: int, end: int | None) -> None:
        llama.llama_memory_seq_rm(self._memory, slot, start, -1 if end is None else end)

    def save(self, slot: int) -> State:
        return state.save(self._context, slot)

    def restore(self, slot: int, saved: State, num_tokens: int) -> bool:
        return state.restore(self._context, slot, saved, num_tokens)

    def end(self, sequence: Sequence) -> None:
        for span in sequence.spans:
            assert self._eyes
            self._eyes.forget(span)
        if self.drafter:
            self.drafter.end(sequence)
        if sequence.sampler is not None:
            self._attached.detach(sequence)
            llama.llama_sampler_free(sequence.sampler)
            sequence.sampler = None

    def clear(self) -> None:
        llama.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        self._beside.shutdown()
        self._attached.close()
        if self._eyes:
            self._eyes.close()
        if self.drafter:
            self.drafter.close()
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)
