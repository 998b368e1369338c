"""A radix tree over tokens: the beginnings that several sequences have in common."""

from collections.abc import Iterator
from dataclasses import dataclass

PASSING = "\0\0"  # in the salt of what is no owner's, but of a request or a group of them
Key = tuple[str | None, int]  # whose (None: anybody's), and the first token


@dataclass(frozen=True, slots=True)
class Path:
    """Tokens from the first one on, and who may find them again.

    Attributes:
        owner: nobody else finds them,
        num_public: but for so many at the beginning, which are the same for all.
        is_passing: nothing is kept of them elsewhere: they are of one request alone.
    """

    tokens: list[int]
    owner: str = ""
    num_public: int = 0

    @property
    def is_passing(self) -> bool:
        return PASSING in self.owner

    def owner_at(self, place: int) -> str | None:
        return None if place < self.num_public else self.owner

    def key(self, place: int) -> Key:
        return self.owner_at(place), self.tokens[place]

    def end_of_run(self, place: int, end: int) -> int:
        """Where a run that begins there has to end: what is public is not one's own."""
        return min(end, self.num_public) if place < self.num_public else end


class Run:
    """Tokens in a row, between two places where sequences part.

    Attributes:
        end: tokens from the root to the last one here.
        slots: those whose cells they are; at least one, but for the root.
        num_live: how many of them are at work.
        used_at: the larger, the later.
    """

    __slots__ = ("children", "end", "num_live", "owner", "parent", "slots", "tokens", "used_at")

    def __init__(
        self, tokens: list[int], parent: "Run | None" = None, owner: str | None = None
    ) -> None:
        self.tokens = tokens
        self.parent = parent
        self.owner = owner
        self.end: int = len(tokens) + (parent.end if parent else 0)
        self.children: dict[Key, Run] = {}
        self.slots: set[int] = set()
        self.num_live = 0
        self.used_at = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def start(self) -> int:
        return self.end - len(self.tokens)

    @property
    def key(self) -> Key:
        return self.owner, self.tokens[0]

    def upwards(self) -> Iterator["Run"]:
        """This run and those before it, without the root."""
        run = self
        while run.parent is not None:
            yield run
            run = run.parent

    def path(self) -> Path:
        """From the root to the end of this run."""
        runs = list(self.upwards())[::-1]
        tokens = [token for run in runs for token in run.tokens]
        num_public = sum(len(run) for run in runs if run.owner is None)
        return Path(tokens, self.owner or "", num_public)


class RadixTree:
    """Pure structure; what the runs cost and who may be dropped is for `kvcache`."""

    def __init__(self) -> None:
        self.root = Run([])

    def find(self, path: Path, limit: int) -> tuple[Run, int]:
        """Where the longest known beginning of the path ends, and its length, up to `limit`.

        It may end within the run.
        """
        run, length = self.root, 0
        while length < limit:
            child = run.children.get(path.key(length))
            if child is None:
                break
            run = child
            length += common_length(
                child.tokens, path.tokens, length, path.end_of_run(length, limit)
            )
            if length < child.end:
                break
        return run, length

    def split(self, run: Run, end: int) -> Run:
        """Make one of the run's places the end of a run; return that one.

        What comes after it keeps its identity.
        """
        if end == run.end:
            return run
        assert run.parent is not None
        assert run.start < end < run.end
        size = end - run.start
        upper = Run(run.tokens[:size], run.parent, run.owner)
        upper.slots, upper.num_live, upper.used_at = set(run.slots), run.num_live, run.used_at
        run.parent.children[run.key] = upper
        run.tokens, run.parent = run.tokens[size:], upper
        upper.children[run.key] = run
        return upper

    def add(self, parent: Run, tokens: list[int], owner: str | None) -> Run:
        """A new run below; none there begins with the same token."""
        run = Run(tokens, parent, owner)
        assert run.key not in parent.children
        parent.children[run.key] = run
        return run

    def remove(self, run: Run) -> None:
        """Forget a run that has no others below it."""
        assert run.parent is not None
        assert not run.children
        del run.parent.children[run.key]


def common_length(run: list[int], tokens: list[int], start: int, end: int) -> int:
    """How many tokens the run has in common with `tokens[start:end]`, from their first on."""
    length = min(len(run), end - start)
    if run[:length] == tokens[start : start + length]:
        return length
    return next(i for i in range(length) if run[i] != tokens[start + i])
