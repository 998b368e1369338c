"""What takes long to render is rendered apart, a little at a time for all people together."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

NUM_THREADS = 2  # no more: they compute, and the event loop needs the interpreter as much

_threads = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="rendering")


async def apart(render: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call it on one of the threads; it may use the database."""
    render_apart = database_sync_to_async(render, thread_sensitive=False, executor=_threads)
    return await render_apart(*args, **options)


def close_connections() -> None:
    """Those of the threads to the database; each thread takes one of the tasks."""
    everybody = threading.Barrier(NUM_THREADS)

    def close() -> None:
        everybody.wait()
        connections.close_all()

    wait([_threads.submit(close) for _ in range(NUM_THREADS)])
