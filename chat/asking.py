"""Who asks over a socket, and for what the ledger remembers them."""

from contextlib import suppress
from uuid import uuid4

from channels.db import database_sync_to_async
from django.http import HttpRequest
from redis.exceptions import RedisError

from accounts import rates
from accounts.addresses import client_address
from accounts.callers import Caller
from accounts.errors import LimitReached
from accounts.sockets import caller_of_socket
from inference.admission import Asker

ENDPOINT = "chat"  # as policies and the ledger call it


async def let_in(request: HttpRequest) -> Caller:
    """Whoever asks, as far as they may now.

    Raises:
        NotLetIn, Forbidden: see `caller_of_socket`.
    """
    return await database_sync_to_async(caller_of_socket)(request, ENDPOINT)


async def count(caller: Caller, request: HttpRequest) -> None:
    """Count what starts an answer as a request of theirs.

    Raises:
        LimitReached: it is one too many.
        RedisError: nobody counts.
    """
    await database_sync_to_async(_count)(caller, request)


async def count_stranger(request: HttpRequest) -> None:
    """One that is not let in counts for its address, as far as anybody counts."""
    with suppress(LimitReached, RedisError):
        await database_sync_to_async(_count)(None, request)


def _count(caller: Caller | None, request: HttpRequest) -> None:
    for _ in rates.count(rates.limits_of(caller, request), request):
        pass


def asker_of(caller: Caller, request: HttpRequest) -> Asker:
    return Asker(
        caller,
        ENDPOINT,
        request_id=f"req_{uuid4().hex}",
        address=client_address(request),
        client=request.headers.get("user-agent", ""),
    )
