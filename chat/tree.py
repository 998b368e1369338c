"""Which message follows which: the shape of a conversation, without its texts."""

from collections import defaultdict
from collections.abc import Mapping


class Tree:
    """Messages by primary key, each with its parent's. Keys grow with time."""

    def __init__(self, parents: Mapping[int, int | None]) -> None:
        self._parents = parents
        self._children: dict[int | None, list[int]] = defaultdict(list)
        for key in sorted(parents):
            self._children[parents[key]].append(key)

    def path(self, last: int | None) -> list[int]:
        """From the first message of the branch to this one."""
        keys: list[int] = []
        while last is not None:
            keys.append(last)
            last = self._parents[last]
        return keys[::-1]

    def siblings(self, key: int) -> list[int]:
        """The message and its alternatives, in the order they were made."""
        return self._children[self._parents[key]]

    def newest_leaf(self, key: int) -> int:
        """Where the branch through this message was left: its latest descendant."""
        newest, found = key, [key]
        while found:
            newest = max(newest, *found)
            found = [child for one in found for child in self._children.get(one, ())]
        return newest
