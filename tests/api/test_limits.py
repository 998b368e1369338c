"""What an operator limits: prompts, answers, and requests a minute."""

from types import SimpleNamespace

import pytest
from django.core.cache import cache

pytestmark = pytest.mark.usefixtures("fake_model")

OPENAI = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"]
LONG, SAID, ROLES = "a" * 1000, {"role": "user", "content": "a"}, ("assistant", "user")
FUNCTION = {"name": "f", "description": LONG}
ASSISTANT = {"role": "assistant", "content": "a"}
# What a chat's prompt may be made of besides the messages' content.
LARGE = {
    "tools": {"tools": [{"type": "function", "function": FUNCTION}]},
    "functions": {"functions": [FUNCTION]},
    "schemas": {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {LONG: 1}}}]
    },
    "calls": {
        "messages": [
            {**ASSISTANT, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": LONG}}]}
        ]
    },
    "thoughts": {"messages": [{**ASSISTANT, "reasoning_content": LONG}]},
    "options": {"chat_template_kwargs": {"documents": [{"text": LONG}]}},
}
PATHS = ["/v1/chat/completions", "/v1/chat/completions/input_tokens", "/v1/apply-template"]
OLDER = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]


class TestPrompts:
    async def test_the_characters_of_all_messages_count(self, api, configure):
        configure(limits={"max_prompt_length": 10})
        messages = [{"role": "user", "content": "a" * 5}, {"role": "assistant", "content": "b" * 5}]
        assert (await api.chat(messages=messages)).status_code == 200
        messages.append({"role": "user", "content": [{"type": "text", "text": "c"}]})
        error = (await api.chat(messages=messages)).json()["error"]
        assert (error["code"], error["param"]) == ("limit_exceeded", "messages")
        assert "limits.max_prompt_length" in error["message"]

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("fields", LARGE, ids=[*LARGE])
    async def test_what_a_template_may_write_besides_counts_too(self, api, configure, path, fields):
        configure(limits={"max_prompt_length": 1000})
        asked = {"model": "fake", "max_tokens": 9, "messages": [SAID]}
        assert (await api.post(path, asked)).status_code == 200
        error = (await api.post(path, {**asked, **LARGE[fields]})).json()["error"]
        assert (error["code"], error["param"]) == ("limit_exceeded", "messages")

    async def test_what_anthropics_clients_send_besides_counts_too(self, api, configure):
        configure(limits={"max_prompt_length": 1000})
        asked = {"model": "fake", "max_tokens": 9, "messages": [SAID]}
        tools = [{"name": "f", "input_schema": {"description": LONG}}]
        called = [
            {"type": "tool_use", "id": "1", "name": "f", "input": {"a": LONG}},
            {"type": "tool_result", "tool_use_id": "1", "content": "b"},
        ]
        talk = [SAID, *({"role": r, "content": [c]} for r, c in zip(ROLES, called, strict=True))]
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            assert (await api.post(path, asked)).status_code == 200
            for fields in ({"tools": tools}, {"messages": talk}):
                response = await api.post(path, {**asked, **fields})
                assert "limits.max_prompt_length" in response.json()["error"]["message"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"tools": [{"type": "function", "name": "f", "description": LONG}]},
            {"input": [{"type": "function_call", "call_id": "1", "name": "f", "arguments": LONG}]},
            {"instructions": LONG},
            {"chat_template_kwargs": {"documents": [LONG]}},
        ],
        ids=lambda fields: next(iter(fields)),
    )
    async def test_what_a_response_is_told_besides_counts_too(self, api, configure, fields):
        configure(limits={"max_prompt_length": 1000})
        asked = {"model": "fake", "max_output_tokens": 9, "input": "a"}
        assert (await api.post("/v1/responses", asked)).status_code == 200
        error = (await api.post("/v1/responses", {**asked, **fields})).json()["error"]
        assert (error["code"], error["param"]) == ("limit_exceeded", "input")

    async def test_each_prompt_counts_for_itself(self, api, configure):
        configure(limits={"max_prompt_length": 10})
        assert (await api.complete(["a" * 10, "b" * 10])).status_code == 200
        assert (await api.complete(["a", "b" * 11])).json()["error"]["param"] == "prompt"

    async def test_a_token_counts_as_a_character_at_least(self, api, configure):
        configure(limits={"max_prompt_length": 10})
        assert (await api.complete([0] * 11)).json()["error"]["param"] == "prompt"

    async def test_too_many_of_them_say_how_many_may_come(self, api):
        error = (await api.complete(["a"] * 129)).json()["error"]
        assert error["message"] == "prompt: 129 prompts are more than 128"

    async def test_by_default_only_the_context_limits_them(self, api):
        assert (await api.chat("a" * 100_000)).status_code == 200


class TestAnswers:
    @pytest.mark.parametrize(
        "fields", [{}, {"max_tokens": 3}, {"max_completion_tokens": 3}, {"ignore_eos": True}]
    )
    async def test_no_answer_is_longer_than_the_limit(self, api, configure, fields):
        configure(limits={"max_response_tokens": 2})
        answer = (await api.chat("a b c d", **fields)).json()
        assert answer["usage"]["completion_tokens"] == 2
        assert answer["choices"][0]["finish_reason"] == "length"

    async def test_a_client_may_ask_for_less(self, api, configure):
        configure(limits={"max_response_tokens": 3})
        answer = (await api.complete("a b c d", max_tokens=1)).json()
        assert answer["usage"]["completion_tokens"] == 1

    async def test_a_client_may_not_ask_for_more_at_least(self, api, configure):
        configure(limits={"max_response_tokens": 3})
        assert (await api.chat(min_tokens=4)).json()["error"]["param"] == "min_tokens"


