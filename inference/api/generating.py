"""Runs the choices of one answer, whole or as a stream."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from inference import admission
from inference.admission import Asker, Reply
from inference.runtime import Finish, Piece, Progress, SamplingParams

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
    started: dict[int, float] = {}  # when a choice's prompt was first reported
    try:
        openings = [answer.opening(index) for index in range(len(choices))]
        yield b"".join(frame(opening) for opening in openings if opening) or HEADERS_ONLY
        async with aclosing(_merged(choices)) as pieces:
            async for index, piece in pieces:
                if piece is None:
                    for chunk in _endings(answer, index, choices[index].finish):
                        yield frame(chunk)
                elif piece.text or piece.logprobs or piece.scores:
                    for chunk in _deltas(answer, index, piece):
                        yield frame(chunk)
                elif piece.progress and piece.progress.kind == "prefill":
                    since = started.setdefault(index, time.monotonic())
                    yield frame(_progress(answer, index, piece.progress, since))
                elif not piece.tokens:
                    yield KEEPALIVE
    finally:
        _cancel(choices)
    if with_usage:
        yield frame(answer.chunk([], usage=answer.usage([choice.finish for choice in choices])))
    yield DONE


def _deltas(answer: ChatAnswer | TextAnswer, index: int, piece: Piece) -> list[dict[str, Any]]:
    chunks = answer.deltas(index, piece)
    if piece.so_far and chunks:
        chunks[-1]["timings"] = timings([piece.so_far])
    return chunks


def _progress(
    answer: ChatAnswer | TextAnswer, index: int, progress: Progress, since: float
) -> dict[str, Any]:
    """How far the prompt is, as llama-server says it."""
    told = {
        "total": progress.total,
        "cache": progress.cached,
        "processed": progress.done,
        "time_ms": round((time.monotonic() - since) * 1e3),
    }
    return answer.chunk([answer.nothing(index)], prompt_progress=told)


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
