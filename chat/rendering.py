"""What takes long to render is rendered apart, a little at a time for all people together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

# No more: they compute, and the event loop needs the interpreter as much.
_threads = ThreadPoolExecutor(2, thread_name_prefix="rendering")


async def apart(render: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call it on one of the threads; it may use the database."""
    render_apart = database_sync_to_async(render, thread_sensitive=False, executor=_threads)
    return await render_apart(*args, **options)
