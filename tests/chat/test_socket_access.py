"""Who is let in at the chat socket, and to whose conversations."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client
from django.utils import timezone
from redis.exceptions import RedisError

from accounts.models import ApiKey, Policy, User
from chat import guarded
from chat.consumers import ChatConsumer
from chat.models import Conversation, Message
from llmsite.config import Config

from .socket import OWN_PAGE, Socket


@pytest.fixture(autouse=True)
def _with_keys(settings, fake_model):
    settings.CONFIG = Config.model_validate({"security": {"enable_auth": True}})


@pytest.fixture(autouse=True)
async def _no_connection_is_left():
    yield
    await sync_to_async(connections.close_all)()


def person(name):
    user = User.objects.create_user(name, password="a-long-password")
    return user, *ApiKey.objects.issue(user, "laptop")


@pytest.fixture
def alice(transactional_db):
    return person("alice")


@pytest.fixture
def bob(transactional_db, alice):
    """Of Alice's team."""

    team = Group.objects.create(name="team")
    bob = person("bob")
    team.user_set.add(alice[0], bob[0])
    return bob


@pytest.fixture
def charlie(transactional_db):
    return person("charlie")


@database_sync_to_async
def cookie_of(user):
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return f"sessionid={client.cookies['sessionid'].value}"


def bearer(key):
    return {"authorization": f"Bearer {key}"}


# Who is let in


async def test_a_key_opens_it(alice):
    assert await Socket.may_open(**bearer(alice[2]))
    assert await Socket.may_open(x_api_key=alice[2])


async def test_a_session_of_a_page_of_ours_opens_it(alice):
    assert await Socket.may_open(cookie=await cookie_of(alice[0]), origin=OWN_PAGE)


@pytest.mark.parametrize(
    "origin", [{}, {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ""}]
)
async def test_a_session_opens_nothing_to_pages_of_others(alice, origin):
    assert not await Socket.may_open(cookie=await cookie_of(alice[0]), **origin)


async def test_a_site_that_may_call_the_api_has_no_use_for_our_cookies(alice, settings):
    site = "https://app.example.org"
    settings.CONFIG = Config.model_validate(
        {"security": {"enable_auth": True, "cors_origins": [site]}}
    )
    assert not await Socket.may_open(cookie=await cookie_of(alice[0]), origin=site)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": OWN_PAGE},
        {"origin": OWN_PAGE, "cookie": "sessionid=made-up"},
        bearer("sk-wrong"),
        bearer("sk-" + "a" * 8 + "-" + "b" * 40),
        {"authorization": "Basic YTpi"},
    ],
)
async def test_strangers_stay_outside(headers):
    assert not await Socket.may_open(**headers)


async def test_a_host_that_is_not_ours_is_refused(alice):
    assert not await Socket.may_open(host="evil.example", **bearer(alice[2]))


async def test_a_key_that_was_revoked_or_has_expired_opens_nothing(alice, bob):
    await sync_to_async(alice[1].revoke)()
    await ApiKey.objects.filter(pk=bob[1].pk).aupdate(expires_at=timezone.now())

    assert not await Socket.may_open(**bearer(alice[2]))
    assert not await Socket.may_open(**bearer(bob[2]))


@pytest.mark.parametrize(
    "rules",
    [
        {"allowed_endpoints": ["embeddings"]},
        {"allowed_addresses": ["192.0.2.1"]},
        {"expires_at": timezone.now() - timedelta(days=1)},
    ],
)
async def test_policies_keep_people_out(alice, rules):
    await Policy.objects.acreate(user=alice[0], **rules)
    assert not await Socket.may_open(**bearer(alice[2]))


async def test_somebody_who_is_not_active_is_not_let_in(alice):
    cookie = await cookie_of(alice[0])
    await User.objects.aupdate(is_active=False)
    assert not await Socket.may_open(cookie=cookie, origin=OWN_PAGE)


