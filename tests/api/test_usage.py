"""However a request ends: the ledger knows, its tokens are counted, and nothing stays reserved."""

import asyncio
import os
import signal
import threading
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import DatabaseError
from django.db.models import Sum
from django.test import AsyncRequestFactory
from django.utils import timezone

from accounts import accounting
from accounts.callers import caller_of
from accounts.models import PromptRecord, UsageRecord
from inference import runtime
from inference.admission import account
from inference.admission.account import Account
from inference.admission.asker import Asker
from inference.api.views import CompletionsView
from inference.engine import EngineRestarting

from .client import body_of, eventually, reading

STEP_SECONDS = 0.1  # of the fake engine: what it says is read before it says more
COMPLETION = {"model": "fake", "prompt": "a b c", "max_tokens": 4}

# What is asked for; how it ends; tokens of the prompt and the answer.
ENDS = [
    ("a b c", {}, "stop", (3, 4)),
    ("a b c", {"max_tokens": 2}, "length", (3, 2)),
    ("a b fail", {}, "decode_failed", (3, 2)),
    ("a b crash", {}, "engine_restarting", (3, 2)),
    ("fail", {}, "decode_failed", (0, 0)),
]

pytestmark = pytest.mark.usefixtures("fake_model", "leave_no_connection")


@pytest.fixture(autouse=True)
def keys_required(configure):
    cache.clear()
    configure(security={"enable_auth": True}, limits={"default_rate_limit_per_minute": 0})


FAR_AWAY = {"tokens_per_month": 1_000_000, "tokens_per_day": 100_000, "max_running": 50}


@pytest.fixture
async def alice(alice):
    """She has quotas at every level."""
    for level in ("key", "user", "group"):
        await alice.rules(level, **FAR_AWAY)
    return alice


@pytest.fixture
def slowly(engine_options):
    engine_options(fake_step_seconds=STEP_SECONDS)


async def records() -> list[UsageRecord]:
    """All that there are, once none runs."""

    async def have_ended():
        return not await UsageRecord.objects.filter(status="running").aexists()

    await eventually(have_ended)
    return [record async for record in UsageRecord.objects.order_by("pk")]


async def the_record() -> UsageRecord:
    [record] = await records()
    return record


async def windows(who) -> dict[str, set[tuple[int, int]]]:
    """Used and reserved of all their levels, by period."""
    counts = await who.counts()
    return {
        period: {(c.used, c.reserved) for c in counts if c.quota.period == period}
        for period in ("day", "month", "running")
    }


async def assert_all_is_settled(who):
    """Nobody holds anything, and their quotas and the ledger agree."""
    tokens = sum(record.total_tokens for record in await records())
    settled = {"day": {(tokens, 0)}, "month": {(tokens, 0)}, "running": {(0, 0)}}
    assert await windows(who) == settled
    held = UsageRecord.objects.filter(reserved__gt=0) | UsageRecord.objects.exclude(claims=[])
    assert not await held.aexists()


async def has_begun():
    return await UsageRecord.objects.filter(status="running").aexists()


@pytest.mark.usefixtures("slowly")
class TestEveryEnd:
    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(("prompt", "fields", "status", "tokens"), ENDS)
    async def test_is_counted(self, alice, stream, prompt, fields, status, tokens):
        await body_of(await alice.api.chat(prompt, stream=stream, **fields))
        record = await the_record()
        assert (record.status, record.prompt_tokens, record.completion_tokens) == (status, *tokens)
        await assert_all_is_settled(alice)

    @pytest.mark.parametrize("body", [COMPLETION, {**COMPLETION, "stream": True}])
    async def test_of_the_older_dialect_is_counted(self, alice, body):
        response = await alice.api.post("/completions", body)
        assert response.status_code == 200
        await body_of(response)
        record = await the_record()
        assert (record.endpoint, record.status, record.total_tokens) == ("completions", "stop", 7)
        await assert_all_is_settled(alice)

    async def test_when_the_reader_of_a_stream_leaves_is_counted(self, alice):
        response = await alice.api.chat("a", stream=True, ignore_eos=True)
        async with reading(response) as parts:
            for _ in range(4):  # the role, and three tokens
                await anext(parts)
            assert await has_begun()
        record = await the_record()
        assert (record.status, record.prompt_tokens) == ("cancelled", 1)
        assert 3 <= record.completion_tokens < 100
        await assert_all_is_settled(alice)

    async def test_when_a_stream_is_never_read_is_counted(self, alice):
        body = {"model": "fake", "prompt": "a", "stream": True, "ignore_eos": True}
        headers = {"authorization": f"Bearer {alice.text}"}
        request = AsyncRequestFactory().post("/", body, "application/json", headers=headers)
        response = await CompletionsView.as_view()(request)
        assert await has_begun()
        assert response.streaming
        del response
        assert (await the_record()).status == "cancelled"
        await assert_all_is_settled(alice)

    async def test_when_whoever_waits_for_an_answer_leaves_is_counted(self, alice):
        asked = asyncio.create_task(alice.api.chat("a", ignore_eos=True))
        await eventually(has_begun)
        asked.cancel()
        assert (await the_record()).status == "cancelled"
        await assert_all_is_settled(alice)

    async def test_is_in_the_ledger_when_the_client_hears_of_it(self, alice):
        await alice.api.chat()
        assert not await has_begun()
        await body_of(await alice.api.chat(stream=True))
        assert not await has_begun()

    async def test_takes_its_time(self, alice):
        await alice.api.chat("a b c")
        record = await the_record()
        assert record.queued_seconds >= 0
        assert record.prefill_seconds >= STEP_SECONDS
        assert record.decode_seconds >= STEP_SECONDS * 3


