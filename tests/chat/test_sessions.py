"""The older dialect's sessions: kept, owned, limited, and gone after a while."""

import asyncio
import time
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from accounts.models import Policy, UsageRecord
from chat import running
from chat.models import Conversation, Message, Status
from inference.models import LanguageModel
from llmsite.config import Config
from tests.api.client import Api, body_of, eventually, reading
from tests.api.people import Person

DEFAULT = "You are a helpful AI assistant."
CONFIGURED = ["a-key-of-the-configuration", "another-key-of-the-configuration"]
LONG = " ".join(f"w{number}" for number in range(100))


@pytest.fixture(autouse=True)
async def _no_connection_is_left(fake_model):
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def configure(settings):
    def change(**sections):
        settings.CONFIG = Config.model_validate(sections)

    return change


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def slowly(settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.01}


async def ask(api, prompt, session="s", headers=None, **fields):
    body = {"model-name": "fake", "prompt": prompt, "session-id": session}
    body |= {name.replace("_", "-"): value for name, value in fields.items()}
    return await api.post("/chat/completions", body, **(headers or {}))


async def told(response):
    """The text of a stream of one-line events."""
    lines = (await body_of(response)).splitlines()
    values = [line.removeprefix("data:") for line in lines if line.startswith("data:")]
    return "".join(value.removeprefix(" ") for value in values)


async def answered(api, prompt, session="s", **fields):
    response = await ask(api, prompt, session, **fields)
    assert response.status_code == 200
    return await told(response)


async def history(api, session="s"):
    response = await api.get(f"/chat/history/{session}")
    assert response.status_code == 200
    return [(message["role"], message["content"]) for message in response.json()]


async def roll_back(api, session="s", **body):
    return await api.post(f"/chat/history/{session}/rollback", body)


async def sessions(api):
    return (await api.get("/sessions")).json()


# Turns


async def test_the_next_turn_has_read_the_one_before(api):
    assert await answered(api, "one", system_prompt="be") == "be one "
    assert await answered(api, "two") == "be one be one two "
    assert await history(api) == [
        ("system", "be"),
        ("user", "one"),
        ("assistant", "be one "),
        ("user", "two"),
        ("assistant", "be one be one two "),
    ]


async def test_a_session_begins_with_the_older_services_system_prompt(api):
    assert await answered(api, "one") == f"{DEFAULT} one "
    assert (await history(api))[0] == ("system", DEFAULT)


async def test_another_system_prompt_holds_from_then_on(api):
    await answered(api, "one", system_prompt="be")
    await answered(api, "two", system_prompt="do")
    await answered(api, "three")

    assert (await history(api))[0] == ("system", "do")


async def test_parameters_are_those_of_each_request(api):
    assert await answered(api, "one", system_prompt="be", max_token=1) == "be "
    assert await answered(api, "two", stop=["two"]) == "be one be "


async def test_a_session_is_a_conversation_that_no_page_shows(api):
    await answered(api, "one")

    conversation = await Conversation.objects.aget()
    assert (conversation.session_id, conversation.model) == ("s", "fake")
    assert not await Conversation.objects.chats().aexists()


async def test_the_model_is_asked_for_no_title(api):
    await answered(api, "one")
    await answered(api, "two")

    assert await UsageRecord.objects.acount() == 2


async def test_an_answer_says_what_of_the_session_the_model_was_given(api, settings):
    settings.ENGINE_OPTIONS = {"context_length": 64, "cache_tokens": 64}
    first = await ask(api, "w " * 20, system_prompt="be", max_token=16)
    await told(first)
    second = await ask(api, "v " * 20, max_token=16)
    await told(second)

    assert first["x-context"].startswith("kept=2, dropped=0, prompt_tokens=21")
    assert second["x-context"].startswith("kept=2, dropped=2, prompt_tokens=21")


async def test_a_model_that_drops_nothing_refuses_and_the_session_stays(api, settings):
    settings.ENGINE_OPTIONS = {"context_length": 64, "cache_tokens": 64}
    await LanguageModel.objects.aupdate(context_policy="error")
    await answered(api, "w " * 20, system_prompt="be", max_token=16)
    before = await history(api)
    refused = await ask(api, "v " * 40, max_token=16)

    assert refused.status_code == 400
    assert "context" in refused.json()["error"]
    assert await history(api) == before


