"""Workloads of two people of whom one asks for much more than the other."""

import asyncio
import random
import time
from statistics import median

from . import prompts
from .answer import Answer
from .crowd import ask, ask_all, busy
from .question import Question
from .server import BenchError, Server
from .workload import Measured, Size, measured

MANY, ONE = "alice", "bob"
IDLE_TRIES = 5
BEGIN_SECONDS = 300.0


def _question(rng: random.Random, size: Size, owner: str, temperature: float) -> Question:
    messages = prompts.independent(rng, size.prompt)
    return Question(messages, size.answer, owner, temperature, seed=rng.randrange(1000))


async def flood(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(d) One owner asks `count` questions at once, another asks `repeat` later, one by one.

    Timed are the other's, and `idle` is what they take when nobody else asks.
    """
    rng = random.Random(seed)
    few = [_question(rng, size, ONE, temperature) for _ in range(size.repeat + IDLE_TRIES)]
    many = [_question(rng, size, MANY, temperature) for _ in range(size.count)]
    idle = [(await ask(server, question)).ttft for question in few[:IDLE_TRIES]]
    single: list[Answer] = []

    async def load() -> list[Answer]:
        flooding = asyncio.create_task(ask_all(server, many))
        await asyncio.sleep(size.seconds)
        for question in few[IDLE_TRIES:]:
            if not flooding.done():
                single.append(await ask(server, question))
        return [*await flooding, *single]

    result = await measured(server, load)
    if not single:
        raise BenchError("all answers were there before the other owner asked")
    result.timed = single
    result.facts["idle"] = median(idle)
    return result


async def share(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(h) Two owners who both ask for more than there is, one three times as much.

    `share` is the part of the tokens that this one gets of both.
    """
    rng = random.Random(seed)

    def questions(owner: str) -> list[Question]:
        return [_question(rng, size, owner, temperature) for _ in range(size.count)]

    shares: list[float] = []

    async def load() -> list[Answer]:
        async with (
            busy(server, questions(MANY), 3 * size.slots) as much,
            busy(server, questions(ONE), size.slots) as less,
        ):
            await _begun(much, less)
            start = time.monotonic()
            await asyncio.sleep(size.seconds)
            ours, theirs = num_since(much, start), num_since(less, start)
            shares.append(ours / max(1, ours + theirs))
        return [answer for answer in (*much, *less) if answer.came_at]

    result = await measured(server, load)
    result.facts["share"] = shares[0]
    return result


async def _begun(*crowds: list[Answer]) -> None:
    """Until each has got something; if somebody was refused, `busy` says so at its end."""
    try:
        async with asyncio.timeout(BEGIN_SECONDS):
            while not all(any(a.came_at for a in crowd) for crowd in crowds):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BenchError(f"an owner has got nothing for {BEGIN_SECONDS:g} s") from None


def num_since(answers: list[Answer], start: float) -> int:
    """Pieces that came after that time: their readers leave, so nobody counts the tokens."""
    return sum(came > start for answer in answers for came in answer.came_at)
