"""Which cells of the KV cache hold what, and which are given up first."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .radix import Path, RadixTree, Run, common_length

PUBLIC_USES = 1000  # of other things, entered and left, and what is public is like any other
LEAST_SAVED_TOKENS = 32  # a shorter beginning is computed anew sooner than restored


@dataclass(frozen=True, slots=True)
class Copy:
    """Let a slot have the cells that another one has from `start` to `end`."""

    source: int
    slot: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Take from a slot its cells from `start` to `end`, or all of them from there on."""

    slot: int
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Save:
    """Keep elsewhere what a slot holds: it is about to be given up."""

    slot: int
    path: Path


Move = Copy | Cut | Save


@dataclass(slots=True)
class _Held:
    """What a live slot has: `num_tokens` cells, the first of which are in the tree."""

    num_tokens: int
    run: Run

    @property
    def num_private(self) -> int:
        return self.num_tokens - self.run.end


@dataclass(slots=True)
class _Cells:
    in_tree: int = 0
    live_in_tree: int = 0
    private: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A slot for a sequence, with the first `num_cached` of its tokens in it already."""

    slot: int
    num_cached: int


class KvCache:
    """Cells, one for each token of a sequence, out of a pool that all slots share.

    A slot is a sequence id of llama.cpp. In the first `num_slots` requests are at work:
    those are *live*. What a request leaves behind goes to one of the `num_idle_slots` after
    them, and stays there for whoever comes with the same beginning and owner, until live work
    needs the cells: the longest unused goes first, and a beginning that several have in
    common after all that follows it.

    Pure bookkeeping: what the backend has to do for it are its `moves`, in their order.
    """

    def __init__(
        self,
        num_cells: int,
        num_slots: int,
        *,
        num_idle_slots: int = 0,
        can_share: bool = True,
        max_idle_cells: int | None = None,
    ) -> None:
        self.num_cells = num_cells
        self.can_share = can_share
        self.max_idle_cells = num_cells if max_idle_cells is None else max_idle_cells
        self._num_slots = num_slots
        self._num_idle_slots = num_idle_slots
        self.clear()

    def clear(self) -> None:
        """Forget everything, as the backend has."""
        self._tree = RadixTree()
        self._cells = _Cells()
        self._live: dict[int, _Held] = {}
        self._idle: dict[int, Run] = {}  # by idle slot, where its cells end
        num_all = self._num_slots + self._num_idle_slots
        self._free_slots = list(range(self._num_slots))[::-1]
        self._free_idle_slots = list(range(self._num_slots, num_all))[::-1]
        self._moves: deque[Move] = deque()
        self._uses = 0
        self._num_spread = 0

    @property
    def num_used(self) -> int:
        return self._cells.in_tree + self._cells.private

    @property
    def num_idle(self) -> int:
        return self._cells.in_tree - self._cells.live_in_tree

    @property
    def num_free(self) -> int:
        """Cells that live work can have, idle ones among them."""
        return self.num_cells - self._cells.live_in_tree - self._cells.private

    @property
    def num_spread(self) -> int:
        """Cells over which those that are used may lie scattered: the first free one is taken,
        so all that were ever used at once.
        """
        return self._num_spread

    def take_moves(self) -> list[Move]:
        moves = list(self._moves)
        self._moves.clear()
        return moves

    def take_move(self) -> Move | None:
        """The next of them alone, if there is one."""
        return self._moves.popleft() if self._moves else None

    def give_up_idle(self) -> None:
        """Keep nothing but what is live."""
        while self._idle:
            self._give_up()
        if not self.num_used:
            self._num_spread = 0

    def drop_idle(self, is_meant: Callable[[Path], bool]) -> None:
        """Keep nothing of these, but what is live or of others as well."""
        for slot, path in self.idle():
            if is_meant(path):
                self._drop(slot)

    # Live slots

    def num_cached(self, path: Path) -> int:
        """Tokens that need not be computed; never the last, which brings the logits."""
        return self._begin(path)[1]

    def fits(self, path: Path, spare: int = 0, leaving: Collection[int] = ()) -> bool:
        """Whether there is a slot with a cell for each of the tokens, and `spare` cells besides,
        once these slots have left.
        """
        run, length = self._begin(path)
        held = [self._live[slot] for slot in leaving]
        runs = [above for one in held for above in one.run.upwards()]
        num_leaving = Counter(map(id, runs))

        def is_idle(run: Run) -> bool:
            return num_leaving[id(run)] == run.num_live

        freed = sum(len(one) for one in {id(one): one for one in runs}.values() if is_idle(one))
        freed += sum(one.num_private for one in held)
        revived = sum(min(r.end, length) - r.start for r in run.upwards() if is_idle(r))
        needed = len(path.tokens) - length + revived + spare
        has_slot = len(self._live) - len(leaving) < self._num_slots
        return has_slot and needed <= self.num_free + freed

    def try_enter(self, path: Path, spare: int = 0) -> Entry | None:
        """A slot with a cell for each of the tokens; None, and no change, if it does not fit."""
        if not self.fits(path, spare):
            return None
        run, length = self._begin(path)
        if length:
            run = self._tree.split(run, length)
        self._enliven(run)
        self._make_free(len(path.tokens) - length)
        slot = self._free_slots.pop()
        if length:
            self._moves.append(Copy(next(iter(run.slots)), slot, 0, length))
        for above in run.upwards():
            above.slots.add(slot)
        self._live[slot] = _Held(len(path.tokens), run)
        self._take(len(path.tokens) - length)
        return Entry(slot, length)

    def try_hold(self, slot: int, num_tokens: int) -> bool:
        """Let the slot hold `num_tokens` in all; False, and no change, if too few are free."""
        held = self._live[slot]
        more = num_tokens - held.num_tokens
        if more <= 0:
            return True
        if more > self.num_free:
            return False
        self._make_free(more)
        held.num_tokens = num_tokens
        self._take(more)
        return True

    def note_computed(self, slot: int, path: Path, end: int) -> None:
        """The slot's tokens up to `end` are computed: others may begin with them."""
        if self.can_share:
            self._insert(slot, path, end)

    def can_refill(self, slot: int, num_tokens: int) -> bool:
        """Whether a slot that was just entered can be emptied and get so many cells at once.

        What it has in common with others must not be lost with it. For a moment they are
        there twice: idle cells are given up for that.
        """
        held = self._live[slot]
        needed = num_tokens - held.num_private
        if needed > self.num_free:
            return False
        self._make_free(needed)
        return held.run.slots != {slot}

    def refill(self, slot: int) -> None:
        """The slot has been emptied, or filled anew: what others have too is theirs again."""
        run = self._live[slot].run
        if run.end:
            source = next(other for other in run.slots if other != slot)
            self._moves += [Cut(slot, 0, run.end), Copy(source, slot, 0, run.end)]

    def idle(self) -> list[tuple[int, Path]]:
        """Idle slots, and what each holds."""
        return [(slot, run.path()) for slot, run in self._idle.items()]

    def leave(self, slot: int, path: Path, num_computed: int, *, keep: bool) -> None:
        """The slot is not live any more; what was computed in it stays if `keep`."""
        keep = keep and self.can_share and num_computed > 0
        if keep:
            self._insert(slot, path, num_computed)
        held = self._live.pop(slot)
        self._free_slots.append(slot)
        self._cells.private -= held.num_private
        self._uses += 1
        for run in held.run.upwards():
            run.used_at = self._uses
            run.num_live -= 1
            if not run.num_live:
                self._cells.live_in_tree -= len(run)
        if keep:
            self._retire(slot, held.run)
        else:
            self._vacate(slot, held.run)

    # The tree

    def _begin(self, path: Path) -> tuple[Run, int]:
        """Where the longest known beginning of the path ends, and its length."""
        if not self.can_share:
            return self._tree.root, 0
        return self._tree.find(path, len(path.tokens) - 1)

    def _enliven(self, run: Run) -> None:
        """One more live slot goes through the run and those before it."""
        self._uses += 1
        for above in run.upwards():
            self._enliven_one(above)

    def _enliven_one(self, run: Run) -> None:
        if not run.num_live:
            self._cells.live_in_tree += len(run)
        run.num_live += 1
        run.used_at = self._uses

    def _insert(self, slot: int, path: Path, end: int) -> None:
        """Put the tokens that the slot has beyond the tree into it, up to `end`."""
        held = self._live[slot]
        while held.run.end < end:
            before = held.num_private
            place = held.run.end
            child = held.run.children.get(path.key(place))
            if child is not None:
                held.run = self._adopt(slot, child, path, end)
            elif not self._try_extend(slot, held.run, path, end):
                held.run = self._add(slot, held.run, path, end)
            self._cells.private += held.num_private - before

    def _adopt(self, slot: int, child: Run, path: Path, end: int) -> Run:
        """Somebody else has computed the same: one of both is enough."""
        start = child.start
        size = common_length(child.tokens, path.tokens, start, path.end_of_run(start, end))
        child = self._tree.split(child, start + size)
        source = next(iter(child.slots))
        self._moves += [Cut(slot, start, start + size), Copy(source, slot, start, start + size)]
        child.slots.add(slot)
        self._enliven_one(child)
        return child

    def _try_extend(self, slot: int, run: Run, path: Path, end: int) -> bool:
        """Lengthen a run that nobody else has, where that is what belongs there."""
        is_own = run.slots == {slot} and not run.children
        if not is_own or run.owner != path.owner_at(run.end):
            return False
        tokens = path.tokens[run.end : path.end_of_run(run.end, end)]
        run.tokens += tokens
        run.end += len(tokens)
        self._cells.in_tree += len(tokens)
        self._cells.live_in_tree += len(tokens)
        return True

    def _add(self, slot: int, parent: Run, path: Path, end: int) -> Run:
        start = parent.end
        tokens = path.tokens[start : path.end_of_run(start, end)]
        run = self._tree.add(parent, tokens, path.owner_at(start))
        run.slots.add(slot)
        self._cells.in_tree += len(tokens)
        self._enliven_one(run)
        return run

    # Idle slots

    def _retire(self, slot: int, run: Run) -> None:
        """Keep what is in the tree in an idle slot; whoever ended on the way is not needed."""
        on_the_way = {id(above) for above in run.upwards()}
        for other, end in list(self._idle.items()):
            if id(end) in on_the_way and end is not run:
                self._drop(other)
        if not self._num_idle_slots or any(other in self._idle for other in run.slots):
            self._vacate(slot, run)  # what it would keep is kept
            return
        while not self._free_idle_slots:
            self._give_up()
        kept = self._free_idle_slots.pop()
        self._idle[kept] = run
        self._moves += [Copy(slot, kept, 0, run.end), Cut(slot)]
        for above in run.upwards():
            above.slots.remove(slot)
            above.slots.add(kept)
        while self._num_idle_counted() > self.max_idle_cells:
            self._give_up([one for one, run in self._idle.items() if not self._is_hot(run)])

    def _num_idle_counted(self) -> int:
        """Idle cells, but for those that stay in any case."""
        idle = {id(run): run for end in self._idle.values() for run in end.upwards()}
        return sum(len(r) for r in idle.values() if not r.num_live and not self._is_hot(r))

    def _is_hot(self, run: Run) -> bool:
        """What is public stays for all to come, for as long as some do."""
        return run.owner is None and self._uses - run.used_at < PUBLIC_USES

    def _drop(self, slot: int) -> None:
        """Empty an idle slot."""
        self._vacate(slot, self._idle.pop(slot))
        self._free_idle_slots.append(slot)

    def _vacate(self, slot: int, run: Run) -> None:
        self._moves.append(Cut(slot))
        for above in list(run.upwards()):
            above.slots.remove(slot)
            if not above.slots:
                self._cells.in_tree -= len(above)
                self._tree.remove(above)

    def _make_free(self, num_cells: int) -> None:
        """Give up idle cells until so many are really free; there are enough."""
        while self.num_cells - self.num_used < num_cells:
            self._give_up()

    def _take(self, num_cells: int) -> None:
        self._cells.private += num_cells
        self._num_spread = max(self._num_spread, self.num_used)

    def _give_up(self, among: Iterable[int] = ()) -> None:
        """Drop what follows the last fork of the idle slot that was used longest ago, of these
        or of all.
        """

        def rank(slot: int) -> tuple[bool, int]:
            run = self._idle[slot]
            return len(run.slots) == 1, run.used_at

        slot = min(among or self._idle, key=rank)
        run = self._idle[slot]
        if len(run.slots) > 1:  # another one has all of its cells
            self._drop(slot)
            return
        if run.end >= LEAST_SAVED_TOKENS:
            self._moves.append(Save(slot, run.path()))
        parent = run.parent
        assert parent is not None
        if parent.slots != {slot}:
            self._drop(slot)
            return
        self._moves.append(Cut(slot, run.start))
        self._idle[slot] = parent
        self._cells.in_tree -= len(run)
        self._tree.remove(run)
