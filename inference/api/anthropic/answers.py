"""From an engine's answer to Anthropic's messages, whole or as events."""

import uuid
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from inference.admission import Reply
from inference.api.generating import text_of
from inference.runtime import Finish
from inference.thinking import ThinkingSplitter, split_thinking

from .errors import event

PING = event({"type": "ping"})
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "cancelled": "max_tokens"}


async def whole(reply: Reply) -> dict[str, Any]:
    thought, said = split_thinking(await text_of(reply), has_begun=reply.opens_thinking)
    blocks = []
    if thought:
        blocks.append(thinking_block(thought))
    if said:
        blocks.append(text_block(said))
    return message(reply, blocks, ending(reply.finish), usage(reply.finish))


async def events(reply: Reply) -> AsyncGenerator[bytes]:
    """From `message_start` to `message_stop`. Raises as a Reply does."""
    blocks, splitter = Blocks(), ThinkingSplitter(has_begun=reply.opens_thinking)
    try:
        counted = counts(reply.prompt_tokens, 0, 0)
        opening = message(reply, [], {"stop_reason": None, "stop_sequence": None}, counted)
        yield event({"type": "message_start", "message": opening})
        async for piece in reply:
            if not piece.text and not piece.tokens:
                yield PING
            for one in blocks.grown(*splitter.feed(piece.text)):
                yield one
    finally:
        reply.cancel()
    for one in [*blocks.grown(*splitter.finish()), *blocks.closed()]:
        yield one
    delta, used = ending(reply.finish), usage(reply.finish)
    yield event({"type": "message_delta", "delta": delta, "usage": used})
    yield event({"type": "message_stop"})


class Blocks:
    """The events of content that grows: one block after the other, each opened and closed."""

    def __init__(self) -> None:
        self._index = -1
        self._open = ""  # the type of the block that grows

    def grown(self, thought: str, said: str) -> Iterator[bytes]:
        if thought:
            yield from self._opened(thinking_block(""))
            yield self._delta({"type": "thinking_delta", "thinking": thought})
        if said:
            yield from self._opened(text_block(""))
            yield self._delta({"type": "text_delta", "text": said})

    def closed(self) -> Iterator[bytes]:
        if self._open:
            yield event({"type": "content_block_stop", "index": self._index})
        self._open = ""

    def _opened(self, block: dict[str, Any]) -> Iterator[bytes]:
        if self._open == block["type"]:
            return
        yield from self.closed()
        self._index, self._open = self._index + 1, block["type"]
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        yield event(start)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return event({"type": "content_block_delta", "index": self._index, "delta": delta})


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def thinking_block(thinking: str) -> dict[str, Any]:
    """Nobody has to prove later that a model of this service thought it: nothing is signed."""
    return {"type": "thinking", "thinking": thinking, "signature": ""}


def message(
    reply: Reply, content: list[dict[str, Any]], end: dict[str, Any], used: dict[str, int]
) -> dict[str, Any]:
    head = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant"}
    return {**head, "model": reply.model.slug, "content": content, **end, "usage": used}


def ending(finish: Finish) -> dict[str, Any]:
    reason = "stop_sequence" if finish.matched is not None else STOP_REASONS[finish.reason]
    return {"stop_reason": reason, "stop_sequence": finish.matched}


def usage(finish: Finish) -> dict[str, int]:
    used = finish.usage
    return counts(used.prompt_tokens, used.cached_tokens, used.completion_tokens)


def counts(prompt: int, cached: int, written: int) -> dict[str, int]:
    """What came from a cache is counted apart, and not a second time."""
    return {
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": written,
    }
