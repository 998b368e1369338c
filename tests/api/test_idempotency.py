"""`Idempotency-Key`: a retry gets the answer of the first request, however far it is."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from accounts import idempotency as rows
from accounts.models import IdempotentAnswer, Lease
from inference.api.runs import Asked, run_of
from inference.api.sse import EventStream

from .client import body_of, events_of, eventually, reading, texts_of

pytestmark = pytest.mark.usefixtures("fake_model")

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
OTHER = uuid.UUID(int=7)  # another server process
ALICE, BOB = "alice-has-a-long-key", "bob-has-a-long-key"


def body(content="a b c", **fields):
    return {"model": "fake", "messages": [{"role": "user", "content": content}], **fields}


@pytest.fixture(autouse=True)
async def leave_no_connection():
    """The thread that the test's own queries run on has one."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def ask(api):
    """Asks for a chat under the key `k`."""

    async def ask(content="a b c", key="k", headers=(), **fields):
        headers = {"idempotency-key": key, **dict(headers)}
        return await api.post(CHAT, body(content, **fields), **headers)

    return ask


async def until_begun():
    await eventually(IdempotentAnswer.objects.aexists)


async def until_kept():
    async def is_kept():
        return await IdempotentAnswer.objects.exclude(status=None).aexists()

    await eventually(is_kept)


def is_replayed(response):
    return response.headers.get("idempotent-replayed") == "true"


def code(response):
    return response.status_code, response.json()["error"]["code"]


# Whole answers


async def test_the_same_request_again_gets_the_same_answer(ask, num_computed):
    first, second = await ask(), await ask()
    assert first.json()["choices"][0]["message"]["content"] == "a b c "
    assert (second.status_code, second.content) == (200, first.content)
    assert second["content-type"] == "application/json"
    assert [is_replayed(response) for response in (first, second)] == [False, True]
    assert await num_computed() == 1


async def test_the_answer_comes_from_the_database_once_it_is_complete(ask, num_computed):
    first = await ask()
    await until_kept()
    again = await ask()
    assert (again.content, is_replayed(again)) == (first.content, True)
    assert await num_computed() == 1


async def test_headers_that_belong_to_the_answer_come_again_and_others_anew(ask, configure):
    configure(limits={"default_rate_limit_per_minute": 50})
    first = await ask(colour="red")
    await until_kept()
    again = await ask(colour="red")
    assert first["x-ignored-params"] == again["x-ignored-params"] == "colour"
    assert first["x-ratelimit-remaining-requests"] > again["x-ratelimit-remaining-requests"]
    assert first["x-request-id"] != again["x-request-id"]


async def test_without_a_key_every_request_computes(api, num_computed):
    await api.chat()
    await api.chat()
    assert await num_computed() == 2
    assert not await IdempotentAnswer.objects.aexists()


async def test_the_order_of_fields_does_not_matter(api, num_computed):
    headers = {"idempotency-key": "k"}
    for fields in (body("a", seed=1), dict(reversed(body("a", seed=1).items()))):
        assert (await api.post(CHAT, fields, **headers)).status_code == 200
    assert await num_computed() == 1


async def test_requests_at_the_same_moment_are_computed_once(ask, num_computed):
    responses = await asyncio.gather(*(ask() for _ in range(5)))
    assert {response.content for response in responses} == {responses[0].content}
    assert sorted(map(is_replayed, responses)) == [False, True, True, True, True]
    assert await num_computed() == 1


