"""What proxies say of a request, believed only if `server.trusted_proxies` has them.

Django and its apps read these headers from anybody. So what nobody trusted has sent
does not reach them, whatever the ASGI server.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from accounts.addresses import is_trusted_proxy

Application = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SCHEMES = {"http": {b"http": "http", b"https": "https"}}
SCHEMES["websocket"] = {b"http": "ws", b"https": "wss", b"ws": "ws", b"wss": "wss"}


class BelievedProxies:
    """Gives the application its `scheme`, and forwarded headers of trusted proxies only."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in SCHEMES:
            scope = _believed(scope)
        await self._application(scope, receive, send)


def _believed(scope: dict[str, Any]) -> dict[str, Any]:
    peer, *_ = scope.get("client") or [""]
    headers: Headers = list(scope["headers"])
    if not is_trusted_proxy(peer):
        headers = [header for header in headers if not _is_forwarded(header[0])]
    return {**scope, "headers": headers, "scheme": _scheme(scope, headers)}


def _is_forwarded(name: bytes) -> bool:
    name = name.lower()
    return name.startswith(b"x-forwarded-") or name in (b"forwarded", b"x-real-ip")


def _scheme(scope: dict[str, Any], headers: Headers) -> str:
    """What the trusted proxy says; if there is none, what people are told to open.

    The last value is the proxy's own, what stands before it may be the client's.
    """
    known = SCHEMES[scope["type"]]
    said = [value for name, value in headers if name.lower() == b"x-forwarded-proto"]
    scheme = known.get(said[-1].rpartition(b",")[2].strip().lower()) if said else None
    if scheme is None and settings.CONFIG.server.public_url.startswith("https:"):
        scheme = known[b"https"]
    return scheme or scope.get("scheme") or known[b"http"]
