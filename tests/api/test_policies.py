"""Rules of keys, people and groups: what is refused, how it is told, and what that costs."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar

import pytest
from django.core.cache import cache

from accounts.models import Policy, UsageRecord, User
from accounts.models.policy import Endpoint

from .client import Api, body_of, eventually, reading

OPERATOR = "a-key-of-the-configuration"
NOW = datetime(2026, 5, 31, 12, 0, 30, tzinfo=UTC)
LEVELS = ["key", "user", "group"]

# Status, type, code and param of what the rule refuses.
FORBIDDEN = (403, "permission_error", "permission_denied", None)
TOO_LARGE = (400, "invalid_request_error", "limit_exceeded", "messages")
BODY_TOO_LARGE = (413, "invalid_request_error", "request_too_large", None)
FOR_NOW = (429, "rate_limit_error", "rate_limit_exceeded", None)
FOR_LONG = (429, "insufficient_quota", "insufficient_quota", None)

# Values that refuse the second request of `a b c`, or the first: one takes 7 tokens.
RULES = {
    "allowed_models": (["other*"], FORBIDDEN),
    "allowed_endpoints": (["models", "usage"], FORBIDDEN),
    "allowed_addresses": (["10.0.0.0/8"], FORBIDDEN),
    "expires_at": (NOW, FORBIDDEN),
    "requests_per_minute": (1, FOR_NOW),
    "tokens_per_minute": (8, FOR_NOW),
    "tokens_per_day": (8, FOR_LONG),
    "tokens_per_month": (8, FOR_LONG),
    "max_running": (0, FOR_NOW),
    "max_prompt_tokens": (2, TOO_LARGE),
    "max_prompt_characters": (4, TOO_LARGE),
    "max_messages": (0, TOO_LARGE),
    "max_body_kb": (0, BODY_TOO_LARGE),
}
# These refuse no chat that is like others.
OTHERS = {
    *("max_output_tokens", "max_computed", "scheduler_class", "deterministic"),
    "log_prompts",
}

COMPLETION = {"model": "fake", "prompt": "a b c", "max_tokens": 4}
OLDER_CHAT = {"model-name": "fake", "prompt": "a b c", "max-token": 4}

pytestmark = pytest.mark.usefixtures("fake_model", "leave_no_connection")


@pytest.fixture(autouse=True)
def keys_required(configure):
    cache.clear()
    configure(
        security={"enable_auth": True, "api_keys": [OPERATOR]},
        limits={"default_rate_limit_per_minute": 0},
    )


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """No minute ends while a test runs."""
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr("django.utils.timezone.now", lambda: clock.now)
    seconds = SimpleNamespace(time=lambda: clock.now.timestamp())
    monkeypatch.setattr("django_ratelimit.core.time", seconds)
    return clock


def refusal(response):
    body = response.json()
    assert body.keys() == {"error"}
    error = body["error"]
    return response.status_code, error["type"], error["code"], error["param"]


def message(response):
    return response.json()["error"]["message"]


def test_every_rule_is_tested():
    fields = {field.name for field in Policy._meta.fields}
    assert {*RULES, *OTHERS} == fields - {"id", "group", "user", "key"}


class TestEveryRule:
    @pytest.mark.parametrize("level", LEVELS)
    @pytest.mark.parametrize("rule", RULES)
    async def test_refuses_and_says_whose_it_is(self, alice, rule, level):
        value, expected = RULES[rule]
        await alice.rules(level, **{rule: value})
        await alice.api.chat()
        refused = await alice.api.chat()
        assert refusal(refused) == expected
        assert f"(rule {rule} of {alice.label(level)})" in message(refused)

    @pytest.mark.parametrize("rule", RULES)
    async def test_costs_nothing_when_it_refuses(self, alice, rule):
        async def all_that_counts():
            return (
                await operator.metric("llmsite_tokens_total"),
                await operator.metric("llmsite_requests_total"),
                await UsageRecord.objects.acount(),
                await alice.counts(),
            )

        async def is_idle():
            gauges = ("requests_running", "requests_waiting", "kv_cache_cells_used")
            return not any([await operator.metric(f"llmsite_{name}") for name in gauges])

        operator = Api(OPERATOR)
        value, (status, *_) = RULES[rule]
        await alice.rules("user", **{rule: value})
        await alice.api.chat()
        before = await all_that_counts()
        refused = await alice.api.chat(stream=True)
        assert (refused.status_code, refused["content-type"]) == (status, "application/json")
        await eventually(is_idle)
        assert await all_that_counts() == before

    @pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "max_messages"])
    async def test_refuses_in_the_older_dialect_too(self, alice, rule):
        value, (status, *_) = RULES[rule]
        await alice.rules("user", **{rule: value})
        await alice.api.post("/completions", COMPLETION)
        refused = await alice.api.post("/completions", COMPLETION)
        assert refused.status_code == status
        assert f"(rule {rule} of user alice)" in refused.json()["error"]

    async def test_about_messages_holds_in_the_older_dialects_chats(self, alice):
        await alice.rules(max_messages=1)  # and a system prompt comes by itself
        refused = await alice.api.post("/chat/completions", OLDER_CHAT)
        assert refused.status_code == 400
        assert refused.json()["error"].startswith("messages: their number is 2, and 1 is the most")

    @pytest.mark.parametrize("rule", RULES)
    async def test_is_nothing_to_others(self, alice, charlie, rule):
        value, _ = RULES[rule]
        await alice.rules("group", **{rule: value})
        await charlie.api.chat()
        assert (await charlie.api.chat()).status_code == 200

    async def test_holds_beside_those_of_other_levels(self, alice):
        await alice.rules("key", tokens_per_day=1000, allowed_models=["fake"])
        await alice.rules("user", tokens_per_day=8)
        await alice.rules("group", tokens_per_day=500)
        await alice.api.chat()
        assert "(rule tokens_per_day of user alice)" in message(await alice.api.chat())
        counts = (await alice.api.get("/v1/usage")).json()["quotas"]
        assert [count["used"] for count in counts] == [7, 7, 7]


class TestWhenToComeBack:
    async def refused(self, alice, rule):
        await alice.rules(**{rule: RULES[rule][0]})
        await alice.api.chat()
        return await alice.api.chat()

    @pytest.mark.parametrize(
        ("rule", "seconds"), [("tokens_per_minute", "30"), ("max_running", "5")]
    )
    async def test_is_told_where_it_is_soon(self, alice, rule, seconds):
        refused = await self.refused(alice, rule)
        assert refused["retry-after"] == seconds
        assert "x-should-retry" not in refused

    async def test_is_when_the_count_of_requests_starts_anew(self, alice, clock):
        refused = await self.refused(alice, "requests_per_minute")
        seconds = int(refused["retry-after"])
        assert refused["x-ratelimit-reset-requests"] == f"{seconds}s"
        assert f"It resets in {seconds} s." in message(refused)
        clock.now += timedelta(seconds=seconds)
        assert (await alice.api.chat()).status_code == 200

    async def test_is_when_the_minute_ends(self, alice, clock):
        refused = await self.refused(alice, "tokens_per_minute")
        clock.now += timedelta(seconds=int(refused["retry-after"]))
        assert (await alice.api.chat()).status_code == 200

    @pytest.mark.parametrize("rule", ["tokens_per_day", "tokens_per_month"])
    async def test_is_no_programs_business_where_it_is_late(self, alice, clock, rule):
        refused = await self.refused(alice, rule)
        assert refused["x-should-retry"] == "false"
        assert "retry-after" not in refused
        assert "It starts anew at 2026-06-01 00:00 UTC." in message(refused)
        clock.now = datetime(2026, 6, 1, tzinfo=UTC)
        assert (await alice.api.chat()).status_code == 200

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/completions", COMPLETION),
            ("/completions", {**COMPLETION, "stream": True}),
            ("/chat/completions", {**OLDER_CHAT, "system-prompt": ""}),
        ],
    )
    async def test_is_told_in_the_older_dialect_too(self, alice, bob, charlie, path, body):
        await alice.rules(tokens_per_minute=8)
        await bob.rules(tokens_per_day=8)
        await charlie.rules(requests_per_minute=1)
        people = (alice, bob, charlie)
        for who in people:
            await body_of(await who.api.post(path, body))
        soon, late, next_minute = [await who.api.post(path, body) for who in people]
        assert (soon.status_code, soon["retry-after"]) == (429, "30")
        assert (late.status_code, late["x-should-retry"]) == (429, "false")
        assert "retry-after" not in late
        assert next_minute.status_code == 429
        assert next_minute["X-RateLimit-Reset"] == next_minute["retry-after"]

    @pytest.mark.parametrize("path", ["/v1/models", "/models"])
    async def test_is_told_to_strangers(self, configure, api, path):
        configure(limits={"default_rate_limit_per_minute": 1})
        assert (await api.get(path)).status_code == 401
        refused = await api.get(path)
        assert refused.status_code == 429
        assert refused["x-ratelimit-reset-requests"] == f"{refused['retry-after']}s"

    async def test_is_when_another_request_ends(self, alice, engine_options):
        engine_options(fake_step_seconds=0.02)
        await alice.rules(max_running=1)
        async with reading(await alice.api.chat(stream=True, ignore_eos=True)) as running:
            await anext(running)
            refused = await alice.api.chat()
            assert message(refused).startswith("1 requests run at once, which is the limit")

        async def is_answered():
            return (await alice.api.chat()).status_code == 200

        await eventually(is_answered)


class TestComputedAtOnce:
    """`max_computed`: what is too much waits, and others pass it."""

    async def first_token(self, parts):
        while b'"content":"a ' not in await anext(parts):
            pass

    @pytest.mark.parametrize("level", ["key", "user", "group"])
    async def test_waits_for_what_runs(self, alice, bob, engine_options, level):
        engine_options(fake_step_seconds=0.02)
        await alice.rules(level, max_computed=1)
        if level == "group":
            await bob.joined_team()
        endless = {"stream": True, "ignore_eos": True}
        async with reading(await alice.api.chat("a", **endless)) as running:
            await self.first_token(running)
            waiting = asyncio.create_task(alice.api.chat("a"))
            others = asyncio.create_task(bob.api.chat("a"))
            done, _ = await asyncio.wait([others], timeout=None if level != "group" else 0.5)
            assert not waiting.done()
            assert bool(done) is (level != "group"), "a group's number is one for all of it"
        assert (await waiting).status_code == (await others).status_code == 200

    async def test_another_key_has_its_own(self, alice, engine_options):
        engine_options(fake_step_seconds=0.02)
        phone = await alice.another_key()
        await alice.rules("key", max_computed=1)
        async with reading(await alice.api.chat("a", stream=True, ignore_eos=True)) as running:
            await self.first_token(running)
            assert (await phone.api.chat("a")).status_code == 200


class TestRequestsPerMinute:
    async def statuses(self, *people):
        return [(await who.api.chat()).status_code for who in people]

    async def test_of_a_key_are_its_own(self, alice):
        phone = await alice.another_key()
        await alice.rules("key", requests_per_minute=1)
        assert await self.statuses(alice, phone, phone, alice) == [200, 200, 200, 429]

    async def test_of_a_person_are_shared_by_their_keys(self, alice, bob):
        phone = await alice.another_key()
        await alice.rules("user", requests_per_minute=2)
        assert await self.statuses(alice, phone, bob, alice, phone) == [200, 200, 200, 429, 429]

    async def test_of_a_group_are_shared_by_its_members(self, alice, bob, charlie):
        await alice.rules("group", requests_per_minute=2)
        await bob.joined_team()
        assert await self.statuses(alice, bob, alice, bob, charlie) == [200, 200, 429, 429, 200]

    async def test_are_told_of_the_level_with_the_fewest_left(self, alice):
        await alice.rules("key", requests_per_minute=9)
        await alice.rules("user", requests_per_minute=3)
        answers = [await alice.api.chat(), await alice.api.chat(temperature=9)]
        told = [
            [answer[f"x-ratelimit-{what}-requests"] for what in ("limit", "remaining")]
            for answer in answers
        ]
        assert told == [["3", "2"], ["3", "1"]]

    async def test_are_told_of_the_servers_limit_if_that_is_lower(self, alice, configure):
        configure(limits={"default_rate_limit_per_minute": 5})
        await alice.rules(requests_per_minute=9)
        assert (await alice.api.chat())["x-ratelimit-remaining-requests"] == "4"


class TestQuotas:
    async def told(self, alice, **fields):
        response = await alice.api.chat(**fields)
        return [response[f"x-ratelimit-{what}-tokens"] for what in ("limit", "remaining", "reset")]

    async def test_say_in_headers_what_the_tightest_has_left(self, alice):
        await alice.rules("key", tokens_per_minute=1000, tokens_per_day=100)
        await alice.rules("user", tokens_per_month=200)
        assert await self.told(alice) == ["100", "93", "43170s"]
        assert await self.told(alice, max_tokens=2) == ["100", "88", "43170s"]

    async def test_count_a_stream_as_what_it_can_become(self, alice):
        await alice.rules(tokens_per_minute=100)
        response = await alice.api.chat(stream=True, max_tokens=20)
        assert response["x-ratelimit-remaining-tokens"] == "77"
        await body_of(response)
        assert await self.told(alice) == ["100", "86", "30s"]

    async def test_say_so_in_the_older_dialect(self, alice):
        await alice.rules(tokens_per_minute=100)
        response = await alice.api.post("/completions", COMPLETION)
        assert response["x-ratelimit-remaining-tokens"] == "93"

    async def test_are_not_mentioned_where_there_are_none(self, alice):
        response = await alice.api.chat()
        assert not [name for name in response.headers if name.lower().startswith("x-ratelimit")]

    async def test_cut_an_answer_whose_length_nobody_asked_for(self, alice):
        await alice.rules(tokens_per_day=5)
        answer = (await alice.api.chat()).json()
        assert answer["usage"]["total_tokens"] == 5
        assert answer["choices"][0]["finish_reason"] == "length"

    async def test_refuse_an_answer_that_would_be_shorter_than_asked_for(self, alice):
        await alice.rules(tokens_per_day=20)
        assert (await alice.api.chat(max_tokens=17)).status_code == 200
        assert refusal(await alice.api.chat(max_tokens=17)) == FOR_LONG
        assert (await alice.api.chat(max_tokens=10)).status_code == 200

    async def test_refuse_what_they_never_have(self, alice):
        await alice.rules("group", tokens_per_day=20)
        refused = await alice.api.chat(max_tokens=18)
        assert refusal(refused) == (400, "invalid_request_error", "limit_exceeded", None)
        said = "The request needs 21 tokens, more than the 20 of a day (rule tokens_per_day of"
        assert message(refused) == f"{said} group team)."

    async def test_that_all_keys_of_a_person_share(self, alice):
        phone = await alice.another_key()
        await alice.rules("user", tokens_per_day=8)
        assert (await alice.api.chat()).status_code == 200
        assert refusal(await phone.api.chat()) == FOR_LONG

    async def test_that_all_members_of_a_group_share(self, alice, bob):
        await alice.rules("group", tokens_per_day=8)
        await bob.joined_team()
        assert (await alice.api.chat()).status_code == 200
        assert refusal(await bob.api.chat()) == FOR_LONG


class TestDeterministicAnswers:
    ALONE: ClassVar = {"deterministic": True, "seed": 1}

    @pytest.mark.parametrize("level", LEVELS)
    @pytest.mark.parametrize("stream", [False, True])
    async def test_are_refused_where_a_level_says_no(self, alice, level, stream):
        await alice.rules(level, deterministic=False)
        assert (await alice.api.chat(stream=stream)).status_code == 200
        for refused in (
            await alice.api.chat(stream=stream, **self.ALONE),
            await alice.api.complete(stream=stream, **self.ALONE),
        ):
            assert refusal(refused) == FORBIDDEN
            assert f"(rule deterministic of {alice.label(level)})" in message(refused)

    async def order(self, alice, bob, engine_options):
        """In which two answers come that wait for another; the deterministic one is asked first."""
        engine_options(fake_step_seconds=0.01, max_sequences=1)
        order = []

        async def ask(person, name, **fields):
            assert (await person.api.chat(**fields)).status_code == 200
            order.append(name)

        async def waiting(number):
            return await Api(OPERATOR).metric("llmsite_requests_waiting") == number

        first = await bob.api.chat(stream=True, max_tokens=4000, ignore_eos=True)
        async with reading(first) as parts:  # for as long as it takes both to come
            await anext(parts)
            alone = asyncio.create_task(ask(alice, "alone", **self.ALONE))
            await eventually(lambda: waiting(1))
            other = asyncio.create_task(ask(bob, "other"))
            await eventually(lambda: waiting(2))
        await asyncio.gather(alone, other)
        return order

    async def test_come_after_everybody_else(self, alice, bob, engine_options):
        assert await self.order(alice, bob, engine_options) == ["other", "alone"]

    async def test_come_in_their_turn_where_a_level_says_yes(self, alice, bob, engine_options):
        await alice.rules(deterministic=True)
        assert await self.order(alice, bob, engine_options) == ["alone", "other"]


class TestSizes:
    @pytest.mark.parametrize("rule", ["max_prompt_tokens", "max_prompt_characters"])
    async def test_of_a_text_name_its_field(self, alice, rule):
        await alice.rules(**{rule: 2})
        assert (await alice.api.complete("a b c")).json()["error"]["param"] == "prompt"

    async def test_are_the_most_that_passes(self, alice):
        await alice.rules(max_prompt_tokens=3, max_prompt_characters=5, max_messages=1)
        assert (await alice.api.chat("a b c")).status_code == 200
        assert refusal(await alice.api.chat("a b cd"))[2:] == ("limit_exceeded", "messages")

    async def test_count_every_message(self, alice):
        await alice.rules(max_prompt_characters=5)
        messages = [{"role": "user", "content": "a b"}] * 2
        refused = await alice.api.chat(messages=messages)
        assert message(refused).startswith("messages: its length is 6, and 5 is the most")

    async def test_count_tools_and_calls_too(self, alice):
        await alice.rules(max_prompt_characters=200)
        function = {"name": "f", "arguments": "b" * 200}
        tool = {"type": "function", "function": {"name": "f", "description": "b" * 200}}
        called = {"role": "assistant", "tool_calls": [{"id": "1", "function": function}]}
        assert (await alice.api.chat("a")).status_code == 200
        for fields in ({"tools": [tool]}, {"messages": [called]}):
            refused = await alice.api.chat("a", **fields)
            assert "rule max_prompt_characters of key" in message(refused)

    async def test_of_the_body_are_kilobytes(self, alice):
        await alice.rules(max_body_kb=1)
        body = b'{"model": "fake", "prompt": "a"}'
        fits, refused = [
            await alice.api.send("/v1/completions", body.ljust(size)) for size in (1024, 1025)
        ]
        assert fits.status_code == 200
        assert refusal(refused) == BODY_TOO_LARGE
        said = f"The request is larger than 1024 bytes (rule max_body_kb of {alice.label('key')})."
        assert message(refused) == said

    async def test_of_the_body_are_the_servers_if_that_takes_less(self, alice, configure):
        configure(limits={"max_body_mb": 0.0001})
        await alice.rules(max_body_kb=1)
        said = "The request is larger than 104 bytes (rule limits.max_body_mb of the server)."
        assert message(await alice.api.chat("a" * 100)) == said

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (
                "/v1/chat/completions",
                {"model": "fake", "messages": [{"role": "user", "content": "a"}] * 2},
            ),
            ("/chat/completions", OLDER_CHAT),
        ],
    )
    async def test_of_the_server_name_its_setting(self, alice, configure, path, body):
        configure(limits={"max_messages": 1})
        refused = await alice.api.post(path, body)
        assert refused.status_code == 400
        sentence = "messages: their number, 2, is more than limits.max_messages, 1."
        assert sentence in refused.content.decode()


class TestAnswers:
    async def length(self, alice, **fields):
        answer = (await alice.api.chat("a b c d e", **fields)).json()
        return answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]

    async def test_end_where_the_strictest_level_says(self, alice):
        await alice.rules("key", max_output_tokens=4)
        await alice.rules("user", max_output_tokens=2)
        await alice.rules("group", max_output_tokens=3)
        lengths = [await self.length(alice), await self.length(alice, max_tokens=50)]
        assert lengths == [(2, "length")] * 2
        assert await self.length(alice, max_tokens=1) == (1, "length")

    async def test_end_where_the_server_says_if_that_is_sooner(self, alice, configure):
        configure(limits={"max_response_tokens": 2})
        await alice.rules(max_output_tokens=3)
        assert await self.length(alice) == (2, "length")

    async def test_of_the_older_dialect_end_there_too(self, alice):
        await alice.rules(max_output_tokens=2)
        assert (await alice.api.post("/completions", COMPLETION)).json()["tokens"] == 2
        stream = await alice.api.post("/chat/completions", {**OLDER_CHAT, "system-prompt": ""})
        assert (await body_of(stream)).endswith("b \n\n")

    async def test_reserve_no_more_than_they_may_have(self, alice):
        await alice.rules(max_output_tokens=2, tokens_per_day=7)
        assert (await alice.api.chat("a b c d e", max_tokens=500)).status_code == 200

    async def test_cannot_be_asked_to_be_longer(self, alice):
        await alice.rules(max_output_tokens=2)
        error = (await alice.api.chat(min_tokens=3)).json()["error"]
        assert error["param"] == "min_tokens"


PATHS = {
    "chat": [
        *(("POST", "/v1/chat/completions"), ("POST", "/chat/completions")),
        ("POST", "/v1/chat/completions/input_tokens"),
        *(("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens")),
    ],
    "completions": [("POST", "/v1/completions"), ("POST", "/completions")],
    "embeddings": [("POST", "/v1/embeddings"), ("POST", "/v1/rerank")],
    "tokenize": [
        ("POST", path) for path in ("/v1/tokenize", "/v1/detokenize", "/v1/apply-template")
    ],
    "models": [("GET", path) for path in ("/v1/models", "/v1/models/x", "/models", "/models/x")],
    "usage": [("GET", "/v1/usage")],
    "admin": [
        *(("GET", f"/v1/admin/models{path}") for path in ("", "/x", "/x/events")),
        *(("POST", f"/v1/admin/models{path}") for path in ("", "/x/fetch", "/x/load", "/x/unload")),
    ],
}


class TestEndpoints:
    def test_all_have_paths(self):
        assert [*PATHS] == Endpoint.values

    @pytest.mark.parametrize("endpoint", PATHS)
    async def test_are_open_if_they_are_named(self, alice, endpoint):
        await User.objects.aupdate(is_staff=True, is_superuser=True)
        await alice.rules(allowed_endpoints=[endpoint])
        answers = {
            name: {(await alice.api.request(*asked)).status_code for asked in paths}
            for name, paths in PATHS.items()
        }
        assert {name for name, statuses in answers.items() if statuses != {403}} == {endpoint}
        assert 403 not in answers[endpoint]

    @pytest.mark.parametrize("rule", ["expires_at", "allowed_addresses"])
    async def test_are_all_closed_by_who_asks_and_from_where(self, alice, rule):
        await alice.rules("group", **{rule: RULES[rule][0]})
        asked = [one for paths in PATHS.values() for one in paths]
        asked += [("GET", "/v1/unknown"), ("DELETE", "/v1/models")]
        answers = [await alice.api.request(*one) for one in asked]
        assert {answer.status_code for answer in answers} == {403}
        assert all(f"rule {rule} of group team" in answer.content.decode() for answer in answers)

    async def test_an_end_that_is_to_come_closes_nothing(self, alice, clock):
        await alice.rules(expires_at=NOW + timedelta(seconds=1))
        assert (await alice.api.chat()).status_code == 200
        clock.now += timedelta(seconds=1)
        assert "Access ended at 2026-05-31 12:00 UTC" in message(await alice.api.chat())


class TestAddresses:
    async def asked(self, who, forwarded):
        return await who.api.get("/v1/models", **{"x-forwarded-for": forwarded})

    @pytest.fixture(autouse=True)
    async def office(self, alice):
        await alice.rules(allowed_addresses=["10.0.0.0/8", "2001:db8::/32"])

    @pytest.fixture
    def behind_a_proxy(self, configure):
        configure(server={"trusted_proxies": ["127.0.0.1", "192.0.2.1"]})

    @pytest.mark.usefixtures("behind_a_proxy")
    @pytest.mark.parametrize(
        "forwarded", ["10.1.2.3", "6.6.6.6, 10.1.2.3, 192.0.2.1", "2001:db8::7", "::ffff:10.0.0.1"]
    )
    async def test_in_a_range_are_let_in(self, alice, forwarded):
        assert (await self.asked(alice, forwarded)).status_code == 200

    @pytest.mark.usefixtures("behind_a_proxy")
    @pytest.mark.parametrize(
        ("forwarded", "named"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("10.1.2.3, 192.0.2.7", "192.0.2.7"),  # what stands left is the client's claim
            ("", "127.0.0.1"),
            ("nonsense", "127.0.0.1"),
        ],
    )
    async def test_elsewhere_are_named(self, alice, forwarded, named):
        refused = await self.asked(alice, forwarded)
        assert refusal(refused) == FORBIDDEN
        assert message(refused).startswith(f"The address {named} may not use this service (rule")

    async def test_that_anybody_can_claim_are_not_believed(self, alice):
        refused = await self.asked(alice, "10.1.2.3")
        assert message(refused).startswith("The address 127.0.0.1 may not")
