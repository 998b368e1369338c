"""One sender and many readers, who come when they like."""

import asyncio

from inference.api.broadcast import Broadcast


async def all_of(reader):
    return [part async for part in reader]


async def test_a_late_reader_gets_everything():
    parts = Broadcast(100)
    parts.send(b"a")
    parts.send(b"b")
    parts.end()
    assert await all_of(parts.reader()) == [b"a", b"b"]
    assert parts.body() == b"ab"


async def test_readers_get_what_comes_as_it_comes():
    parts = Broadcast(100)
    parts.send(b"a")
    one, other = parts.reader(), parts.reader()
    assert (await anext(one), await anext(other)) == (b"a", b"a")
    waiting = [asyncio.create_task(anext(reader)) for reader in (one, other)]
    await asyncio.sleep(0)  # both wait now
    parts.send(b"b")
    assert await asyncio.gather(*waiting) == [b"b", b"b"]


async def test_the_end_is_told_to_those_who_wait():
    parts = Broadcast(100)
    reading = asyncio.create_task(all_of(parts.reader()))
    await asyncio.sleep(0)
    parts.end()
    assert await reading == []


async def test_an_empty_part_is_a_part():
    parts = Broadcast(0)
    parts.send(b"")
    parts.end()
    assert await all_of(parts.reader()) == [b""]


async def test_beyond_the_limit_nobody_begins_and_nobody_misses_anything():
    parts = Broadcast(2)
    parts.send(b"ab")
    assert parts.is_kept
    reader = parts.reader()
    parts.send(b"c")
    parts.end()
    assert (parts.is_kept, parts.body()) == (False, None)
    assert await all_of(reader) == [b"ab", b"c"]