async def test_a_completion_has_keys_too(api, num_computed):
    one, other = [
        await api.post(COMPLETIONS, {"model": "fake", "prompt": "a"}, **{"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert (one.content, await num_computed()) == (other.content, 1)


async def test_a_client_that_leaves_finds_its_answer_later(ask, num_computed, engine_options):
    engine_options(fake_step_seconds=0.02)
    first = asyncio.create_task(ask("a b c d e f"))
    await until_begun()
    first.cancel()
    await asyncio.wait([first])
    again = await ask("a b c d e f")
    assert first.cancelled()
    assert again.json()["choices"][0]["message"]["content"] == "a b c d e f "
    assert (is_replayed(again), await num_computed()) == (True, 1)


# Whose, and for what


@pytest.mark.parametrize("until", [until_begun, until_kept])
async def test_another_body_under_the_key_is_a_conflict(ask, num_computed, until, engine_options):
    engine_options(fake_step_seconds=0.01)
    async with reading(await ask(stream=True)) as parts:
        await anext(parts)
        await until()
        refused = await ask(stream=True, seed=1)
    assert code(refused) == (409, "idempotency_key_reused")
    assert refused["x-should-retry"] == "false"
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert refused.json()["error"]["param"] == "Idempotency-Key"
    assert "'k'" in refused.json()["error"]["message"]
    await until_kept()
    assert await num_computed() == 1


async def test_another_endpoint_is_another_request(api):
    fields = {**body(), "prompt": "a"}
    statuses = [
        (await api.post(path, fields, **{"idempotency-key": "k"})).status_code
        for path in (CHAT, COMPLETIONS)
    ]
    assert statuses == [200, 409]


async def test_other_peoples_keys_are_their_own(ask, configure):
    configure(security={"enable_auth": True, "api_keys": [ALICE, BOB]})
    alices, bobs = [
        await ask(word, headers={"authorization": f"Bearer {key}"})
        for word, key in (("a", ALICE), ("b", BOB))
    ]
    assert [is_replayed(response) for response in (alices, bobs)] == [False, False]
    assert bobs.json()["choices"][0]["message"]["content"] == "b "


@pytest.mark.parametrize("key", ["", "a" * 256, "é", "a\tb", "a\x7fb"])
async def test_a_key_that_cannot_be_used_is_named(ask, key):
    refused = await ask(key=key)
    assert code(refused) == (400, "invalid_request_error")
    assert refused.json()["error"]["param"] == "Idempotency-Key"
    assert "Idempotency-Key" in refused.json()["error"]["message"]


async def test_the_longest_key_is_taken(ask):
    assert (await ask(key="~" * 255)).status_code == 200


@pytest.mark.parametrize("depth", [100, 900, 950, 1000])
async def test_a_body_as_deep_as_may_be_is_answered_with_a_key_as_without(api, depth):
    deep = b'{"messages": ' + b"[" * depth + b"]" * depth + b"}"
    answers = [await api.send(CHAT, deep, **h) for h in ({}, {"idempotency-key": "k"})]
    assert [answer.status_code for answer in answers] == [400, 400]


# Streams


async def test_a_stream_is_sent_again_byte_for_byte(ask, num_computed):
    first = await body_of(await ask(stream=True))
    again = await ask(stream=True)
    assert again["content-type"] == "text/event-stream"
    assert is_replayed(again)
    assert await body_of(again) == first
    await until_kept()
    assert await body_of(await ask(stream=True)) == first
    assert first.endswith("data: [DONE]\n\n")
    assert await num_computed() == 1


async def test_a_retry_of_a_running_stream_gets_it_from_the_beginning(
    ask, num_computed, engine_options
):
    engine_options(fake_step_seconds=0.02)
    words = "a b c d e f g h"
    async with reading(await ask(words, stream=True)) as parts:
        begun = [await anext(parts) for _ in range(3)]
        again = await ask(words, stream=True)
        rest = [part async for part in parts]
    assert is_replayed(again)
    assert await body_of(again) == b"".join([*begun, *rest]).decode()
    assert await num_computed() == 1


async def test_a_stream_goes_on_when_its_reader_leaves(ask, num_computed, engine_options):
    engine_options(fake_step_seconds=0.02)
    words = "a b c d e f g h"
    async with reading(await ask(words, stream=True)) as parts:
        begun = [await anext(parts) for _ in range(3)]
    again = await body_of(await ask(words, stream=True))
    assert again.startswith(b"".join(begun).decode())
    assert again.endswith("data: [DONE]\n\n")
    assert await num_computed() == 1


async def test_it_goes_on_with_nobody_there(ask, engine_options):
    engine_options(fake_step_seconds=0.01)
    async with reading(await ask("a b c d", stream=True)) as parts:
        await anext(parts)
    await until_kept()
    assert texts_of(await events_of(await ask("a b c d", stream=True))) == "a b c d "


async def test_an_answer_too_large_to_keep_is_sent_once(ask, monkeypatch):
    monkeypatch.setattr("inference.api.runs.MAX_BYTES", 500)
    first = await ask(stream=True)
    assert texts_of(await events_of(first)) == "a b c "
    await until_kept()
    refused = await ask(stream=True)
    assert code(refused) == (409, "idempotency_answer_too_large")
    assert refused["x-should-retry"] == "false"


async def test_a_stream_that_has_become_too_large_cannot_be_joined(
    ask, monkeypatch, engine_options
):
    engine_options(fake_step_seconds=0.02)
    monkeypatch.setattr("inference.api.runs.MAX_BYTES", 10)
    async with reading(await ask("a " * 50, stream=True)) as parts:
        await anext(parts)
        refused = await ask("a " * 50, stream=True)
    assert code(refused) == (409, "idempotency_answer_too_large")


# Failures


async def test_a_refusal_is_not_remembered(ask, configure, engine_options):
    configure(server={"drain_seconds": 0})  # nobody waits for the end of the first
    engine_options(max_sequences=1, max_waiting=0, fake_step_seconds=0.02)
    async with reading(await ask("a", key="other", stream=True, ignore_eos=True)) as running:
        await anext(running)
        refused = await ask()
    assert code(refused) == (429, "rate_limit_exceeded")
    assert int(refused["retry-after"]) >= 1
    assert not await IdempotentAnswer.objects.filter(key="k").aexists()


async def test_a_request_that_was_wrong_may_come_again_set_right(ask):
    assert code(await ask(temperature=9)) == (400, "invalid_request_error")
    answer = await ask(temperature=1)
    assert (answer.status_code, is_replayed(answer)) == (200, False)


async def test_a_failed_answer_is_computed_anew(ask, num_computed):
    failures = [await ask("fail") for _ in range(2)]
    assert [response.status_code for response in failures] == [500, 500]
    assert not any(map(is_replayed, failures))
    assert await num_computed() == 2


async def test_a_stream_that_ended_with_an_error_is_computed_anew(ask, num_computed):
    failed = await ask("a fail", stream=True)
    assert (await events_of(failed))[-1]["error"]["code"] == "engine_error"
    again = await ask("a fail", stream=True)
    assert (await events_of(again))[-1]["error"]["code"] == "engine_error"
    assert (is_replayed(again), await num_computed()) == (False, 2)


async def test_who_reads_of_an_error_and_asks_at_once_begins_anew():
    async def frames():
        yield b"begun"
        raise ZeroDivisionError

    def an_error(error):
        return b"an error"

    async def compute():
        return EventStream(frames(), an_error)

    asked = Asked(
        *("user:1", "k", "f"), is_stream=True, error_frame=an_error, compute=compute, allow=compute
    )
    run, _ = run_of(asked)
    parts = run.parts.reader()
    assert [await anext(parts), await anext(parts)] == [b"begun", b"an error"]
    again, is_new = run_of(asked)
    assert is_new
    assert b"".join([part async for part in again.parts.reader()]) == b"begunan error"


async def test_who_waited_together_hears_of_the_failure_together(ask, num_computed):
    responses = await asyncio.gather(*(ask("fail") for _ in range(3)))
    assert [code(response) for response in responses] == [(500, "engine_error")] * 3
    assert await num_computed() == 1


async def test_a_bug_of_ours_within_a_stream_ends_it_with_an_error(ask, monkeypatch):
    async def broken(*args, **more):
        yield b"data: {}\n\n"
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("inference.api.views.chunks", broken)
    text = await body_of(await ask(stream=True))
    assert '"code":"internal_error"' in text
    assert "secret" not in text
    monkeypatch.undo()
    assert texts_of(await events_of(await ask(stream=True))) == "a b c "


async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(ask, monkeypatch, num_computed):
    def broken(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(rows, "keep", broken)
    first = await ask(stream=True)
    assert (await body_of(first)).endswith("data: [DONE]\n\n")
    monkeypatch.undo()
    again = await ask(stream=True)
    assert (await body_of(again)).endswith("data: [DONE]\n\n")
    assert await num_computed() == 2


# Other server processes


@pytest.fixture
def elsewhere(ask, monkeypatch):
    """A request that another process computes; call what it returns to complete it."""
    monkeypatch.setattr("inference.api.idempotency.POLL_SECONDS", 0.01)

    async def begin(*, lease_ends_in=60, **fields):
        answer = await ask(**fields)
        content = (await body_of(answer)).encode() if answer.streaming else answer.content
        await until_kept()
        ends_at = timezone.now() + timedelta(seconds=lease_ends_in)
        await Lease.objects.acreate(holder=OTHER, expires_at=ends_at)
        await IdempotentAnswer.objects.aupdate(holder=OTHER, status=None, body=None)

        async def complete():
            await IdempotentAnswer.objects.aupdate(status=200, body=content)
            return content

        return complete

    return begin


@pytest.fixture
def num_claims(monkeypatch):
    """How often a row was asked for."""
    claims, claim = [], rows.claim

    def counted(*args):
        claims.append(args)
        return claim(*args)

    monkeypatch.setattr(rows, "claim", counted)
    return lambda: len(claims)


async def test_a_retry_waits_for_what_another_process_computes(
    ask, elsewhere, num_claims, num_computed
):
    complete = await elsewhere()
    num_before = num_claims()
    retry = asyncio.create_task(ask())

    async def has_asked_again():
        return num_claims() >= num_before + 3

    await eventually(has_asked_again)
    assert not retry.done()
    content = await complete()
    assert ((await retry).content, is_replayed(await retry)) == (content, True)
    assert await num_computed() == 1


async def test_comments_keep_a_stream_open_that_another_process_computes(
    ask, elsewhere, num_computed
):
    complete = await elsewhere(stream=True)
    response = await ask(stream=True)
    async with reading(response) as parts:
        assert [await anext(parts) for _ in range(3)] == [b": keepalive\n\n"] * 3
        content = await complete()
        rest = b"".join([part async for part in parts])
    assert rest.replace(b": keepalive\n\n", b"") == content
    assert is_replayed(response)
    assert await num_computed() == 1


async def test_another_body_is_refused_whoever_computes(ask, elsewhere):
    await elsewhere(stream=True)
    assert code(await ask(stream=True, seed=1)) == (409, "idempotency_key_reused")


async def test_what_another_process_gave_up_is_computed_here(ask, elsewhere, num_computed):
    await elsewhere(stream=True)
    async with reading(await ask(stream=True)) as parts:
        await anext(parts)
        await IdempotentAnswer.objects.all().adelete()
        rest = b"".join([part async for part in parts])
    assert rest.endswith(b"data: [DONE]\n\n")
    assert await num_computed() == 2


async def test_a_refusal_after_waiting_is_an_event(ask, elsewhere, monkeypatch):
    await elsewhere(stream=True)
    async with reading(await ask(stream=True)) as parts:
        await anext(parts)
        await IdempotentAnswer.objects.aupdate(status=200, body=None)
        rest = b"".join([part async for part in parts])
    assert b'"code":"idempotency_answer_too_large"' in rest
    assert b"[DONE]" not in rest


async def test_what_a_dead_process_left_is_computed_here(ask, elsewhere, num_computed):
    await elsewhere(lease_ends_in=-1)
    answer = await ask()
    assert (answer.status_code, is_replayed(answer)) == (200, False)
    await until_kept()
    assert (await IdempotentAnswer.objects.aget()).holder == rows.HOLDER
    assert await num_computed() == 2


async def test_an_expired_answer_is_computed_anew(ask, num_computed):
    await ask()
    await until_kept()
    await IdempotentAnswer.objects.aupdate(created_at=timezone.now() - timedelta(hours=25))
    answer = await ask("x y")
    assert answer.json()["choices"][0]["message"]["content"] == "x y "
    assert (is_replayed(answer), await num_computed()) == (False, 2)
