"""A server that is a script: it says what it is told to, when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from bench.serving.question import Piece, Question
from bench.serving.server import BenchError, Server
from bench.serving.setup import Setup

STEP_SECONDS = 0.001


def make_setup(folder: Path, **fields) -> Setup:
    given = {"slots": 2, "context": 512, "cells": 1024, "threads": 2, "device": "cpu"}
    return Setup(**{"model": Path("/m.gguf"), "repack": True, "folder": folder, **given, **fields})


class ScriptedServer(Server):
    """Says `words` tokens, `slots` answers at once; remembers who asked and who left."""

    name = "scripted"
    has_owners = True
    fails = False

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.asked: list[Question] = []
        self.num_left = 0
        self.num_starts = 0
        self._slots = asyncio.Semaphore(setup.slots)

    async def start(self) -> None:
        self.num_starts += 1

    async def stop(self) -> None:
        pass

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process()]

    async def ask(self, question: Question) -> AsyncIterator[Piece]:
        self.asked.append(question)
        if self.fails:
            raise BenchError("it fails")
        is_whole = False
        try:
            async with self._slots:
                for number in range(question.max_tokens):
                    await asyncio.sleep(STEP_SECONDS)
                    yield Piece(f"w{number} ")
                yield Piece(tokens=question.max_tokens)
                is_whole = True
        finally:
            self.num_left += not is_whole
