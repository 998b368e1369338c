"""A foreign tree of messages, made to one of ours: whatever its links are like."""

from collections import defaultdict
from collections.abc import Sized
from dataclasses import dataclass

from .base import DraftMessage, Leavings
from .errors import BadFile
from .words import gettext_noop, say
from .words import say as _

MAX_NODES = 50_000  # of a conversation, those among them that are not imported


@dataclass(slots=True)
class Node:
    """A place in the tree; without `message` there is nothing to import at it."""

    parent: str | None
    message: DraftMessage | None


def check_number(messages: Sized, place: str) -> None:
    """
    Raises:
        BadFile: there are more in the conversation than it may have.
    """
    if len(messages) > MAX_NODES:
        sentence = gettext_noop("%(place)s: its messages: %(count)s are more than %(most)s.")
        raise BadFile(say(sentence, place=place, count=len(messages), most=MAX_NODES))


class Nodes:
    """The nodes of one conversation, in the order of its file."""

    def __init__(self, nodes: dict[str, Node], place: str, left: Leavings) -> None:
        self._nodes, self._place, self._left = nodes, place, left
        self._cut_circles()

    def messages(self) -> list[DraftMessage]:
        """Those that there are, parents before children, siblings as they were."""
        children: dict[str | None, list[DraftMessage]] = defaultdict(list)
        for node in self._nodes.values():
            if node.message:
                node.message.parent = self._nearest(node.parent)
                children[node.message.parent].append(node.message)
        ordered, waiting = [], children[None][::-1]
        while waiting:
            ordered.append(waiting.pop())
            waiting += children[ordered[-1].key][::-1]
        return ordered

    def head(self, key: object) -> str | None:
        """The message there, or the nearest before it."""
        return self._nearest(key if isinstance(key, str) else None)

    def _nearest(self, key: str | None) -> str | None:
        """Each node is passed once: who has passed it knows where it leads."""
        path: list[str] = []
        while key is not None and (node := self._nodes.get(key)) and not node.message:
            path.append(key)
            key = node.parent
        found = key if key in self._nodes else None
        for one in path:
            self._nodes[one].parent = found
        return found

    def _cut_circles(self) -> None:
        """Where a message follows itself, by whatever way, it follows nothing instead."""
        safe: set[str] = set()
        for start in self._nodes:
            path: dict[str, None] = {}
            key: str | None = start
            while key is not None and key not in safe and key not in path:
                path[key] = None
                key = self._parent_of(key)
            if key in path:
                assert key is not None
                self._nodes[key].parent = None
                self._left.add(_("a link in a circle of messages"), f"{self._place}, {key}")
            safe.update(path)

    def _parent_of(self, key: str) -> str | None:
        """None, and said, if it is not there."""
        node = self._nodes[key]
        if node.parent is not None and node.parent not in self._nodes:
            self._left.add(_("a link to a message that is missing"), f"{self._place}, {key}")
            node.parent = None
        return node.parent
