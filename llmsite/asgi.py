"""What an ASGI server runs: HTTP to Django, sockets to the chat."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import cycle
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.db import DatabaseError, connection

from .api_handler import ApiHandler, ByPath
from .proxies import BelievedProxies

Application = Callable[[Any, Any, Any], Awaitable[None]]

NUM_THREADS = 16


class SharedThreads:
    """Runs the synchronous code of all requests on a few threads, one thread a request.

    Left to itself Django starts a thread for each request and keeps it to the end of
    the answer: a thousand idle streams would be a thousand threads.
    """

    def __init__(self, application: Application, prepare: Callable[[], None] | None = None) -> None:
        """`prepare` runs on every thread as soon as there is a request, not first when it has
        one of its own: a crowd does not wait for as many connections to the database.
        """
        self._application = application
        # Each stands for a thread: asgiref makes it when it is first needed.
        self._threads = [ThreadSensitiveContext() for _ in range(NUM_THREADS)]
        self._next_thread = cycle(self._threads)
        self._prepare = prepare
        self._preparing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._prepare and self._preparing is None:
            self._preparing = asyncio.create_task(self._prepared(self._prepare))
        # A context that is set already is what Django's handler then uses.
        token = SyncToAsync.thread_sensitive_context.set(next(self._next_thread))
        try:
            await self._application(scope, receive, send)
        finally:
            SyncToAsync.thread_sensitive_context.reset(token)

    async def _prepared(self, prepare: Callable[[], None]) -> None:
        for thread in self._threads:
            SyncToAsync.thread_sensitive_context.set(thread)  # of this task
            await sync_to_async(prepare)()


def open_connection() -> None:
    """Whoever needs it hears of its errors."""
    with suppress(DatabaseError):
        connection.ensure_connection()


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmsite.settings")

pages = get_asgi_application()  # sets Django up; what follows needs that

from .sockets import sockets  # noqa: E402

router = ProtocolTypeRouter({"http": ByPath(ApiHandler(), pages), "websocket": sockets})
application = BelievedProxies(SharedThreads(router, prepare=open_connection))