class TestAtAdmission:
    """While the quotas are asked, anything can happen."""

    @pytest.fixture
    def gate(self, monkeypatch):
        """Quotas answer once it is open."""
        gate, begin = threading.Event(), accounting.begin
        gate.asked = threading.Event()

        def begin_later(*args):
            gate.asked.set()
            assert gate.wait(20)
            return begin(*args)

        monkeypatch.setattr(accounting, "begin", begin_later)
        yield gate
        gate.set()

    async def until_asked(self, gate):
        async def is_asked():
            return gate.asked.is_set()

        await eventually(is_asked)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_client_that_leaves_has_used_nothing(self, alice, gate, stream):
        asked = asyncio.create_task(alice.api.chat("a", stream=stream, ignore_eos=True))
        await self.until_asked(gate)
        asked.cancel()
        await asyncio.wait([asked])
        gate.set()
        await eventually(UsageRecord.objects.aexists)
        record = await the_record()
        assert (record.status, record.total_tokens) == ("cancelled", 0)
        await assert_all_is_settled(alice)

    async def test_an_engine_that_dies_has_used_nothing(self, alice, gate):
        asked = asyncio.create_task(alice.api.chat("a"))
        await self.until_asked(gate)
        os.kill(runtime.status()["fake"].pid, signal.SIGKILL)

        async def is_dead():
            return runtime.status()["fake"].state == "crashed"

        await eventually(is_dead)
        gate.set()
        response = await asked
        assert (response.status_code, response.json()["error"]["code"]) == (
            503,
            "engine_restarting",
        )
        record = await the_record()
        assert (record.status, record.total_tokens) == ("engine_restarting", 0)
        await assert_all_is_settled(alice)

    async def test_an_engine_that_has_died_before_holds_nothing(self, alice):
        caller = await sync_to_async(caller_of)(alice.user, alice.key)
        account = Account(Asker(caller, "chat"), "fake", "messages", is_limited=False)
        account.end(EngineRestarting("It died when it had accepted the request."))
        assert await account.admit(3, 10) == 10
        record = await the_record()
        assert (record.status, record.total_tokens) == ("engine_restarting", 0)
        await assert_all_is_settled(alice)

    async def test_a_database_that_fails_lets_nobody_through(self, alice, monkeypatch):
        def fail(*args):
            raise OSError("the disk is full")

        monkeypatch.setattr(accounting, "begin", fail)
        response = await alice.api.chat()
        assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
        assert await records() == []


