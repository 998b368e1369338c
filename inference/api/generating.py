"""Runs the choices of one answer, whole or as a stream."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from inference import admission
from inference.admission import Asker, Reply
from inference.runtime import Finish, Piece, SamplingParams

from .answers import ChatAnswer, TextAnswer, timings
from .choices import Selection, Written, seeded
from .sse import DONE, HEADERS_ONLY, KEEPALIVE, frame


async def submitted(
    asker: Asker,
    model: str,
    prompts: Iterable[dict[str, Any]],
    params: SamplingParams,
    num_each: int = 1,
    **more: Any,
) -> list[Reply]:
    """Queue so many choices for every prompt, or none. Raises as `admission.generate` does."""
    choices: list[Reply] = []
    try:
        for prompt in prompts:
            several = [seeded(params, index) for index in range(num_each)]
            choices += await admission.generate_several(asker, model, several, **prompt, **more)
    except BaseException:
        _cancel(choices)
        raise
    return choices


def _cancel(choices: Iterable[Reply]) -> None:
    for choice in choices:
        choice.cancel()


async def whole(
    answer: ChatAnswer | TextAnswer, choices: Sequence[Reply], selection: Selection
) -> dict[str, Any]:
    """The complete answer; if one choice fails, or the client leaves, none goes on."""
    try:
        written = await asyncio.gather(*map(_written, choices))
    finally:
        _cancel(choices)
    kept = enumerate(selection.best(written))
    made = [answer.choice(index, one.pieces, one.finish) for index, one in kept]
    return answer.whole(made, [one.finish for one in written])


async def _written(choice: Reply) -> Written:
    pieces = [piece async for piece in choice]
    return Written(pieces, choice.finish)


async def text_of(choice: Reply) -> str:
    return "".join([piece.text async for piece in choice])


async def chunks(
    answer: ChatAnswer | TextAnswer, choices: Sequence[Reply], *, with_usage: bool
) -> AsyncGenerator[bytes]:
    """The frames of a stream, from the opening chunk to `[DONE]`. Raises as a Reply does."""
    try:
        openings = [answer.opening(index) for index in range(len(choices))]
        yield b"".join(frame(opening) for opening in openings if opening) or HEADERS_ONLY
        async with aclosing(_merged(choices)) as pieces:
            async for index, piece in pieces:
                if piece is None:
                    for chunk in _endings(answer, index, choices[index].finish):
                        yield frame(chunk)
                elif piece.text or piece.logprobs:
                    for chunk in answer.deltas(index, piece):
                        yield frame(chunk)
                elif not piece.tokens:
                    yield KEEPALIVE
    finally:
        _cancel(choices)
    if with_usage:
        yield frame(answer.chunk([], usage=answer.usage([choice.finish for choice in choices])))
    yield DONE


def _endings(answer: ChatAnswer | TextAnswer, index: int, finish: Finish) -> list[dict[str, Any]]:
    *rest, last = answer.endings(index, finish)
    return [*rest, {**last, "timings": timings([finish])}]


async def _merged(
    choices: Sequence[Reply],
) -> AsyncGenerator[tuple[int, Piece | None]]:
    """Pieces of all choices as they come; None where a choice ends."""
    if len(choices) == 1:
        async for piece in choices[0]:
            yield 0, piece
        yield 0, None
        return
    ready: asyncio.Queue[tuple[int, Piece | None] | Exception] = asyncio.Queue(maxsize=1)
    pumps = [asyncio.create_task(_pump(i, c, ready)) for i, c in enumerate(choices)]
    left = len(pumps)
    try:
        while left:
            item = await ready.get()
            if isinstance(item, Exception):
                raise item
            left -= item[1] is None
            yield item
    finally:
        for pump in pumps:
            pump.cancel()


async def _pump(
    index: int,
    choice: Reply,
    ready: "asyncio.Queue[tuple[int, Piece | None] | Exception]",
) -> None:
    try:
        async for piece in choice:
            await ready.put((index, piece))
        await ready.put((index, None))
    except Exception as error:
        await ready.put(error)
