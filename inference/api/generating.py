"""Runs the choices of one answer, whole or as a stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from inference.runtime import EngineError, Finish, Generation, Piece

from .answers import ChatAnswer, TextAnswer, timings, usage
from .errors import engine_error
from .sse import DONE, KEEPALIVE, frame


async def whole(answer: ChatAnswer | TextAnswer, choices: Sequence[Generation]) -> dict[str, Any]:
    """The complete answer; leaving before it is complete cancels all choices."""
    texts = await asyncio.gather(*map(_text, choices))
    finishes = [choice.finish for choice in choices]
    made = [answer.choice(i, t, f) for i, (t, f) in enumerate(zip(texts, finishes, strict=True))]
    return answer.whole(made, finishes)


async def _text(generation: Generation) -> str:
    return "".join([piece.text async for piece in generation])


async def chunks(
    answer: ChatAnswer | TextAnswer, choices: Sequence[Generation], *, with_usage: bool
) -> AsyncIterator[bytes]:
    """The frames of a stream, from the opening chunk to `[DONE]`, or to an error."""
    if opening := answer.opening():
        yield frame(opening)
    try:
        async with aclosing(_merged(choices)) as pieces:
            async for index, piece in pieces:
                if piece is None:
                    yield frame(_closing(answer, index, choices[index].finish))
                elif piece.text:
                    yield frame(answer.delta(index, piece.text))
                elif not piece.tokens:
                    yield KEEPALIVE
    except EngineError as error:
        # The status line has gone out already: the error travels as an event.
        yield frame(engine_error(error)[1])
        return
    if with_usage:
        yield frame(answer.chunk([], usage=usage([choice.finish for choice in choices])))
    yield DONE


def _closing(answer: ChatAnswer | TextAnswer, index: int, finish: Finish) -> dict[str, Any]:
    return {**answer.closing(index, finish), "timings": timings([finish])}


async def _merged(
    choices: Sequence[Generation],
) -> AsyncGenerator[tuple[int, Piece | None]]:
    """Pieces of all choices as they come; None where a choice ends."""
    if len(choices) == 1:
        async for piece in choices[0]:
            yield 0, piece
        yield 0, None
        return
    ready: asyncio.Queue[tuple[int, Piece | None] | EngineError] = asyncio.Queue(maxsize=1)
    pumps = [asyncio.create_task(_pump(i, c, ready)) for i, c in enumerate(choices)]
    left = len(pumps)
    try:
        while left:
            item = await ready.get()
            if isinstance(item, EngineError):
                raise item
            left -= item[1] is None
            yield item
    finally:
        for pump in pumps:
            pump.cancel()


async def _pump(
    index: int,
    generation: Generation,
    ready: "asyncio.Queue[tuple[int, Piece | None] | EngineError]",
) -> None:
    try:
        async for piece in generation:
            await ready.put((index, piece))
        await ready.put((index, None))
    except EngineError as error:
        await ready.put(error)
