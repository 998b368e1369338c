"""From an engine's answer to Anthropic's messages, whole or as events."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

from inference.admission import Reply
from inference.api.reading import ChatReader
from inference.runtime import Finish

from .blocks import Blocks
from .errors import event

PING = event({"type": "ping"})
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


async def whole(reply: Reply, reader: ChatReader) -> dict[str, Any]:
    blocks = Blocks()
    async for piece in reply:
        blocks.grow(reader.feed(piece))
    blocks.grow(reader.finish())
    return message(reply, blocks.made(), ending(reply.finish, reader), usage(reply.finish))


async def events(reply: Reply, reader: ChatReader) -> AsyncGenerator[bytes]:
    """From `message_start` to `message_stop`. Raises as a Reply does."""
    blocks = Blocks()
    try:
        counted = counts(reply.prompt_tokens, 0, 0)
        opening = message(reply, [], {"stop_reason": None, "stop_sequence": None}, counted)
        yield event({"type": "message_start", "message": opening})
        async for piece in reply:
            if not piece.text and not piece.tokens:
                yield PING
            for one in blocks.grow(reader.feed(piece)):
                yield event(one)
    finally:
        reply.cancel()
    for one in [*blocks.grow(reader.finish()), *blocks.close()]:
        yield event(one)
    delta, used = ending(reply.finish, reader), usage(reply.finish)
    yield event({"type": "message_delta", "delta": delta, "usage": used})
    yield event({"type": "message_stop"})


def message(
    reply: Reply, content: list[dict[str, Any]], end: dict[str, Any], used: dict[str, int]
) -> dict[str, Any]:
    head = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant"}
    return {**head, "model": reply.model.slug, "content": content, **end, "usage": used}


def ending(finish: Finish, reader: ChatReader) -> dict[str, Any]:
    reason = STOP_REASONS[reader.finish_reason(finish)]
    if finish.matched is not None and reason == "end_turn":
        return {"stop_reason": "stop_sequence", "stop_sequence": finish.matched}
    return {"stop_reason": reason, "stop_sequence": None}


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