class TestARecord:
    async def test_says_who_what_and_from_where(self, alice):
        messages = [{"role": "user", "content": "a"}]
        body = {"model": "gpt-fake", "messages": messages}
        before = timezone.now()
        response = await alice.api.post("/v1/chat/completions", body, **{"user-agent": "u" * 300})
        record = await the_record()
        assert (record.user_id, record.key_id) == (alice.user.pk, alice.key.pk)
        assert (record.owner, record.key_label) == ("alice", str(alice.key))
        assert (record.model, record.endpoint) == ("fake", "chat")
        assert record.request_id == response["x-request-id"]
        assert (record.address, record.client) == ("127.0.0.1", "u" * 200)
        assert before <= record.at <= timezone.now()

    async def test_is_made_for_each_prompt(self, alice):
        response = await alice.api.complete(["a", "b c", "d e f"])
        made = await records()
        assert [record.prompt_tokens for record in made] == [1, 2, 3]
        assert {record.request_id for record in made} == {response["x-request-id"]}
        usage = response.json()["usage"]
        assert sum(record.total_tokens for record in made) == usage["total_tokens"]
        await assert_all_is_settled(alice)

    async def test_is_kept_of_prompts_whose_sibling_fails(self, alice, engine_options):
        engine_options(fake_step_seconds=0.02)
        response = await alice.api.complete(["a " * 200, "b fail", "c " * 200])
        assert response.status_code == 500
        made = await records()
        statuses = {record.status for record in made}
        assert (len(made), statuses - {"cancelled"}) == (3, {"decode_failed"})
        await assert_all_is_settled(alice)

    async def test_is_kept_of_prompts_whose_sibling_is_refused(self, bob, engine_options):
        engine_options(fake_step_seconds=0.5)  # none has ended when the third is asked
        await bob.rules(**FAR_AWAY | {"tokens_per_month": 20})
        response = await bob.api.complete(["a", "b", "c"], max_tokens=8)
        assert response.json()["error"]["code"] == "rate_limit_exceeded"
        made = await records()
        assert (len(made), {record.status for record in made}) == (2, {"cancelled"})
        await assert_all_is_settled(bob)

    async def test_has_the_prompt_of_several_answers_once(self, alice):
        response = await alice.api.complete("a b c", n=3, max_tokens=2)
        made = await records()
        assert response.json()["usage"]["total_tokens"] == 3 + 3 * 2
        tokens = sorted((record.prompt_tokens, record.completion_tokens) for record in made)
        assert tokens == [(0, 2), (0, 2), (3, 2)]
        await assert_all_is_settled(alice)

    @pytest.mark.parametrize(("n", "status"), [(2, 200), (3, 429)])
    async def test_is_reserved_for_one_prompt_and_every_answer(self, bob, n, status):
        await bob.rules(**FAR_AWAY | {"tokens_per_month": 3 + 2 * 8})
        response = await bob.api.complete("a b c", n=n, max_tokens=8)
        assert response.status_code == status
        await records()
        await assert_all_is_settled(bob)

    async def test_is_made_once_for_requests_with_one_idempotency_key(self, alice):
        for _ in range(2):
            await alice.api.post("/v1/completions", COMPLETION, **{"idempotency-key": "k"})
        assert (await the_record()).total_tokens == 7
        await assert_all_is_settled(alice)

    @pytest.mark.parametrize("fields", [{"model": "nobody's"}, {"prompt": "a " * 4096}, {"n": 0}])
    async def test_is_not_made_of_what_is_refused(self, alice, fields):
        body = {**COMPLETION, **fields}
        assert (await alice.api.post("/v1/completions", body)).status_code in (400, 404)
        assert await records() == []

    async def test_is_not_made_where_the_queue_is_full(self, alice, engine_options):
        engine_options(max_sequences=1, max_waiting=0, fake_step_seconds=0.02)
        async with reading(await alice.api.chat(stream=True, ignore_eos=True)) as running:
            await anext(running)
            assert (await alice.api.chat()).status_code == 429
        assert (await the_record()).status == "cancelled"
        await assert_all_is_settled(alice)

    @pytest.mark.parametrize("word", ["xylophone", "xylophone fail", "xylophone crash"])
    @pytest.mark.parametrize("stream", [False, True])
    async def test_holds_no_word_of_prompt_or_answer(self, alice, word, stream):
        response = await alice.api.chat(f"the {word}", stream=stream, max_tokens=50)
        await body_of(response)
        record = await the_record()
        written = {name: str(value) for name, value in vars(record).items()}
        assert not [name for name, value in written.items() if "xylophone" in value]
        assert not await PromptRecord.objects.aexists()


