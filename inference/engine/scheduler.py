"""Decides which sequences run in the next step, and with which tokens."""

from collections import deque
from dataclasses import dataclass

from .kvcache import KvCache
from .request import Sequence, Status


@dataclass(frozen=True, slots=True)
class Work:
    """One sequence's share of a step: `tokens` from position `start` on.

    Only the last of a sequence's pending tokens `samples` the next one.
    """

    sequence: Sequence
    tokens: list[int]
    start: int
    samples: bool


class Scheduler:
    """By priority, then first come, first served, over the slots and cells of one KV cache.

    Pure state: no thread, no clock, no model. A sequence enters when its prompt
    fits; should the cache run out later, the one that entered last gives its
    cells back and waits at the head of the queue, so nothing is lost but time.

    Where `can_share`, those of one prompt compute it once: the others enter when it has
    been, and begin with its cells.
    """

    def __init__(
        self,
        cache: KvCache,
        *,
        max_sequences: int,
        batch_tokens: int,
        prefill_chunk_tokens: int,
        can_share: bool = False,
    ) -> None:
        self.cache = cache
        self.can_share = can_share
        self.batch_tokens = batch_tokens
        self.prefill_chunk_tokens = prefill_chunk_tokens
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []  # in the order they entered
        self._free_slots = list(range(max_sequences))

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.running

    def sequences(self) -> list[Sequence]:
        """A copy, so that callers may remove while they iterate."""
        return [*self.running, *self.waiting]

    def add(self, sequence: Sequence) -> None:
        """Queue it behind all of its priority, and before those whose turn is later."""
        place = len(self.waiting)
        while place and _waits_for(self.waiting[place - 1], sequence):
            place -= 1
        self.waiting.insert(place, sequence)

    def remove(self, sequence: Sequence) -> int | None:
        """Forget the sequence; return the slot it leaves, if it had one."""
        if sequence.status is Status.WAITING:
            self.waiting.remove(sequence)
            slot = None
        else:
            slot = self._leave(sequence)
        sequence.status = Status.FINISHED
        return slot

    def admit(self, now: float) -> list[Sequence]:
        """Let in from the head of the queue whoever has a slot and cells."""
        entered: list[Sequence] = []
        while self.waiting and self._free_slots:
            sequence = self.waiting[0]
            source = self._source(sequence)
            if source and source.num_computed < sequence.num_shareable:
                break  # its prompt is being computed; whoever entered now would only wait, too
            num_shared = sequence.num_shareable if source else 0
            # One cell more for each: the first token that all of them sample.
            spare = len(self.running) + 1 if self.running else 0
            if self.cache.num_free < sequence.num_tokens - num_shared + spare:
                break
            self._enter(self.waiting.popleft(), source, now)
            entered.append(sequence)
        return entered

    def _source(self, sequence: Sequence) -> Sequence | None:
        """One that runs with the same prompt."""
        if not self.can_share or sequence.request.group is None or not sequence.num_shareable:
            return None
        return next((s for s in self.running if _has_same_prompt(s, sequence)), None)

    def plan(self) -> list[Work]:
        """Decodes first, then chunks of prompts, in the order of entry.

        While anyone decodes, the chunks are small, so that a long prompt does not
        stall the answers under way.
        """
        decoding = [s for s in self.running if s.is_decoding]
        works = [self._work(s, 1) for s in decoding]
        budget = self.batch_tokens - len(works)
        if decoding:
            budget = min(budget, self.prefill_chunk_tokens)
        for sequence in self.running:
            if budget and not sequence.is_decoding:
                work = self._work(sequence, min(budget, self._until_shared(sequence)))
                budget -= len(work.tokens)
                works.append(work)
        return works

    def make_room(self) -> list[int]:
        """Find a cell for every decode of the next step, or send sequences back.

        Returns the slots that were left; the backend has to forget what they hold.
        """
        left: list[int] = []
        for sequence in list(self.running):
            while sequence.slot is not None:
                if self.cache.try_hold(sequence.slot, sequence.num_tokens):
                    break
                left.append(self.send_back())
        return left

    def send_back(self) -> int:
        """Make the sequence that entered last wait again; return the slot it leaves."""
        sequence = self.running[-1]
        slot = self._leave(sequence)
        sequence.num_computed = 0
        sequence.status = Status.WAITING
        self.waiting.appendleft(sequence)
        return slot

    def _until_shared(self, sequence: Sequence) -> int:
        """Tokens to compute until those who wait for them enter: it might leave with the next."""
        left = sequence.num_shareable - sequence.num_computed
        if left > 0 and any(self._source(waiting) is sequence for waiting in self.waiting):
            return left
        return sequence.num_pending

    def _work(self, sequence: Sequence, budget: int) -> Work:
        tokens = sequence.pending(budget)
        samples = len(tokens) == sequence.num_pending
        return Work(sequence, tokens, sequence.num_computed, samples)

    def _enter(self, sequence: Sequence, source: Sequence | None, now: float) -> None:
        slot = sequence.slot = self._free_slots.pop()
        sequence.source = source.slot if source else None
        if sequence.source is not None:
            self.cache.share(sequence.source, slot, sequence.num_shareable)
            sequence.num_computed = sequence.num_shareable
        is_held = self.cache.try_hold(slot, sequence.num_tokens)
        assert is_held, "it was let in without room"
        sequence.status = Status.RUNNING
        if sequence.admitted_at is None:
            sequence.admitted_at = now
        self.running.append(sequence)

    def _leave(self, sequence: Sequence) -> int:
        slot = sequence.slot
        assert slot is not None
        self.running.remove(sequence)
        self.cache.release(slot)
        self._free_slots.append(slot)
        sequence.slot = None
        return slot


def _has_same_prompt(one: Sequence, other: Sequence) -> bool:
    is_group = one.request.group == other.request.group
    return is_group and one.prompt_tokens == other.prompt_tokens


def _waits_for(waiting: Sequence, new: Sequence) -> bool:
    """Whether the new one goes first. Who had entered before keeps the head of the queue."""
    return waiting.admitted_at is None and waiting.request.priority > new.request.priority
