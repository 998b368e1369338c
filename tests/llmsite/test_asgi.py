"""Idle streams cost no threads, and threads are ready when a crowd comes."""

import asyncio
import threading

from asgiref.sync import sync_to_async

from llmsite.asgi import NUM_THREADS, SharedThreads

NUM_REQUESTS = 5 * NUM_THREADS


async def test_many_requests_share_a_few_threads_and_each_keeps_to_one():
    seen: list[set[int]] = []
    are_all_idle = asyncio.Event()

    async def application(scope, receive, send):
        threads = {await sync_to_async(threading.get_ident)()}
        seen.append(threads)
        if len(seen) == NUM_REQUESTS:
            are_all_idle.set()
        await are_all_idle.wait()  # as a stream that has nothing to say
        threads.add(await sync_to_async(threading.get_ident)())

    shared = SharedThreads(application)
    await asyncio.gather(*(shared({}, None, None) for _ in range(NUM_REQUESTS)))
    assert [len(threads) for threads in seen] == [1] * NUM_REQUESTS
    assert len(set.union(*seen)) == NUM_THREADS


async def test_every_thread_is_prepared_once_there_is_a_request():
    prepared = []

    async def application(scope, receive, send):
        pass

    shared = SharedThreads(application, prepare=lambda: prepared.append(threading.get_ident()))
    await shared({}, None, None)
    await shared({}, None, None)
    await shared._preparing
    assert len(set(prepared)) == len(prepared) == NUM_THREADS