class TestPromptLogs:
    async def logged(self) -> PromptRecord:
        await records()
        await eventually(PromptRecord.objects.aexists)
        return await PromptRecord.objects.aget()

    @pytest.fixture
    async def consent(self, alice):
        alice.user.policy.log_prompts = True
        await alice.user.policy.asave()

    @pytest.mark.usefixtures("consent")
    @pytest.mark.parametrize("stream", [False, True])
    async def test_hold_prompt_and_answer_where_a_level_says_so(self, alice, stream):
        response = await alice.api.chat("a b", stream=stream)
        await body_of(response)
        log, record = await self.logged(), await the_record()
        assert log.prompt["messages"] == [{"role": "user", "content": "a b"}]
        assert log.answer == "a b "
        assert (log.uid, log.request_id) == (record.uid, record.request_id)
        assert (log.owner, log.user_id, log.model) == ("alice", alice.user.pk, "fake")

    @pytest.mark.usefixtures("consent")
    async def test_hold_texts_and_tokens_as_they_were_given(self, alice):
        await alice.api.complete(["a b", "c"])
        await alice.api.complete([1, 1])
        await records()

        async def are_all_there():
            return await PromptRecord.objects.acount() == 3

        await eventually(are_all_there)
        prompts = [log.prompt async for log in PromptRecord.objects.order_by("pk")]
        assert sorted(prompts, key=str) == [{"text": "a b"}, {"text": "c"}, {"tokens": [1, 1]}]

    @pytest.mark.usefixtures("consent")
    async def test_hold_what_a_reader_who_left_has_got(self, alice, engine_options):
        engine_options(fake_step_seconds=STEP_SECONDS)
        async with reading(await alice.api.chat("a b", stream=True, ignore_eos=True)) as parts:
            for _ in range(3):  # the role, and two tokens
                await anext(parts)
        assert (await self.logged()).answer.startswith("a b ")

    @pytest.mark.usefixtures("consent")
    async def test_hold_nothing_if_one_level_says_no(self, alice):
        alice.key.policy.log_prompts = False
        await alice.key.policy.asave()
        await alice.api.chat("a b")
        assert (await the_record()).status == "stop"
        assert not await PromptRecord.objects.aexists()

    @pytest.mark.usefixtures("consent")
    async def test_hold_nothing_of_others(self, bob):
        await bob.api.chat("a b")
        assert (await the_record()).owner == "bob"
        assert not await PromptRecord.objects.aexists()


class TestV1Usage:
    async def asked(self, who, query=""):
        return (await who.api.get(f"/v1/usage{query}")).json()

    async def used(self, who, days_ago=0, **columns):
        usual = {"owner": "alice", "user": who.user, "key": who.key, "endpoint": "chat"}
        usual |= {"status": "stop", "prompt_tokens": 5, "cached_tokens": 2, "completion_tokens": 3}
        usual |= {"uid": uuid.uuid4(), "at": timezone.now() - timedelta(days=days_ago)}
        await UsageRecord.objects.acreate(**usual | columns)

    async def test_has_a_row_for_each_day_and_model(self, alice):
        for days_ago, model in [(0, "m"), (0, "m"), (0, "n"), (1, "m")]:
            await self.used(alice, days_ago, model=model)
        told = await self.asked(alice)
        today = timezone.now().date()
        yesterday = today - timedelta(days=1)
        rows = [(row["date"], row["model"], row["requests"]) for row in told["data"]]
        assert rows == [(f"{yesterday}", "m", 1), (f"{today}", "m", 2), (f"{today}", "n", 1)]
        assert told["total"] == {
            "requests": 4,
            "failures": 0,
            "prompt_tokens": 20,
            "cached_tokens": 8,
            "completion_tokens": 12,
        }

    async def test_counts_failures_among_the_requests(self, alice):
        for status in ("stop", "length", "cancelled", "running", "decode_failed", "lost"):
            await self.used(alice, model="m", status=status)
        total = (await self.asked(alice))["total"]
        assert (total["requests"], total["failures"]) == (6, 2)

    @pytest.mark.parametrize(("days", "requests"), [(1, 1), (2, 2), (30, 3), (366, 4)])
    async def test_goes_back_as_far_as_it_is_asked_to(self, alice, days, requests):
        for days_ago in (0, 1, 29, 365):
            await self.used(alice, days_ago, model="m")
        told = await self.asked(alice, f"?days={days}")
        assert (told["days"], told["total"]["requests"]) == (days, requests)

    async def test_begins_with_the_first_moment_of_a_day(self, alice, monkeypatch):
        late = timezone.now().replace(hour=23, minute=59, second=59, microsecond=999_999)
        monkeypatch.setattr("django.utils.timezone.now", lambda: late)
        midnight = late.replace(hour=0, minute=0, second=0, microsecond=0)
        await self.used(alice, model="m", at=midnight)
        await self.used(alice, model="m", at=midnight - timedelta(microseconds=1))
        assert (await self.asked(alice, "?days=1"))["total"]["requests"] == 1

    @pytest.mark.parametrize(
        "days", ["", "0", "367", "-1", "1.5", "x", "%C2%B2", "0000000019999999999", "9" * 5000]
    )
    async def test_refuses_what_is_no_number_of_days(self, alice, days):
        response = await alice.api.get(f"/v1/usage?days={days}")
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, "days")
        assert error["message"].endswith("is not a number from 1 to 366")
        assert len(error["message"]) < 100

    async def test_tells_where_the_quotas_stand(self, alice, engine_options):
        engine_options(fake_step_seconds=0.02)
        response = await alice.api.chat("a b c", stream=True, max_tokens=500, ignore_eos=True)
        async with reading(response) as running:
            await anext(running)
            during = {(q["rule"], q["level"]): q for q in (await self.asked(alice))["quotas"]}
        day, at_once = [during[name, "user alice"] for name in ("tokens_per_day", "max_running")]
        assert (day["limit"], day["used"], day["reserved"]) == (100_000, 0, 503)
        assert day["remaining"] == 100_000 - 503
        assert day["resets_at"].endswith("T00:00:00Z")
        assert (at_once["reserved"], at_once["remaining"], at_once["resets_at"]) == (1, 49, None)
        used = (await the_record()).total_tokens
        after = (await self.asked(alice))["quotas"]
        assert {(q["used"], q["reserved"]) for q in after} == {(used, 0), (0, 0)}

    async def test_is_free(self, alice):
        await self.asked(alice)
        assert await records() == []