@pytest.fixture
def clock(monkeypatch):
    """The rate limit's: its minutes do not end while a test runs."""
    clock = SimpleNamespace(now=1_000_000)
    fake = SimpleNamespace(time=lambda: clock.now)
    monkeypatch.setattr("django_ratelimit.core.time", fake)
    cache.clear()
    return clock


@pytest.mark.usefixtures("clock")
class TestRequestsPerMinute:
    async def test_without_a_limit_nothing_is_said(self, api):
        response = await api.chat()
        assert not {name for name in response.headers if name.lower().startswith("x-ratelimit")}

    async def test_every_answer_says_what_is_left(self, api, configure):
        configure(limits={"default_rate_limit_per_minute": 3})
        answers = [await api.chat(), await api.chat(temperature=9), await api.chat(stream=True)]
        assert [[response[name] for name in OPENAI] for response in answers] == [
            ["3", "2"],
            ["3", "1"],
            ["3", "0"],
        ]
        assert {response.status_code for response in answers} == {200, 400}

    async def test_the_limit_says_when_it_ends(self, api, configure, clock):
        configure(limits={"default_rate_limit_per_minute": 1})
        assert (await api.chat()).status_code == 200
        refused = await api.chat()
        error = refused.json()["error"]
        assert refused.status_code == 429
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        seconds = int(refused["retry-after"])
        assert 1 <= seconds <= 60
        assert refused["x-ratelimit-reset-requests"] == f"{seconds}s"
        assert refused["x-ratelimit-remaining-requests"] == "0"
        clock.now += 60
        assert (await api.chat()).status_code == 200

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/completions", {"model": "fake", "prompt": "a"}),
            ("/chat/completions", {"model-name": "fake", "prompt": "a"}),
        ],
    )
    async def test_the_older_dialect_says_it_in_its_own_words(self, api, configure, path, body):
        configure(limits={"default_rate_limit_per_minute": 1})
        await api.post(path, body)
        refused = await api.post(path, body)
        assert refused.status_code == 429
        assert isinstance(refused.json()["error"], str)
        assert [refused[name] for name in OLDER] == ["1", "0", refused["retry-after"]]

    async def test_all_endpoints_that_generate_share_one_count(self, api, configure):
        configure(limits={"default_rate_limit_per_minute": 4})
        messages = [{"role": "user", "content": "a"}]
        statuses = [
            (await api.chat()).status_code,
            (await api.complete()).status_code,
            (await api.post("/completions", {"model": "fake", "prompt": "a"})).status_code,
            (
                await api.post("/chat/completions", {"model": "fake", "messages": messages})
            ).status_code,
            (await api.chat()).status_code,
        ]
        assert statuses == [200, 200, 200, 200, 429]

    async def test_others_requests_do_not_make_a_count_forgotten(self, api, configure, clock):
        configure(limits={"default_rate_limit_per_minute": 1})
        assert (await api.chat()).status_code == 200
        for number in range(1000):  # as many other callers
            cache.set(f"other:{number}", 1)
        assert (await api.chat()).status_code == 429

    async def test_what_generates_nothing_is_free(self, api, configure):
        configure(limits={"default_rate_limit_per_minute": 1})
        await api.chat()
        paths = ["/v1/models", "/v1/models/fake", "/models", "/health", "/readiness", "/metrics"]
        assert {(await api.get(path)).status_code for path in paths} == {200}

    async def test_a_forwarded_address_is_not_believed(self, api, configure):
        configure(limits={"default_rate_limit_per_minute": 1})
        body = {"model": "fake", "prompt": "a"}
        await api.post("/v1/completions", body, **{"x-forwarded-for": "10.0.0.1"})
        refused = await api.post("/v1/completions", body, **{"x-forwarded-for": "10.0.0.2"})
        assert refused.status_code == 429

    async def test_wrong_keys_lock_nobody_out_who_shares_their_address(self, api, configure):
        key = "a-key-of-some-length"
        configure(
            security={"enable_auth": True, "api_keys": [key]},
            limits={"default_rate_limit_per_minute": 1},
        )
        wrong = {"x-api-key": "another-such-key"}
        assert [(await api.get("/v1/models", **wrong)).status_code for _ in range(2)] == [401, 429]
        body = {"model": "fake", "prompt": "a"}
        assert (await api.post("/v1/completions", body, **{"x-api-key": key})).status_code == 200

    async def test_keys_at_one_address_share_its_count_too(self, api, configure):
        alice, bob = "alice-has-a-long-key", "bob-has-another-key"
        configure(
            security={"enable_auth": True, "api_keys": [alice, bob]},
            limits={"default_rate_limit_per_minute": 2},
        )
        body = {"model": "fake", "prompt": "a"}
        statuses = [
            (await api.post("/v1/completions", body, **{"x-api-key": key})).status_code
            for key in (alice, bob, alice)
        ]
        assert statuses == [200, 200, 429]

    async def test_a_minute_has_60_requests_by_default_once_there_are_keys(self, api, configure):
        alice = "alice-has-a-long-key"
        configure(security={"enable_auth": True, "api_keys": [alice]})
        response = await api.post("/v1/completions", {}, **{"x-api-key": alice})
        assert response["x-ratelimit-limit-requests"] == "60"
