"""What may break around an answer while it is written, and what becomes of it."""

import asyncio
import uuid

import pytest
from asgiref.sync import sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import OperationalError

from accounts.models import Policy, UsageRecord
from chat import abandoned, groups, reading, running, turns, writer
from chat.models import Message, Status
from tests.api.client import Api

from .socket import Socket

LONG = " ".join(f"w{number}" for number in range(300))


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(writer, "END_AGAIN_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(writer, "LISTEN_AGAIN_SECONDS", 0.01)


@pytest.fixture
def slowly(settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.01}


def failing(monkeypatch, owner, name, times, error):
    """That function fails so many times, and then works."""
    works, left = getattr(owner, name), [times]

    def fails(*args, **options):
        if left[0]:
            left[0] -= 1
            raise error
        return works(*args, **options)

    monkeypatch.setattr(owner, name, fails)


async def status_of(message):
    return (await Message.objects.aget(uid=message)).status


async def test_an_end_is_written_down_though_the_database_was_away(socket, monkeypatch):
    failing(monkeypatch, running, "end", 2, OperationalError("locked"))
    done = await socket.answered("one two")

    assert done["status"] == "complete"
    assert await status_of(done["message"]) == Status.COMPLETE


async def test_a_checkpoint_may_fail(slowly, socket, monkeypatch):
    monkeypatch.setattr(writer, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(writer, "CHECKPOINT_SECONDS_EACH", 0.0)
    failing(monkeypatch, running, "checkpoint", 1, OperationalError("locked"))

    assert (await socket.answered("one two three four"))["status"] == "complete"


async def test_an_answer_is_written_though_nobody_can_be_told(socket, monkeypatch):
    accepted = await socket.ask("one two three")
    failing(monkeypatch, groups, "tell", 3, ConnectionError("the layer is away"))
    done = await socket.hear_until("done")

    assert done["status"] == "complete"
    assert socket.text(accepted["message"]) == "one two three "


async def test_a_stop_works_after_a_reader_that_was_too_slow(slowly, socket, monkeypatch):
    accepted = await socket.ask(LONG)
    await socket.hear_until("delta")
    layer = get_channel_layer()
    channel = (await Message.objects.aget(uid=accepted["message"])).channel
    send = layer.send

    async def full(to, message):
        if to == "slow!reader":
            raise ChannelFull(to)
        await send(to, message)

    monkeypatch.setattr(layer, "send", full)
    await layer.send(channel, {"type": "refill", "to": "slow!reader"})
    await socket.say("stop", message=accepted["message"])

    assert (await socket.hear_until("done"))["status"] == "stopped"


async def test_whoever_leaves_before_they_are_answered_is_answered(fake_model, local, monkeypatch):
    stored, go_on = asyncio.Event(), asyncio.Event()

    async with Socket.opened() as socket:
        say = turns.say

        def slow(*args):
            turn = say(*args)
            asyncio.run_coroutine_threadsafe(marked(), loop).result(20)
            return turn

        async def marked():
            stored.set()
            await go_on.wait()

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(turns, "say", slow)
        await socket.say("send", text="one two")
        await stored.wait()
        go_on.set()
    message = None
    while message is None or message.is_running:
        message = await Message.objects.filter(role="assistant").afirst()
        await asyncio.sleep(0.01)

    assert (message.status, message.text) == (Status.COMPLETE, "one two ")


async def test_a_nul_that_a_model_writes_is_kept_as_a_sign_of_it(socket, monkeypatch):
    feed = reading.ThinkingSplitter.feed
    monkeypatch.setattr(
        reading.ThinkingSplitter, "feed", lambda self, text: feed(self, text.replace("one", "\0"))
    )
    done = await socket.answered("one two")

    assert socket.text(done["message"]) == "\ufffd two "


async def test_a_title_takes_no_place_of_its_owners(socket, local):
    await Policy.objects.acreate(user=local, max_running=1)
    first = await socket.answered("one two three")
    second = await socket.answered("four", conversation=first["conversation"])

    assert second["status"] == "complete"


async def test_a_refused_answer_counts_as_an_error(socket, local):
    api = Api()
    before = await api.metric("chat_completions_errors_total")
    await Policy.objects.acreate(user=local, tokens_per_day=1)
    await socket.answered("one two three")

    assert await api.metric("chat_completions_errors_total") == before + 1
    assert not await UsageRecord.objects.aexists()


async def test_who_follows_hears_that_an_answer_was_given_up(socket, conversation):
    answer = await Message.objects.acreate(
        conversation=conversation,
        role="assistant",
        text="one ",
        status=Status.RUNNING,
        holder=uuid.uuid4(),
        channel="gone",
    )
    await socket.say("resume", conversation=conversation.uid.hex)
    await socket.say("leave", conversation=str(uuid.uuid4()))
    await socket.say("send", text=" ")
    await socket.hear_until("error")  # so it follows by now
    await abandoned.give_up_abandoned()
    done = await socket.hear_until("done")

    assert (done["message"], done["status"]) == (answer.uid.hex, "interrupted")
    assert socket.text(answer.uid.hex) == "one "


async def test_an_answer_of_ours_without_a_writer_is_given_up(socket, conversation):
    question = await Message.objects.acreate(conversation=conversation, role="user", text="one")
    turn = await sync_to_async(turns.again)(question, "fake", "nobody!listens")
    await abandoned.give_up_abandoned()

    assert await status_of(turn.answer.uid) == Status.INTERRUPTED


async def test_nobody_is_cut_off_while_they_receive(socket, monkeypatch):
    """channels_redis loses what it receives just then, be it another's."""
    layer, cancelled, listened = get_channel_layer(), [], []
    receive = layer.receive

    async def receiving(channel):
        try:
            message = await receive(channel)
        except asyncio.CancelledError:
            cancelled.append(channel)
            raise
        listened.append(message["type"])
        return message

    monkeypatch.setattr(layer, "receive", receiving)
    await socket.answered("one two")
    await socket.hear_until("title")

    assert "over" in listened
    assert not cancelled
