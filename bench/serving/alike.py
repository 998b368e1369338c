"""Workloads of people who ask independently, share a prompt, come back, or edit texts."""

import random

from . import prompts
from .answer import Answer
from .crowd import ask_all, ask_in_turn
from .question import Question
from .server import Server
from .workload import Measured, Size, measured


async def independent(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(a) `count` prompts that share nothing, as many at a time as there are slots."""
    rng = random.Random(seed)
    questions = [
        Question(
            prompts.independent(rng, size.prompt), size.answer, temperature=temperature, seed=n
        )
        for n in range(size.count)
    ]
    return await measured(server, lambda: ask_in_turn(server, questions, size.slots))


async def shared_prompt(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(b) `count` people ask at once, all under one long system prompt that is new."""
    rng = random.Random(seed)
    rules = prompts.system(prompts.words(rng, size.system))
    questions = [
        Question(
            (rules, prompts.user(prompts.words(rng, size.prompt))),
            size.answer,
            temperature=temperature,
            seed=n,
        )
        for n in range(size.count)
    ]
    return await measured(server, lambda: ask_all(server, questions))


async def conversations(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(c) `count` conversations, more than there are slots, each taken up again when all the
    others have had their turn, `repeat` times. Only turns after the first are timed.
    """
    rng = random.Random(seed)
    histories = [prompts.independent(rng, size.prompt) for _ in range(size.count)]
    answers: list[Answer] = []

    async def load() -> list[Answer]:
        for turn in range(1 + size.repeat):
            order = rng.sample(range(size.count), size.count)
            questions = [
                Question(histories[n], size.answer, temperature=temperature, seed=turn)
                for n in order
            ]
            got = await ask_in_turn(server, questions, size.slots)
            answers.extend(got)
            for n, answer in zip(order, got, strict=True):
                histories[n] = continued(answer, prompts.words(rng, size.prompt // 4))
        return answers

    result = await measured(server, load)
    result.timed = answers[size.count :]
    return result


def continued(answer: Answer, text: str) -> tuple[dict[str, str], ...]:
    """The conversation's next turn, after the answer that the server really gave."""
    said = prompts.assistant(answer.text)
    return (*answer.question.messages, said, prompts.user(text))


EDITS = (
    "Write the text again, word for word, without a change.",
    "Write the text again, and put a comma after the first word of each sentence.",
    "List the sentences of the text, each on a line of its own, just as they are.",
)


async def repeating(server: Server, size: Size, seed: int, temperature: float) -> Measured:
    """(e) Answers that have to repeat what they were given; always the likeliest token."""
    rng = random.Random(seed)
    questions = [
        Question(
            (prompts.user(f"{prompts.words(rng, size.prompt)}\n\n{EDITS[n % len(EDITS)]}"),),
            size.answer,
        )
        for n in range(size.count)
    ]
    return await measured(server, lambda: ask_in_turn(server, questions, size.slots))
