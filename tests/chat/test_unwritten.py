"""With more than one process, a lease may outlive who holds it."""

import asyncio
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connections
from django.utils import timezone

from accounts.models import Lease
from chat import running, sessions, unwritten
from chat.models import Conversation, Message, Status
from tests.api.client import Api, body_of


@pytest.fixture(autouse=True)
async def _several_processes(monkeypatch, fake_model):
    """As far as answers are concerned; nobody here speaks with Redis."""
    shared = SimpleNamespace(REDIS_URL="redis://elsewhere")
    for module in (running, unwritten):
        monkeypatch.setattr(module, "settings", shared)
    monkeypatch.setattr(unwritten, "REPLY_SECONDS", 0.05)
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def held(local):
    """A session whose answer another process writes, or did: its lease is valid."""
    owner, holder = f"user:{local.pk}", uuid.uuid4()
    now = timezone.now()
    await Lease.objects.acreate(holder=holder, expires_at=now + timedelta(seconds=50))
    session = await Conversation.objects.acreate(
        owner=owner, user=local, model="fake", session_id="s", expires_at=now + timedelta(days=1)
    )
    question = await Message.objects.acreate(conversation=session, role="user", text="one")
    session.head = await Message.objects.acreate(
        conversation=session,
        parent=question,
        role="assistant",
        text="one ",
        status=Status.RUNNING,
        holder=holder,
        channel=await get_channel_layer().new_channel(),
    )
    await session.asave()
    return session.head


async def ask():
    body = {"model-name": "fake", "prompt": "two", "session-id": "s"}
    return await Api().post("/chat/completions", body)


async def roll_back():
    return await Api().post("/chat/history/s/rollback", {})


@pytest.fixture
async def writer(held):
    """Of the other process, which lives."""

    async def reply():
        layer = get_channel_layer()
        while True:
            message = await layer.receive(held.channel)
            await layer.send(message["to"], {"type": "refilled"})

    task = asyncio.create_task(reply())
    yield task
    task.cancel()


async def test_a_session_of_a_killed_process_goes_on_at_once(held):
    response = await ask()
    assert response.status_code == 200
    assert "two" in await body_of(response)

    await held.arefresh_from_db()
    assert held.status == Status.INTERRUPTED
    assert [row["content"] for row in await history(held)][:3] == ["one", "one ", "two"]


async def history(held):
    owner = (await Conversation.objects.aget(pk=held.conversation_id)).owner
    return await sync_to_async(sessions.history)("s", owner)


async def test_a_session_that_another_process_answers_is_busy(held, writer):
    assert (await ask()).status_code == 409
    assert (await roll_back()).status_code == 409
    await held.arefresh_from_db()
    assert held.status == Status.RUNNING


async def test_a_turn_of_a_killed_process_is_taken_back(held):
    assert (await roll_back()).status_code == 200
    assert (await Conversation.objects.aget(pk=held.conversation_id)).head_id is None
