"""Asks the reference what the model writes alone, and compares answers with that."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .answer import Answer
from .comparison import Step, Tally, compare
from .question import Question
from .server import BenchError
from .setup import ROOT, Setup


def sample(answers: Sequence[Answer], most: int | None) -> list[Answer]:
    """The answers to compare: whole ones at temperature 0, `most` of them or all (None)."""
    whole = [
        answer
        for answer in answers
        if answer.question.temperature == 0 and answer.tokens == answer.question.max_tokens
    ]
    if most is None or len(whole) <= most:
        return whole
    return random.Random(0).sample(whole, most)


async def tallies(
    setup: Setup, answers: Mapping[str, Sequence[Answer]], tie: float
) -> dict[str, Tally]:
    """How the answers of each server compare; what was asked twice is written once."""
    asked = list(dict.fromkeys(_key(a.question) for got in answers.values() for a in got))
    if not asked:
        return {}
    alone = dict(zip(asked, await asyncio.to_thread(_written, setup, asked), strict=True))
    tallies = {}
    for label, got in answers.items():
        if got:
            tallies[label] = tally = Tally()
            for answer in got:
                tally.add(*compare(answer.text, alone[_key(answer.question)], tie))
    return tallies


def _key(question: Question) -> str:
    return json.dumps([list(question.messages), question.max_tokens])


def _written(setup: Setup, asked: Sequence[str]) -> list[list[Step]]:
    pairs: list[Any] = [json.loads(key) for key in asked]
    job = {
        "model": str(setup.model),
        "device": setup.device,
        "threads": setup.threads,
        "questions": [{"messages": m, "max_tokens": n} for m, n in pairs],
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.serving.reference"],
        input=json.dumps(job),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"what the model writes alone is not known:\n{done.stderr[-2000:]}")
    return [[Step.of(step) for step in steps] for steps in json.loads(done.stdout)]
