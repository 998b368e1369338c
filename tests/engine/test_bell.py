import asyncio

from inference.engine.bell import Bell

LONG = 1000.0


async def test_whoever_waits_hears_it():
    bell = Bell(LONG)
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    bell.ring()

    assert await waiting


async def test_a_silence_ends_the_wait():
    bell = Bell(0.001)
    assert not await bell.wait()
    assert not await bell.wait()


async def test_a_ring_begins_the_silence_anew():
    """The timer of the first wait is due during the second."""
    bell, loop = Bell(0.05), asyncio.get_running_loop()
    loop.call_later(0.01, bell.ring)
    assert await bell.wait()
    began = loop.time()

    assert not await bell.wait()
    assert loop.time() - began >= 0.04


async def test_nobody_hears_what_rang_before():
    bell = Bell(0.001)
    bell.ring()
    assert not await bell.wait()


async def test_who_has_left_is_not_missed():
    bell = Bell(0.01)
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    bell.ring()

    assert waiting.cancelled()
    assert not await bell.wait()


async def test_of_one_that_is_closed_no_timer_is_left():
    bell = Bell(LONG)
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    bell.ring()
    await waiting
    bell.close()

    assert bell._timer is None
