"""Two hundred people on the chat socket of one server process, and not a word is lost.

bench/sockets.py does the same, and measures how late the words are.
"""

import asyncio

import pytest

from bench.sockets import People, Reader, stored

from .server import Server

NUM_SOCKETS = 200
NUM_WORDS = 60


@pytest.fixture
def hall(tmp_path, gguf):
    """A service with room for all of them at once."""
    server = Server(
        tmp_path,
        {"fake": gguf},
        settings="bench.fake_settings",
        FAKE_STEP_SECONDS="0.05",
        FAKE_SEQUENCES=str(NUM_SOCKETS),
        LLMSITE_SERVER__LOG_LEVEL="warning",
        LLMSITE_SECURITY__ENABLE_AUTH="true",
        LLMSITE_LIMITS__DEFAULT_RATE_LIMIT_PER_MINUTE="0",
    )
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("query", ["", "?html=1"], ids=["text", "with HTML"])
async def test_two_hundred_answers_stream_at_once_and_nothing_is_lost(hall, query):
    start, ready = asyncio.Event(), asyncio.Semaphore(0)
    people = await asyncio.to_thread(People, hall, NUM_SOCKETS)
    readers = [Reader(people, number, NUM_WORDS, query) for number in range(NUM_SOCKETS)]
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(reader.run(start, ready, pause=0.0))
        for _ in readers:
            await ready.acquire()
        start.set()
    kept = stored(hall)

    assert not any(reader.has_gap for reader in readers)
    assert {reader.message: reader.text for reader in readers} == {
        reader.message: kept[reader.message] for reader in readers
    }
    assert all(len(reader.text.split()) == NUM_WORDS for reader in readers)
