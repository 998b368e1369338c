"""Many people asking at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from .answer import Answer, read
from .question import Question
from .server import Server


async def ask(server: Server, question: Question) -> Answer:
    return await read(question, server.ask(question))


async def ask_all(server: Server, questions: Iterable[Question]) -> list[Answer]:
    """All at once; the answers in the questions' order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(server, question)) for question in questions]
    return [task.result() for task in tasks]


async def ask_in_turn(
    server: Server, questions: Sequence[Question], num_people: int
) -> list[Answer]:
    """So many people take the next question whenever they have an answer."""
    answers: dict[int, Answer] = {}
    waiting = iter(enumerate(questions))

    async def person() -> None:
        for number, question in waiting:
            answers[number] = await ask(server, question)

    async with asyncio.TaskGroup() as group:
        for _ in range(num_people):
            group.create_task(person())
    return [answers[number] for number in range(len(questions))]


class Reader:
    """One who reads an answer until told to leave."""

    def __init__(self, server: Server, question: Question) -> None:
        self.answer = Answer(question, time.monotonic())
        self.has_begun = asyncio.Event()
        self._task = asyncio.create_task(self._run(server, question))

    async def _run(self, server: Server, question: Question) -> None:
        pieces = server.ask(question)
        try:
            async for piece in pieces:
                self.answer.take(piece, time.monotonic())
                if self.answer.came_at:
                    self.has_begun.set()
        finally:
            self.has_begun.set()
            await pieces.aclose()  # type: ignore[attr-defined]  # it is a generator

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def begun(self) -> None:
        """Until there is text. A refusal is raised here."""
        await self.has_begun.wait()
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    def leave(self) -> None:
        self._task.cancel()

    async def left(self) -> None:
        """Until the answer is over, or its reader has left. A refusal is raised here."""
        await asyncio.wait([self._task])  # whoever waits can be cancelled, too
        if not self._task.cancelled():
            self._task.result()


async def leaving_crowd(
    server: Server, questions: Sequence[Question], rng: random.Random, longest: float
) -> list[Answer]:
    """People who come within `longest` seconds, and leave within as many again; what those
    have got by then who have got something.
    """
    answers: list[Answer] = []

    async def person(question: Question, comes: float, stays: float) -> None:
        await asyncio.sleep(comes)
        reader = Reader(server, question)
        await asyncio.sleep(stays)
        reader.leave()
        await reader.left()
        answers.append(reader.answer)

    async with asyncio.TaskGroup() as group:
        for question in questions:
            group.create_task(person(question, rng.random() * longest, rng.random() * longest))
    return [answer for answer in answers if answer.came_at]


@asynccontextmanager
async def busy(
    server: Server, questions: Iterable[Question], num_people: int
) -> AsyncIterator[list[Answer]]:
    """So many people ask without end meanwhile, and then all leave; what they have got."""
    answers: list[Answer] = []

    async def person() -> None:
        for question in source:
            reader = Reader(server, question)
            answers.append(reader.answer)
            try:
                await reader.left()
            finally:
                reader.leave()

    source = iter(questions)
    people = [asyncio.create_task(person()) for _ in range(num_people)]
    try:
        yield answers
    finally:
        for task in people:
            task.cancel()
        results = await asyncio.gather(*people, return_exceptions=True)
        failures = [r for r in results if isinstance(r, Exception)]
        if failures:
            raise failures[0]
