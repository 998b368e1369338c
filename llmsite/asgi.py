"""What an ASGI server runs: HTTP to Django, sockets to the chat."""

import os
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from .api_handler import ApiHandler, ByPath
from .proxies import BelievedProxies

Application = Callable[[Any, Any, Any], Awaitable[None]]

NUM_THREADS = 16


class SharedThreads:
    """Runs the synchronous code of all requests on a few threads, one thread a request.

    Left to itself Django starts a thread for each request and keeps it to the end of
    the answer: a thousand idle streams would be a thousand threads.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        # Each stands for a thread: asgiref makes it when it is first needed.
        self._contexts = cycle([ThreadSensitiveContext() for _ in range(NUM_THREADS)])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # A context that is set already is what Django's handler then uses.
        token = SyncToAsync.thread_sensitive_context.set(next(self._contexts))
        try:
            await self._application(scope, receive, send)
        finally:
            SyncToAsync.thread_sensitive_context.reset(token)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmsite.settings")

pages = get_asgi_application()  # sets Django up; what follows needs that

from .sockets import sockets  # noqa: E402

application = BelievedProxies(
    ProtocolTypeRouter(
        {
            "http": SharedThreads(ByPath(ApiHandler(), pages)),
            "websocket": SharedThreads(sockets),
        }
    )
)