async def test_the_headers_and_metrics_are_those_of_a_chat(api, local):
    await Policy.objects.acreate(user=local, requests_per_minute=9, tokens_per_day=1000)
    names = ("chat_completions_requests_total", "chat_generated_tokens_total")
    before = [await api.metric(name) for name in names]
    response = await ask(api, "one", system_prompt="be")
    await told(response)
    after = [await api.metric(name) for name in names]

    assert response["x-ratelimit-remaining-requests"] == "8"
    assert response["x-ratelimit-limit-tokens"] == "1000"
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 3]


async def test_a_retry_under_an_idempotency_key_is_no_other_turn(api):
    key = {"idempotency-key": "k"}
    first = await told(await ask(api, "one", headers=key))
    again = await ask(api, "one", headers=key)

    assert (again["idempotent-replayed"], await told(again)) == ("true", first)
    assert len(await history(api)) == 3


async def test_without_a_session_nothing_is_kept(api):
    response = await ask(api, "one", session=None)

    assert (await told(response), await sessions(api)) == (f"{DEFAULT} one ", [])
    assert not await Message.objects.aexists()


# Clients that leave


async def test_an_answer_is_not_lost_when_its_client_leaves(slowly, api):
    async with reading(await ask(api, LONG, system_prompt="be")) as parts:
        assert await anext(parts) == b""
    complete = Message.objects.filter(status=Status.COMPLETE, role="assistant")
    await eventually(complete.aexists)

    assert await history(api) == [
        ("system", "be"),
        ("user", LONG),
        ("assistant", f"be {LONG} "),
    ]


async def test_nor_when_it_leaves_while_it_waits(api, settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.05, "max_sequences": 1}
    asking = asyncio.create_task(ask(api, "one", system_prompt="be"))
    await eventually(Message.objects.running().aexists)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await eventually(Message.objects.filter(text="be one ").aexists)

    assert await answered(api, "two") == "be one be one two "


async def test_one_answer_of_a_session_is_computed_at_a_time(slowly, api):
    async with reading(await ask(api, LONG)) as parts:
        await anext(parts)
        busy = await ask(api, "two")
        assert (await roll_back(api)).status_code == 409

    assert busy.status_code == 409
    assert busy.json().keys() == {"error"}


async def test_an_answer_of_a_process_that_died_is_in_nobodys_way(api):
    await answered(api, "one", system_prompt="be")
    dead = "00000000-0000-0000-0000-000000000007"
    await Message.objects.filter(role="assistant").aupdate(
        status=Status.RUNNING, holder=dead, text="be "
    )

    assert await answered(api, "two") == "be one be two "


# What fails


async def test_an_answer_that_fails_is_an_error_in_the_stream_and_no_turn(api):
    await answered(api, "one", system_prompt="be")
    before = await history(api)
    failed = await told(await ask(api, "fail", max_token=128, system_prompt="fail"))
    await answered(api, "two", system_prompt="be")

    assert failed.startswith("__ERROR__:")
    assert (await history(api))[: len(before)] == before
    assert [role for role, _ in await history(api)] == ["system", *["user", "assistant"] * 2]


async def test_what_was_said_before_it_failed_is_kept(api, monkeypatch):
    end = running.end

    def end_slowly(*args, **fields):
        time.sleep(0.3)
        return end(*args, **fields)

    monkeypatch.setattr(running, "end", end_slowly)
    failed = await told(await ask(api, "one crash", system_prompt="be"))

    assert failed.startswith("be one __ERROR__:")
    assert (await history(api))[-1] == ("assistant", "be one ")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model_name": "nope"}, 404),
        ({"prompt": "a\0b"}, 400),
        ({"system_prompt": "a\0b"}, 400),
        ({"system_prompt": "a" * 8193}, 400),
        ({"prompt": "a" * 8193}, 400),
        ({"messages": [{"role": "user", "content": "a"}]}, 400),
        ({"max_token": 0}, 400),
        ({"prompt": "w " * 4096}, 400),  # longer than the context
    ],
)
async def test_a_request_that_is_refused_leaves_nothing(api, fields, status):
    refused = await ask(api, **{"prompt": "one", **fields})

    assert (refused.status_code, refused.json().keys()) == (status, {"error"})
    assert not await Conversation.objects.aexists()


