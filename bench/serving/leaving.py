"""Workloads of people who leave, and of a server that is restarted."""

import asyncio
import random
import time
from statistics import median

from . import prompts
from .alike import continued
from .answer import Answer
from .crowd import Reader, ask, leaving_crowd
from .percentile import percentile
from .question import Question
from .server import Server
from .workload import Measured, Size, measured

WAIT_SECONDS = 0.05  # for the one who waits to have arrived before another leaves
READ_SECONDS = 1.0  # between two people's turns
PROBE_TOKENS = 8


def _probe(rng: random.Random, temperature: float) -> Question:
    """Of one token; more of a model with random weights, half of whose tokens have no text."""
    num_tokens = 16 if temperature else 1
    return Question(prompts.independent(rng, PROBE_TOKENS), num_tokens, temperature=temperature)


async def storm(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(f) People who come and leave at random; then single ones who leave full slots.

    `freed` is from the moment when somebody has left a place to the first text of who has
    waited for one: it contains the computing of a short prompt beside the other answers.
    `idle` is a prompt like that on an idle server, `after`, which is timed, one that comes
    when the whole crowd has just left.
    """
    rng = random.Random(seed)
    idle = median([(await ask(server, _probe(rng, temperature))).ttft for _ in range(5)])
    crowd = [
        Question(prompts.independent(rng, size.prompt), size.answer, temperature=temperature)
        for _ in range(size.count)
    ]
    after: list[Answer] = []
    freed: list[float] = []

    async def load() -> list[Answer]:
        left = await leaving_crowd(server, crowd, rng, size.seconds)
        after.append(await ask(server, _probe(rng, temperature)))
        freed.extend(await _freed(server, size, rng, temperature))
        return [*left, *after]

    result = await measured(server, load)
    result.timed = after
    result.facts.update(idle=idle, after=after[0].ttft)
    for percent in (50, 99):
        result.facts[f"freed p{percent}"] = percentile(freed, percent)
    return result


async def _freed(server: Server, size: Size, rng: random.Random, temperature: float) -> list[float]:
    """Seconds from somebody's leaving to the first text of the one who has waited."""
    prompt = prompts.independent(rng, PROBE_TOKENS)
    endless = Question(prompt, size.answer * 100, temperature=temperature)
    readers = [Reader(server, endless) for _ in range(size.slots)]
    times = []
    try:
        for _ in range(size.repeat):
            readers = [r if not r.is_over else Reader(server, endless) for r in readers]
            for reader in readers:
                await reader.begun()
            waiting = Reader(server, _probe(rng, temperature))
            await asyncio.sleep(WAIT_SECONDS)
            number = rng.randrange(size.slots)
            left_at = time.monotonic()
            readers[number].leave()
            await readers[number].left()
            await waiting.begun()
            times.append(waiting.answer.came_at[0] - left_at)
            await waiting.left()
    finally:
        for reader in readers:
            reader.leave()
            await reader.left()
    return times


async def restart(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(g) The server is restarted, as by an operator, between two turns of `count` long
    conversations. Timed are the second turns, so many of whose tokens are `cached`;
    `recomputed` is what others of their length take that the server has never seen.
    """
    rng = random.Random(seed)
    firsts = [prompts.independent(rng, size.prompt) for _ in range(size.count)]

    def question(messages: tuple[dict[str, str], ...]) -> Question:
        return Question(messages, size.answer, temperature=temperature)

    turns = []
    for messages in firsts:
        turns.append(await ask(server, question(messages)))
        await asyncio.sleep(READ_SECONDS)
    await server.stop()
    await server.start()
    await ask(server, _probe(rng, temperature))  # the model is loaded
    seconds = [question(continued(turn, prompts.words(rng, PROBE_TOKENS))) for turn in turns]

    async def load() -> list[Answer]:
        return [await ask(server, one) for one in seconds]

    result = await measured(server, load)
    result.facts["cached"] = median(answer.cached for answer in result.timed)
    others = [question(prompts.independent(rng, size.prompt)) for _ in seconds]
    result.facts["recomputed"] = median([(await ask(server, q)).ttft for q in others])
    return result
