import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connections

from accounts.models import User
from chat import guarded
from chat.models import Conversation

from .socket import Socket


@pytest.fixture(autouse=True)
def _locks_end_with_their_loop():
    """channels_redis keeps that of one who was cancelled while they waited for it, and a lock
    is of one event loop.
    """
    yield
    if locks := getattr(get_channel_layer(), "receive_clean_locks", None):
        locks.locks.clear()
        locks.wait_counts.clear()


@pytest.fixture(autouse=True)
def _every_socket_is_counted_out():
    yield
    left = {**guarded._open}
    guarded._open.clear()  # or no test after this one would pass
    assert not left


@pytest.fixture
def local(transactional_db) -> User:
    """Who everybody is while nobody signs in."""
    return User.objects.local()


@pytest.fixture
def conversation(local) -> Conversation:
    return Conversation.objects.create(owner=f"user:{local.pk}", user=local, model="fake")


@pytest.fixture
async def socket(fake_model, local):
    """An open one, of the local user."""
    async with Socket.opened() as socket:
        yield socket
    await sync_to_async(connections.close_all)()
