"""Decides which sequences run in the next step, and with which tokens."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType

from .fairness import Shares
from .kvcache import KvCache
from .lanes import Lanes
from .radix import common_length
from .request import Sequence, Status
from .span import Span
from .speculation import Speculation
from .tempo import Tempo
from .waiting import Waiting

LEAST_AWAITED_TOKENS = 32  # fewer of another's prompt are computed sooner than waited for
NOTHING: Mapping[Sequence, int] = MappingProxyType({})
SHORT_PROMPT_CHUNKS = 6  # a prompt of no more is computed at once, if its owner has nothing yet
MOST_SCORED = 64  # tokens of prompts in a step; each has logits as long as the vocabulary
# What is left of a crowd is laid together again if it lies scattered so widely, and so much
# more widely than it has to. To compute 1,000 tokens again takes as long as some 30 steps.
LEAST_SPREAD, LEAST_SPARSENESS, MOST_MOVED = 16384, 8, 2048
MOST_PASSED = 16  # so many may enter before one that does not fit; then it is the next


@dataclass(frozen=True, slots=True)
class Work:
    """One sequence's share of a step: `tokens` from position `start` on.

    Only the last of a sequence's pending tokens `samples` the next one; the last
    `num_drafted` of the tokens are guesses of what comes next. What follows each of those
    that are `scored`, by their index, is judged: it is a token of the prompt. With a `span`
    the tokens stand for vectors of that image.
    """

    sequence: Sequence
    tokens: list[int]
    start: int
    samples: bool
    num_drafted: int = 0
    span: Span | None = None
    scored: range = range(0)

    @property
    def sampled(self) -> range:
        """The tokens after which the next one is chosen, by their index."""
        end = len(self.tokens)
        return range(end - 1 - self.num_drafted, end) if self.samples else range(0)


class Scheduler:
    """Over the places of one engine and the cells of its KV cache: fair between owners.

    Pure state: no thread, no clock, no model. A sequence enters when its turn has come and
    its tokens fit, but for those that the cache has already. Who does not fit is passed by
    smaller ones, for a while. One that another has computed a part of the prompt for waits
    until that is there. Whoever's owner has more than a fair share of the places, or is of
    a lesser class, is paused for those who lack a place or cells: what was computed stays there,
    and if its cells are needed for others, it is computed again; its sampler is kept, so
    nothing is lost but time. One that is to be alone enters once all others have left, into
    an empty cache, and nobody enters beside it.
    """

    def __init__(
        self,
        cache: KvCache,
        *,
        max_sequences: int,
        batch_tokens: int,
        tempo: Tempo,
        speculation: Speculation | None = None,
    ) -> None:
        self.cache = cache
        self.speculation = speculation or Speculation()
        self.max_sequences = max_sequences
        self.batch_tokens = batch_tokens
        self.tempo = tempo
        self.shares = Shares()
        self.waiting = Waiting(self.shares)
        self.running: list[Sequence] = []  # in the order they entered
        self._num_running: Counter[str] = Counter()  # by owner, and by what else is limited
        self._orders = count()
        self._lanes = Lanes()
        self._have_waited = False  # those who decode, in the last step

    @property
    def is_idle(self) -> bool:
        return not len(self.waiting) and not self.running

    def sequences(self) -> list[Sequence]:
        """A copy, so that callers may remove while they iterate."""
        return [*self.running, *self.waiting]

    def queue(self, now: float) -> list[Sequence]:
        """Those who wait, in the order in which they will enter, as far as one can know."""
        return list(self.waiting.in_turn(now, self._num_running))

    def add(self, sequence: Sequence) -> None:
        sequence.order = next(self._orders)
        sequence.waits_since = sequence.submitted_at
        self.shares.arrive(sequence.owner)
        self.waiting.add(sequence)

    def remove(self, sequence: Sequence, *, keep: bool = True) -> None:
        """Forget the sequence; what was computed for it stays in the cache if `keep`."""
        if sequence.status is Status.WAITING:
            self.waiting.remove(sequence)
        else:
            self._leave(sequence, keep=keep and sequence.is_cached)
        if sequence.was_paused and not sequence.is_cached:
            self.cache.drop_idle(lambda path: path.owner == sequence.salt)
        self.shares.leave(sequence.owner, None if sequence.admitted_at is None else sequence.cost)
        sequence.status = Status.FINISHED

    def admit(self, now: float) -> list[Sequence]:
        """Let in whoever's turn it is and who has a place and cells."""
        entered: list[Sequence] = []
        passed: list[Sequence] = []
        for sequence in self.waiting.in_turn(now, self._num_running):
            if self._is_capped(sequence) or self._is_awaiting(sequence):
                continue
            if self._is_to_be_alone(sequence):
                break  # when its turn has come, nobody enters before it
            lesser = self._lesser(sequence, entered)
            if self._is_full and not lesser:
                break
            if not self._make_way(sequence, lesser, now):
                if sequence.num_passed >= MOST_PASSED:
                    break  # its cells are not given to others any more
                passed.append(sequence)
                continue
            self._enter(sequence, now)
            entered.append(sequence)
            for other in passed:
                other.num_passed += 1
        return entered

    def plan(self) -> list[Work]:
        """Decodes first, then chunks of prompts: of those first whose owners have had least.

        All are of one adapter, and an image is computed by itself.

        While anyone decodes, the chunks are small, so that a long prompt does not
        stall the answers under way. A newcomer's short one they let go first.
        """
        lane = self._lanes.next(self.running)
        if lane and lane[0].span:
            self._have_waited = True
            return [self._look(self._prefilling(lane)[0])]
        decoding = [s for s in lane if s.is_decoding]
        newcomer = self._newcomer(self._prefilling(lane)) if decoding else None
        self._have_waited = newcomer is not None
        if newcomer:
            self._lanes.again()
            return [self._work(newcomer, newcomer.num_pending)]
        room = self.batch_tokens // max(len(decoding), 1) - 1  # for guesses at each
        drafts = self.speculation.drafts(decoding, room)
        works = [self._decode(s, drafts.get(s, [])) for s in decoding]
        budget = self.batch_tokens - sum(len(work.tokens) for work in works)
        if works:
            budget = min(budget, self.tempo.beside(self.batch_tokens - budget))
        return works + self._prefill(lane, budget)

    def settle(self, works: list[Work], num_rejected: Mapping[Sequence, int] = NOTHING) -> None:
        """The step has been computed; of some sequences, so many drafted tokens were wrong."""
        for work in works:
            sequence = work.sequence
            is_prompt = sequence.num_computed < len(sequence.prompt_tokens)
            sequence.num_computed += len(work.tokens) - num_rejected.get(sequence, 0)
            sequence.cost += len(work.tokens)
            self.shares.charge(sequence.owner, len(work.tokens))
            if is_prompt and sequence.slot is not None:
                end = min(sequence.num_computed, sequence.num_findable)
                self.cache.note_computed(sequence.slot, sequence.path, end)

    def make_room(self, now: float) -> None:
        """Find a cell for every decode of the next step, or send sequences back."""
        for sequence in list(self.running):
            while sequence.slot is not None:
                if self.cache.try_hold(sequence.slot, sequence.num_tokens):
                    break
                self.send_back(self._last(), now)

    def send_back(self, sequence: Sequence, now: float) -> None:
        """Make a sequence wait again; what it has computed stays for as long as possible."""
        self._leave(sequence, keep=True)
        sequence.was_paused = True
        sequence.num_computed = 0
        sequence.status = Status.WAITING
        sequence.waits_since = now
        self.waiting.add(sequence)

    @property
    def is_sparse(self) -> bool:
        """Whether attention pays for many more cells than are at work, and nobody waits who
        might get the place of one that is moved.
        """
        num_live = self.cache.num_cells - self.cache.num_free
        if self.cache.num_spread < max(LEAST_SPREAD, LEAST_SPARSENESS * num_live):
            return False
        may_move = all(s.is_cached and s.num_findable == s.num_tokens for s in self.running)
        return may_move and num_live <= MOST_MOVED and not len(self.waiting)

    def compact(self, now: float) -> None:
        """Everybody leaves the cache, to enter it again at its beginning; idle ones do not."""
        for sequence in list(self.running):
            self.send_back(sequence, now)
        self.cache.give_up_idle()

    # Who enters

    def _is_capped(self, sequence: Sequence) -> bool:
        caps = sequence.request.caps.items()
        return any(self._num_running[name] >= most for name, most in caps)

    def _is_to_be_alone(self, sequence: Sequence) -> bool:
        """Whether it, or who runs, must not have others beside it."""
        return bool(self.running) and (sequence.is_alone or self.running[0].is_alone)

    def _is_awaiting(self, sequence: Sequence) -> bool:
        """Whether somebody is computing what it begins with, and is not behind it in that."""
        if not self.cache.can_share or not self.running:
            return False
        others = [s for s in self.running if not s.is_decoding and s.rank <= sequence.rank]
        ahead = {other: self._ahead(other, sequence) for other in others}
        if not any(ahead.values()):
            return False
        num_cached = self.cache.num_cached(sequence.path)
        return any(both - num_cached >= _least(other, sequence) for other, both in ahead.items())

    def _ahead(self, other: Sequence, sequence: Sequence) -> int:
        """Tokens that both begin with and may share, if the other has not computed them yet."""
        end = min(len(sequence.prompt_tokens) - 1, other.num_findable)
        if other.salt != sequence.salt:
            end = min(end, other.num_shared, sequence.num_shared)
        if end <= other.num_computed:
            return 0
        both = common_length(other.prompt_tokens, sequence.prompt_tokens, 0, end)
        return both if both > other.num_computed else 0

    @property
    def _is_full(self) -> bool:
        return len(self.running) >= self.max_sequences

    def _lesser(self, sequence: Sequence, entered: list[Sequence]) -> list[Sequence]:
        """Those with less claim to what they have, the first to leave first: all that are of a
        lesser class, and one of the same.
        """
        if not self.cache.can_share:
            return []  # all of theirs would have to be computed again
        lesser = [s for s in self.running if self._is_lesser(s, sequence) and s not in entered]
        lesser.sort(key=self._order_of_leaving, reverse=True)
        num_below = sum(s.rank > sequence.rank for s in lesser)
        return lesser[: num_below + 1]

    def _make_way(self, sequence: Sequence, lesser: list[Sequence], now: float) -> bool:
        """Whether it has a place and cells, if by sending some back: no more than it takes."""
        leaving: list[Sequence] = []
        for victim in lesser:
            if self._fits(sequence, leaving):
                break
            leaving.append(victim)
        if not self._fits(sequence, leaving):
            return False
        for victim in [*leaving[:-1]]:
            rest = [other for other in leaving if other is not victim]
            if self._fits(sequence, rest):
                leaving = rest
        for victim in leaving:
            self.send_back(victim, now)
        return True

    def _fits(self, sequence: Sequence, leaving: list[Sequence]) -> bool:
        """Whether there is room for it, once these have left."""
        num_running = len(self.running) - len(leaving)
        slots = [s.slot for s in leaving if s.slot is not None]
        # One cell more for each: the token that all of them sample next.
        spare = num_running + 1 if num_running else 0
        return num_running < self.max_sequences and self.cache.fits(sequence.path, spare, slots)

    def _is_lesser(self, running: Sequence, sequence: Sequence) -> bool:
        if running.rank != sequence.rank:
            return running.rank > sequence.rank
        mine, its = self._num_running[sequence.owner], self._num_running[running.owner]
        has_less = self.shares.served(sequence.owner) <= self.shares.served(running.owner)
        return has_less and its - 1 > mine

    def _order_of_leaving(self, sequence: Sequence) -> tuple[int, int, int]:
        return sequence.rank, self._num_running[sequence.owner], sequence.order

    def _enter(self, sequence: Sequence, now: float) -> None:
        if sequence.is_alone:
            self.cache.give_up_idle()
        entry = self.cache.try_enter(sequence.path)
        assert entry is not None, "it fits"
        self.waiting.enter(sequence, now)
        sequence.slot, sequence.num_computed = entry.slot, entry.num_cached
        sequence.status = Status.RUNNING
        if sequence.admitted_at is None:
            sequence.admitted_at = now
            sequence.num_cached = entry.num_cached
        self.running.append(sequence)
        self._count(sequence, 1)

    def _count(self, sequence: Sequence, change: int) -> None:
        for name in {sequence.owner, *sequence.request.caps}:
            self._num_running[name] += change

    # Who computes

    def _prefill(self, lane: Iterable[Sequence], budget: int) -> list[Work]:
        works: list[Work] = []
        scorable = MOST_SCORED
        for sequence in self._prefilling(lane):
            share = min(budget, scorable) if sequence.is_scoring else budget
            if share:
                work = self._work(sequence, share)
                budget -= len(work.tokens)
                scorable -= len(work.scored)
                works.append(work)
        return works

    def _prefilling(self, lane: Iterable[Sequence]) -> list[Sequence]:
        prefilling = [s for s in lane if not s.is_decoding]
        prefilling.sort(key=self._order_of_prefill)
        return prefilling

    def _order_of_prefill(self, sequence: Sequence) -> tuple[int, float, int]:
        """Whoever comes counts like who has had least; of both, who has less goes first."""
        owner = sequence.owner
        return sequence.rank, self.shares.served(owner), self._num_running[owner]

    def _newcomer(self, prefilling: list[Sequence]) -> Sequence | None:
        """Whose owner has no answer under way, and whose prompt is more than a chunk, but short:
        whoever asks one thing beside another's crowd waits for one step instead of several.
        The crowd waits no longer for that, and never for two in a row.
        """
        if not prefilling or self._have_waited:
            return None
        first, chunk = prefilling[0], self.tempo.chunk_tokens
        if first.spans or first.is_scoring:
            return None  # images and logits cut a prompt in pieces
        is_short = first.num_pending <= min(self.batch_tokens, SHORT_PROMPT_CHUNKS * chunk)
        has_one = any(s.owner == first.owner and s.is_decoding for s in self.running)
        return first if chunk < first.num_pending and is_short and not has_one else None

    def _decode(self, sequence: Sequence, drafted: list[int]) -> Work:
        work = self._work(sequence, 1)
        num_tokens = sequence.num_tokens + len(drafted)
        assert sequence.slot is not None
        if not drafted or not self.cache.try_hold(sequence.slot, num_tokens):
            return work
        return replace(work, tokens=work.tokens + drafted, num_drafted=len(drafted))

    def _look(self, sequence: Sequence) -> Work:
        """A chunk of an image; all of it where that has to be."""
        span, budget = sequence.span, self.batch_tokens
        assert span
        if not span.is_whole and any(s.is_decoding for s in self.running):
            budget = min(budget, self.tempo.chunk_tokens)
        return self._work(sequence, budget)

    def _work(self, sequence: Sequence, budget: int) -> Work:
        tokens = sequence.pending(budget)
        samples = len(tokens) == sequence.num_pending
        scored = sequence.unscored(len(tokens))
        return Work(
            *(sequence, tokens, sequence.num_computed, samples),
            span=sequence.span,
            scored=scored,
        )

    # Who leaves

    def _last(self) -> Sequence:
        """Whose place is worth least."""
        return max(self.running, key=lambda s: (s.rank, s.order))

    def _leave(self, sequence: Sequence, *, keep: bool) -> None:
        slot = sequence.slot
        assert slot is not None
        self.running.remove(sequence)
        self._count(sequence, -1)
        end = min(sequence.num_computed, sequence.num_findable)
        self.cache.leave(slot, sequence.path, end, keep=keep)
        sequence.slot = None


def _least(other: Sequence, sequence: Sequence) -> int:
    """Tokens of the other's prompt that are worth waiting for."""
    group = sequence.request.group
    is_same = group is not None and group == other.request.group
    return 1 if is_same else LEAST_AWAITED_TOKENS