async def test_a_quota_that_is_exhausted_leaves_the_session_as_it_was(api, local):
    await answered(api, "one", system_prompt="be")
    before = await history(api)
    await Policy.objects.acreate(user=local, tokens_per_day=1)
    refused = await ask(api, "two")

    assert refused.status_code in (400, 429)
    assert await history(api) == before
    assert await Message.objects.acount() == 2


async def test_a_request_that_is_refused_changes_nothing_of_its_session(api):
    await answered(api, "one", system_prompt="be", max_token=5)
    before = await Conversation.objects.values().aget()
    await LanguageModel.objects.acreate(slug="other", source="file:///o", file="/o.gguf")
    refused = await ask(api, "w " * 4096, system_prompt="do", max_token=1, model_name="other")

    assert refused.status_code == 400
    assert before == await Conversation.objects.values().aget() | {
        "expires_at": before["expires_at"]
    }


# History


async def test_a_rollback_takes_back_the_last_turn(api):
    await answered(api, "one", system_prompt="be")
    await answered(api, "two")
    response = await roll_back(api)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert await history(api) == [("system", "be"), ("user", "one"), ("assistant", "be one ")]
    assert await answered(api, "three") == "be one be one three "


async def test_in_the_tree_what_was_taken_back_is_a_branch(api):
    await answered(api, "one")
    await roll_back(api)
    await answered(api, "two")

    first, second = [one async for one in Message.objects.filter(role="user")]
    assert (first.text, second.text) == ("one", "two")
    assert (first.parent_id, second.parent_id) == (None, None)


@pytest.mark.parametrize(("amount", "left"), [(1, 4), (2, 2), (3, 0), (10**30, 0)])
async def test_a_rollback_takes_as_many_turns_as_it_is_told(api, amount, left):
    for prompt in ("one", "two", "three"):
        await answered(api, prompt, system_prompt="be", max_token=1)
    await roll_back(api, amount=amount)

    assert len(await history(api)) == 1 + left


@pytest.mark.parametrize("amount", [0, -1, "1", 1.5, True, [1]])
async def test_a_rollback_by_no_number_is_refused(api, amount):
    await answered(api, "one")
    refused = await roll_back(api, amount=amount)

    assert (refused.status_code, "amount" in refused.json()["error"]) == (400, True)
    assert len(await history(api)) == 3


async def test_a_deleted_session_is_gone_and_its_id_free(api):
    await answered(api, "one")
    deleted = await api.request("DELETE", "/chat/history/s")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await api.get("/chat/history/s")).status_code == 404
    assert await sessions(api) == []
    assert not await Message.objects.aexists()
    assert await answered(api, "two", system_prompt="be") == "be two "


async def test_a_session_that_is_deleted_ends_its_answer(slowly, api):
    async with reading(await ask(api, LONG)) as parts:
        await anext(parts)
        await api.request("DELETE", "/chat/history/s")
        rest = b"".join([part async for part in parts]).decode()

    assert "w99" not in rest
    await eventually(UsageRecord.objects.filter(status="cancelled").aexists)


async def test_requests_for_the_history_are_counted(api):
    before = await api.metric("history_requests_total")
    await answered(api, "one")
    await history(api)
    await api.get("/chat/history/unknown")

    assert await api.metric("history_requests_total") == before + 2


@pytest.mark.parametrize("id", ["unknown", "%00", "a%2Fb", "%FF", "%E2%80%A8"])
async def test_an_unknown_session_is_404(api, id):
    answers = [
        await api.get(f"/chat/history/{id}"),
        await api.request("DELETE", f"/chat/history/{id}"),
        await roll_back(api, id),
    ]
    assert {answer.status_code for answer in answers} == {404}


