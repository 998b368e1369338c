"""A smaller model beside the one that is served, which guesses what that will write."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..config import Draft, EngineConfig
from ..errors import DecodeFailed, ModelLoadFailed, OutOfMemory
from ..request import Sequence, Status
from ..speculation import MOST_SPECULATING
from .batch import Batch
from .library import complaints, llama
from .loading import (
    DRAFT_TOKENS,
    batch_tokens,
    can_share,
    context_params,
    failure,
    load_model,
    memory_bytes,
    wanted_context,
)
from .vocabulary import difference

logger = logging.getLogger(__name__)

MOST_CONTEXT = 8192  # tokens of a text; longer ones are not guessed at


@dataclass(eq=False, slots=True)
class Lane:
    """A sequence id of the draft model's cache, and whose text it holds.

    `num_sure` cells hold tokens of the sequence, those after them what was `guessed`.
    """

    id: int
    sequence: Sequence | None = None
    num_sure: int = 0
    guessed: list[int] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Run:
    """One sequence's draft while it grows: `pending` is computed next, from `start` on."""

    lane: Lane
    sequence: Sequence
    most: int
    start: int
    pending: list[int]
    draft: list[int] = field(default_factory=list)


class LlamaDrafter:
    """See `Drafter` for what it promises. It keeps of each text what it has computed, so a
    step's draft costs what is new in the text, and one token's computation a guess.

    A long text is caught up with over several steps, a step's tokens in each.
    """

    max_tokens = DRAFT_TOKENS

    def __init__(self, config: EngineConfig, draft: Draft, target: Any) -> None:
        """
        Raises:
            ModelLoadFailed: the file cannot be loaded, or fits `target` not.
            OutOfMemory: there is none for it.
        """
        own = msgspec.structs.replace(
            config,
            path=draft.path,
            adapters=(),
            gpu_layers=draft.gpu_layers,
            max_sequences=MOST_SPECULATING,
        )
        self._model = model = load_model(own, lambda _: None)
        trained = llama.llama_model_n_ctx_train(model) or MOST_CONTEXT
        self._most_tokens = min(wanted_context(config, target), trained, MOST_CONTEXT)
        cells = self._most_tokens * MOST_SPECULATING
        try:
            _check_fit(draft, model, target)
            self._context = _make_context(own, model, cells)
        except ModelLoadFailed:
            llama.llama_model_free(model)
            raise
        self._least = draft.min_probability
        self.memory_bytes = memory_bytes(own, model, cells)
        self._memory = llama.llama_get_memory(self._context)
        self._vocab = llama.llama_model_get_vocab(model)
        # Ids that only one of both models has stand for nothing.
        of_target = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(target))
        self._num_known = min(llama.llama_vocab_n_tokens(self._vocab), of_target)
        self._batch = Batch(batch_tokens(own))
        self._step_tokens = batch_tokens(own)
        self._lanes = [Lane(id) for id in range(MOST_SPECULATING)]
        self._is_broken = False

    def draft(self, wanted: Mapping[Sequence, int]) -> dict[Sequence, list[int]]:
        if self._is_broken:
            return {}
        try:
            return self._draft(wanted)
        except DecodeFailed as error:
            logger.error("nothing is drafted any more: %s", error)
            self._is_broken = True
            return {}

    def end(self, sequence: Sequence) -> None:
        """Forget the sequence, if it is known."""
        for lane in self._lanes:
            if lane.sequence is sequence:
                self._empty(lane)

    def close(self) -> None:
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)

    def _draft(self, wanted: Mapping[Sequence, int]) -> dict[Sequence, list[int]]:
        runs = [run for sequence, most in wanted.items() if (run := self._try_run(sequence, most))]
        caught_up = [run for run in runs if run.start + len(run.pending) == run.sequence.num_tokens]
        growing = self._step(runs)
        while growing:
            growing = self._step([run for run in caught_up if run in growing])
        return {run.sequence: run.draft for run in caught_up}

    def _try_run(self, sequence: Sequence, most: int) -> Run | None:
        lane = self._try_lane(sequence)
        if lane is None or sequence.num_tokens + most > self._most_tokens:
            return None
        self._take_back(lane, sequence)
        pending = sequence.tokens(lane.num_sure, self._step_tokens // MOST_SPECULATING)
        if max(pending) >= self._num_known:
            return None
        start, lane.num_sure = lane.num_sure, lane.num_sure + len(pending)
        return Run(lane, sequence, most, start, pending)

    def _try_lane(self, sequence: Sequence) -> Lane | None:
        """Its own, or one whose sequence does not run: those that do would take turns."""
        for lane in self._lanes:
            if lane.sequence is sequence:
                return lane
        for lane in self._lanes:
            if lane.sequence is None or lane.sequence.status is not Status.RUNNING:
                self._empty(lane)
                lane.sequence = sequence
                return lane
        return None

    def _take_back(self, lane: Lane, sequence: Sequence) -> None:
        """Cut what was guessed and not written; one token at least is left to compute."""
        written = sequence.tokens(lane.num_sure, len(lane.guessed))
        kept = min(lane.num_sure + _num_same(lane.guessed, written), sequence.num_tokens - 1)
        llama.llama_memory_seq_rm(self._memory, lane.id, kept, -1)
        lane.num_sure, lane.guessed = kept, []

    def _empty(self, lane: Lane) -> None:
        llama.llama_memory_seq_rm(self._memory, lane.id, -1, -1)
        lane.sequence, lane.num_sure, lane.guessed = None, 0, []

    def _step(self, runs: list[Run]) -> set[Run]:
        """Compute what is pending; return those whose draft has grown and may go on."""
        if not runs:
            return set()
        places = self._batch.append((run.lane.id, run.start, run.pending) for run in runs)
        status = llama.llama_decode(self._context, self._batch.struct)
        if status != 0:
            raise DecodeFailed(f"the draft model could not compute (llama_decode: {status})")
        return {run for run, place in zip(runs, places, strict=True) if self._grow(run, place)}

    def _grow(self, run: Run, place: int) -> bool:
        """By the likeliest token, if it is likely enough; whether another may follow it.

        A text that is not caught up with does not grow.
        """
        caught_up = run.start + len(run.pending) >= run.sequence.num_tokens
        token = self._likely(place) if caught_up else None
        if token is None:
            return False
        run.draft.append(token)
        is_last = len(run.draft) >= run.most or llama.llama_vocab_is_eog(self._vocab, token)
        if not is_last:
            run.start, run.pending = run.start + len(run.pending), [token]
            run.lane.guessed.append(token)
        return not is_last

    def _likely(self, place: int) -> int | None:
        logits = np.ctypeslib.as_array(
            llama.llama_get_logits_ith(self._context, place), (self._num_known,)
        )
        token = int(logits.argmax())
        probability = 1 / float(np.exp(logits - logits[token]).sum())
        return token if probability >= self._least else None


def open_drafter(config: EngineConfig, target: Any) -> tuple[LlamaDrafter | None, str]:
    """The drafter that the config names for that llama_model; or none, and why, if it names one.

    The model serves without it, and slower.

    Raises:
        OutOfMemory: there is none for it; another model may make room.
    """
    if config.draft is None or config.speculation == "off":
        return None, ""
    try:
        if not config.draft.path:
            raise ModelLoadFailed("it has not been fetched")
        if not can_share(target):
            raise ModelLoadFailed(f"{config.model_id} cannot take back tokens that were wrong")
        return LlamaDrafter(config, config.draft, target), ""
    except OutOfMemory:
        raise
    except ModelLoadFailed as error:
        problem = f"the draft model {config.draft.id} is not used: {error.message}"
        logger.error("%s: %s", config.model_id, problem)
        return None, problem


def _check_fit(draft: Draft, model: Any, target: Any) -> None:
    name = Path(draft.path).name
    if not can_share(model):
        raise ModelLoadFailed(f"{name} cannot take back tokens that were wrong")
    if where := difference(target, model):
        raise ModelLoadFailed(f"{name} has another vocabulary: {where}")


def _make_context(config: EngineConfig, model: Any, cells: int) -> Any:
    context = llama.llama_init_from_model(model, context_params(config, cells))
    if not context:
        raise failure(config, complaints())
    return context


def _num_same(first: Iterable[int], second: Iterable[int]) -> int:
    """How many they begin alike."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count