class TestManyAtOnce:
    """Thirty requests, where the limits are for a few."""

    async def ask(self, who, **fields):
        return await asyncio.gather(*(who.api.chat("a b c", **fields) for _ in range(30)))

    async def leave(self, responses):
        """As their readers do after the first part."""
        async with AsyncExitStack() as stack:
            for response in responses:
                await anext(await stack.enter_async_context(reading(response)))

    @pytest.mark.parametrize("level", ["key", "user", "group"])
    async def test_no_more_run_than_may(self, bob, level, engine_options):
        engine_options(fake_step_seconds=0.02)
        await bob.rules(level, **FAR_AWAY | {"max_running": 3})
        responses = await self.ask(bob, stream=True, ignore_eos=True, max_tokens=2000)
        assert Counter(response.status_code for response in responses) == {200: 3, 429: 27}
        assert (await windows(bob))["running"] == {(0, 3)}
        await self.leave(response for response in responses if response.status_code == 200)
        assert [record.status for record in await records()] == ["cancelled"] * 3
        await assert_all_is_settled(bob)

    @pytest.mark.parametrize("level", ["key", "user", "group"])
    async def test_no_more_tokens_are_reserved_than_there_are(self, bob, level, engine_options):
        engine_options(fake_step_seconds=0.02)
        await bob.rules(level, **FAR_AWAY | {"tokens_per_day": 10 * 1003})
        responses = await self.ask(bob, stream=True, ignore_eos=True, max_tokens=1000)
        assert Counter(response.status_code for response in responses) == {200: 10, 429: 20}
        assert (await windows(bob))["day"] == {(0, 10_030)}
        await self.leave(response for response in responses if response.status_code == 200)
        assert len(await records()) == 10
        await assert_all_is_settled(bob)

    async def test_what_is_used_fits_exactly(self, bob):
        await bob.rules(**FAR_AWAY | {"tokens_per_day": 10 * 7})
        responses = await self.ask(bob, max_tokens=4)
        codes = [response.json().get("error", {}).get("code") for response in responses]
        assert Counter(codes)[None] == 10
        assert (await windows(bob))["day"] == {(70, 0)}
        await assert_all_is_settled(bob)

    async def test_who_comes_and_goes_leaves_nothing_behind(self, bob):
        await bob.rules(**FAR_AWAY | {"tokens_per_day": 100, "max_running": 5})
        most = 0

        async def watch():
            nonlocal most
            while True:
                running = (await windows(bob))["running"]
                most = max([most, *(reserved for _, reserved in running)])

        watching = asyncio.create_task(watch())
        for _ in range(3):
            await self.ask(bob, max_tokens=20)
        watching.cancel()
        assert 1 <= most <= 5
        answered = await UsageRecord.objects.aaggregate(p=Sum("prompt_tokens"))
        assert 0 < answered["p"] <= 100
        await assert_all_is_settled(bob)


async def test_a_ledger_that_fails_for_a_moment_is_written_all_the_same(alice, monkeypatch):
    finish, failures = accounting.finish, [DatabaseError("locked"), DatabaseError("locked")]

    def fails_twice(*args):
        if failures:
            raise failures.pop()
        return finish(*args)

    monkeypatch.setattr(accounting, "finish", fails_twice)
    monkeypatch.setattr(account, "LONGEST_WAIT_SECONDS", 0)
    assert (await alice.api.complete("a b")).status_code == 200
    assert (await the_record()).status == "stop"