async def test_an_id_may_have_whatever_fits_a_path(api):
    await answered(api, "one", session="a b?:%")

    assert await sessions(api) == ["a b?:%"]
    assert len(await history(api, "a%20b%3F:%25")) == 3


# Whose they are


@pytest.fixture
def people(transactional_db, configure):
    configure(security={"enable_auth": True, "api_keys": CONFIGURED})
    return {name: Person.make(name) for name in ("alice", "bob", "charlie")}


@pytest.mark.parametrize("who", ["bob", "charlie"])
async def test_sessions_of_others_are_not_there(people, who):
    alice, other = people["alice"], people[who]
    await alice.joined_team()
    await people["bob"].joined_team()
    await answered(alice.api, "one", "hers", system_prompt="be")
    before = await history(alice.api, "hers")
    refused = [
        await other.api.get("/chat/history/hers"),
        await other.api.request("DELETE", "/chat/history/hers"),
        await roll_back(other.api, "hers"),
    ]

    assert {answer.status_code for answer in refused} == {404}
    assert await sessions(other.api) == []
    assert await answered(other.api, "two", "hers", system_prompt="do") == "do two "
    assert await history(alice.api, "hers") == before


async def test_a_person_with_another_key_is_the_same_person(people):
    alice = people["alice"]
    await answered(alice.api, "one", system_prompt="be")

    assert len(await history((await alice.another_key()).api)) == 3


async def test_keys_of_the_configuration_have_sessions_of_their_own(people):
    first, second = map(Api, CONFIGURED)
    await answered(first, "one", "a")
    await answered(second, "two", "b")

    assert (await sessions(first), await sessions(second)) == (["a"], ["b"])
    assert (await second.get("/chat/history/a")).status_code == 404


@pytest.mark.parametrize("path", ["/sessions", "/chat/history/s"])
async def test_whoever_may_not_chat_has_no_sessions(people, path):
    await people["alice"].rules("user", allowed_endpoints=["models"])

    assert (await people["alice"].api.get(path)).status_code == 403


# How many there are, and for how long


async def test_the_one_that_has_been_idle_for_longest_makes_room(api, configure):
    configure(limits={"max_sessions": 2})
    await answered(api, "one", "a")
    await answered(api, "one", "b")
    await history(api, "a")
    await answered(api, "one", "c")

    assert await sessions(api) == ["c", "a"]


async def test_nobody_elses_makes_room(people, configure):
    configure(security={"enable_auth": True}, limits={"max_sessions": 1})
    await answered(people["alice"].api, "one", "a")
    await answered(people["bob"].api, "one", "b")

    assert await sessions(people["alice"].api) == ["a"]


async def test_one_that_is_being_answered_does_not_make_room(slowly, api, configure):
    configure(limits={"max_sessions": 1})
    async with reading(await ask(api, LONG, "a")) as parts:
        await anext(parts)
        refused = await ask(api, "one", "b")

    assert refused.status_code == 429
    assert "limits.max_sessions" in refused.json()["error"]
    assert await sessions(api) == ["a"]


async def expire():
    await Conversation.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))


async def test_an_expired_session_is_gone_at_once(api):
    await answered(api, "one", system_prompt="be")
    await expire()

    assert (await api.get("/chat/history/s")).status_code == 404
    assert (await roll_back(api)).status_code == 404
    assert await sessions(api) == []
    assert await answered(api, "two", system_prompt="be") == "be two "
    assert await Conversation.objects.acount() == 1


@pytest.mark.parametrize("use", [lambda api: answered(api, "two"), history, roll_back])
async def test_each_use_lets_it_live_longer(api, use, configure):
    configure(limits={"session_ttl_seconds": 100})
    await answered(api, "one")
    soon = timezone.now() + timedelta(seconds=5)
    await Conversation.objects.aupdate(expires_at=soon)
    await use(api)

    left = (await Conversation.objects.aget()).expires_at - timezone.now()
    assert timedelta(seconds=50) < left <= timedelta(seconds=100)