async def test_there_is_no_socket_elsewhere(alice):
    assert not await Socket.may_open("/ws/other/", **bearer(alice[2]))


# While it is open


async def test_a_key_that_is_revoked_asks_nothing_more(alice):
    async with Socket.opened(**bearer(alice[2])) as socket:
        await socket.answered("one")
        await sync_to_async(alice[1].revoke)()
        await socket.say("send", text="two", ref="mine")
        error = await socket.hear_until("error")

    assert (error["code"], error["ref"]) == ("invalid_api_key", "mine")


async def test_whoever_signed_out_hears_nothing_more(alice, monkeypatch):
    monkeypatch.setattr(guarded, "LOOK_SECONDS", 0.01)
    cookie = await cookie_of(alice[0])
    async with Socket.opened(cookie=cookie, origin=OWN_PAGE) as socket:
        await User.objects.aupdate(is_active=False)
        end = await socket._socket.receive_output(20)

    assert (end["type"], end["code"]) == ("websocket.close", guarded.NOT_LET_IN)


async def gone(*args):
    raise RedisError("gone")


async def test_whoever_could_not_be_looked_after_may_come_back(alice, monkeypatch):
    monkeypatch.setattr(guarded, "LOOK_SECONDS", 0.01)
    async with Socket.opened(**bearer(alice[2])) as socket:
        monkeypatch.setattr(ChatConsumer, "renew", gone)
        end = await socket._socket.receive_output(20)

    assert (end["type"], end["code"]) == ("websocket.close", guarded.FAILED)


async def test_a_socket_that_lost_its_layer_is_not_counted_any_more(alice, monkeypatch):
    restarts = asyncio.Event()

    async def receive(*args):
        await restarts.wait()
        await gone()

    monkeypatch.setattr(type(get_channel_layer()), "receive", receive)
    socket = Socket(**bearer(alice[2]))
    assert await socket.is_let_in()
    assert guarded._open
    restarts.set()
    await asyncio.wait([socket._socket.future], timeout=20)

    assert isinstance(socket._socket.future.exception(), RedisError)
    assert not guarded._open


# Whose conversations


async def frames_about(socket, conversation, message, question):
    return [
        {"type": "send", "text": "two", "conversation": conversation},
        {"type": "send", "text": "two", "parent": message},
        {"type": "edit", "text": "two", "message": question},
        {"type": "regenerate", "message": message},
        {"type": "continue", "message": message},
        {"type": "stop", "message": message},
        {"type": "resume", "conversation": conversation},
        {"type": "resume", "conversation": conversation, "message": message},
    ]


@pytest.mark.parametrize("who", ["bob", "charlie"])
async def test_conversations_of_others_are_not_there(alice, bob, charlie, who):
    stranger = {"bob": bob, "charlie": charlie}[who]
    async with Socket.opened(**bearer(alice[2])) as socket:
        done = await socket.answered("one")
        question = socket.heard[0]["question"]
        ids = (done["conversation"], done["message"], question)
    num_messages = await Message.objects.acount()
    async with Socket.opened(**bearer(stranger[2])) as other:
        for frame in await frames_about(other, *ids):
            await other.say(**frame)
            assert (await other.hear())["code"] in ("conversation_not_found", "message_not_found")

    assert await Message.objects.acount() == num_messages
    assert await Conversation.objects.filter(owner=f"user:{alice[0].pk}").acount() == 1
    assert not await Conversation.objects.filter(owner=f"user:{stranger[0].pk}").aexists()


async def test_a_person_with_another_key_is_the_same_person(alice):
    other_key = await sync_to_async(lambda: ApiKey.objects.issue(alice[0], "phone")[1])()
    async with Socket.opened(**bearer(alice[2])) as socket:
        done = await socket.answered("one")
    async with Socket.opened(**bearer(other_key)) as socket:
        again = await socket.answered("two", conversation=done["conversation"])

    assert again["conversation"] == done["conversation"]
