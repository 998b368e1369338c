"""`/chat/ws`: the older dialect, one JSON frame in and frames of plain text out."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from accounts.models import Policy, UsageRecord
from chat import guarded
from chat.api import consumers
from chat.models import Conversation, Message
from llmsite.config import Config
from tests.api.client import Api, body_of, eventually
from tests.api.people import Person

from .socket import Socket

PATH = "/chat/ws"
LONG = " ".join(f"w{number}" for number in range(100))


@pytest.fixture
async def socket(fake_model, local):
    """An open one, of the local user."""
    async with Socket.opened(PATH) as socket:
        yield socket
    await sync_to_async(connections.close_all)()


@pytest.fixture
def slowly(settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.01}


async def ask(socket, prompt="one", **fields):
    """The system prompt is `be` unless told otherwise."""
    body = {"model-name": "fake", "prompt": prompt, "system-prompt": "be"}
    body |= {name.replace("_", "-"): value for name, value in fields.items()}
    await socket.say_raw(json.dumps(body))


async def heard(socket, end):
    """What is heard until it ends like that."""
    text = ""
    while not text.endswith(end):
        text += await socket.hear_text()
    return text


async def answered(socket, prompt="one", **fields):
    await ask(socket, prompt, **fields)
    return await heard(socket, f"{prompt} ")


async def refused(socket, prompt="one", **fields):
    """The sentence that one frame says it in."""
    await ask(socket, prompt, **fields)
    text = await socket.hear_text()
    assert text.startswith("__ERROR__:")
    return text.removeprefix("__ERROR__:")


# Turns


async def test_an_answer_is_its_text_and_nothing_else(socket):
    assert await answered(socket, "one two") == "be one two "
    assert await socket.hears_nothing()


async def test_many_turns_go_over_one_socket(socket):
    answers = [await answered(socket, prompt) for prompt in ("one", "two", "three")]

    assert answers == ["be one ", "be two ", "be three "]


async def test_a_frame_that_comes_during_an_answer_is_answered_after_it(slowly, socket):
    await ask(socket, LONG)
    await ask(socket, "two")

    assert await heard(socket, "two ") == f"be {LONG} be two "


async def test_frames_that_are_too_many_are_refused(slowly, socket):
    await ask(socket, LONG)
    await socket.hear_text()
    for _ in range(consumers.MAX_WAITING):
        await ask(socket, "two")
    await ask(socket, "one too many")
    text = await heard(socket, "not answered.")

    assert "__ERROR__:8 frames wait already" in text


async def test_its_fields_are_those_of_the_path(socket):
    messages = [{"role": "user", "content": "zero"}]

    assert await answered(socket, messages=messages) == "be zero one "
    await ask(socket, "one two", max_token=1)
    assert await socket.hear_text() == "be "
    assert await socket.hears_nothing()


async def test_a_client_that_leaves_cancels_its_answer(slowly, fake_model, local):
    async with Socket.opened(PATH) as socket:
        await ask(socket, LONG)
        await socket.hear_text()
    await eventually(UsageRecord.objects.filter(status="cancelled").aexists)
    await sync_to_async(connections.close_all)()


# Sessions


async def test_a_session_is_that_of_the_path(socket):
    api = Api()
    await answered(socket, "one", session_id="s")
    await eventually(Message.objects.filter(text="be one ", status="complete").aexists)
    body = {"model-name": "fake", "prompt": "two", "session-id": "s"}
    await body_of(await api.post("/chat/completions", body))

    assert (
        await answered(socket, "three", session_id="s")
        == "be one be one two be one be one two three "
    )
    history = (await api.get("/chat/history/s")).json()
    assert [message["content"] for message in history][:3] == ["be", "one", "be one "]


async def test_a_sessions_answer_is_not_lost_when_the_client_leaves(slowly, fake_model, local):
    async with Socket.opened(PATH) as socket:
        await ask(socket, LONG, session_id="s")
        await socket.hear_text()
    await eventually(Message.objects.filter(text=f"be {LONG} ", status="complete").aexists)
    await sync_to_async(connections.close_all)()


async def test_without_a_session_nothing_is_kept(socket):
    await answered(socket)

    assert not await Conversation.objects.aexists()


# What is refused


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"model_name": "nope"}, "nope"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "a" * 8193}, "8192"),
        ({"max_token": 0}, "max-token"),
        ({"temperature": 9}, "temperature"),
        ({"session_id": "a/b"}, "session-id"),
        ({"session_id": "s", "messages": [{"role": "user", "content": "a"}]}, "messages"),
    ],
)
async def test_a_refusal_names_the_fault_and_the_socket_stays_open(socket, fields, named):
    assert named in await refused(socket, **fields)
    assert await answered(socket) == "be one "


@pytest.mark.parametrize("frame", [" ", "{", "[]", "null", '{"prompt": NaN}'])
async def test_what_is_no_json_object_is_refused(socket, frame):
    await socket.say_raw(frame)

    assert (await socket.hear_text()).startswith("__ERROR__:The request ")
    assert await answered(socket) == "be one "


async def test_a_frame_above_the_limit_is_refused(socket, settings):
    settings.CONFIG = Config.model_validate({"limits": {"max_body_mb": 0.001}})

    assert "limits.max_body_mb" in await refused(socket, "a" * 2000)


async def test_an_answer_that_fails_says_why(socket):
    await ask(socket, "one crash")
    text = await heard(socket, "one ")

    assert text == "be one "
    assert (await socket.hear_text()).startswith("__ERROR__:")


async def test_a_bug_of_ours_is_a_sentence_that_tells_nothing(socket, monkeypatch):
    def broken(*args):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(consumers, "checked", broken)
    assert await refused(socket) == "The server failed; its log says why."


# Limits, as everywhere


async def test_requests_a_minute_hold(socket, local, one_minute):
    await Policy.objects.acreate(user=local, requests_per_minute=1)
    await answered(socket)

    assert "requests_per_minute" in await refused(socket)


async def test_policies_hold(socket, local):
    await Policy.objects.acreate(user=local, allowed_models=["other"])

    assert "allowed_models" in await refused(socket)


async def test_quotas_hold(socket, local):
    await Policy.objects.acreate(user=local, tokens_per_day=1)

    assert "tokens_per_day" in await refused(socket)
    assert "tokens_per_day" in await refused(socket, session_id="s")
    assert not await Conversation.objects.aexists()


async def test_requests_and_errors_are_counted_and_in_the_ledger(socket):
    api = Api()
    names = ("requests_total", "errors_total")
    before = [await api.metric(f"chat_completions_{name}") for name in names]
    await answered(socket)
    await refused(socket, max_token=0)
    after = [await api.metric(f"chat_completions_{name}") for name in names]

    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1]
    record = await UsageRecord.objects.aget()
    assert (record.endpoint, record.prompt_tokens, record.completion_tokens) == ("chat", 2, 3)


class TestKeys:
    @pytest.fixture
    async def alice(self, fake_model, settings):
        settings.CONFIG = Config.model_validate({"security": {"enable_auth": True}})
        yield await sync_to_async(Person.make)("alice")
        await sync_to_async(connections.close_all)()

    async def test_that_is_revoked_asks_nothing_more(self, alice):
        async with Socket.opened(PATH, x_api_key=alice.text) as socket:
            await answered(socket)
            await sync_to_async(alice.key.revoke)()

            assert "was revoked" in await refused(socket)

    async def test_that_is_revoked_hears_nothing_more(self, alice, monkeypatch):
        monkeypatch.setattr(guarded, "LOOK_SECONDS", 0.01)
        async with Socket.opened(PATH, x_api_key=alice.text) as socket:
            await sync_to_async(alice.key.revoke)()
            end = await socket._socket.receive_output(20)

        assert (end["type"], end["code"]) == ("websocket.close", guarded.NOT_LET_IN)
