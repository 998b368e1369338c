"""`explain_key` and the API agree: what the one denies the other refuses, by the same rule."""

from contextlib import suppress
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.core.management import CommandError, call_command

from .client import Api
from .test_policies import NOW, OPERATOR, RULES, message

pytestmark = pytest.mark.usefixtures("fake_model", "leave_no_connection")

CHAT = [{"role": "user", "content": "a b"}, {"role": "user", "content": "c"}]
QUESTION = [
    *("--model", "gpt-fake", "--endpoint", "chat", "--address", "127.0.0.1"),
    *("--messages", "2", "--prompt-characters", "4", "--prompt-tokens", "3", "--body-kb", "1"),
]
VALUES = {rule: value for rule, (value, _) in RULES.items()}
VALUES["requests_per_minute"] = 0  # what the minute has seen is not looked at
VALUES["max_prompt_characters"] = 3
SETTINGS = {"max_prompt_length": 3, "max_messages": 1, "max_body_mb": 1e-5}


@pytest.fixture(autouse=True)
def keys_required(configure, monkeypatch):
    cache.clear()
    configure(
        security={"enable_auth": True, "api_keys": [OPERATOR]},
        limits={"default_rate_limit_per_minute": 0},
    )
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


async def explained(key):
    """What passes, and what is denied."""
    stdout = StringIO()
    with suppress(CommandError):
        await sync_to_async(call_command)(
            "explain_key", key, *QUESTION, stdout=stdout, no_color=True
        )
    lines = stdout.getvalue().splitlines()
    return [
        [line.removeprefix(f"{verdict}  ") for line in lines if line.startswith(verdict)]
        for verdict in ("passes", "DENIES")
    ]


async def test_without_a_rule_both_let_the_request_pass(alice):
    assert (await alice.api.chat(messages=CHAT)).status_code == 200
    assert (await explained(alice.key.prefix))[1] == []


@pytest.mark.parametrize("rule", VALUES)
async def test_a_rule_of_a_policy_is_the_same_to_both(alice, rule):
    await alice.rules("user", **{rule: VALUES[rule]})
    await alice.api.chat(messages=CHAT)
    refused = message(await alice.api.chat(messages=CHAT))
    [denial] = (await explained(alice.key.prefix))[1]
    for text in (refused, denial):
        assert f"(rule {rule} of user alice)" in text


@pytest.mark.parametrize("kind", ["alice", "operator"])
@pytest.mark.parametrize("setting", SETTINGS)
async def test_a_limit_of_the_server_is_the_same_to_both(alice, configure, setting, kind):
    configure(limits={setting: SETTINGS[setting]})
    key = {"alice": alice.text, "operator": OPERATOR}[kind]
    refused = message(await Api(key).chat(messages=CHAT))
    assert f"limits.{setting}" in refused
    assert (await explained(key))[1] == [refused]


async def test_the_stricter_limit_of_a_body_is_named_by_both(alice, configure):
    configure(limits={"max_body_mb": 1e-5})
    await alice.rules(max_body_kb=0)
    refused = message(await alice.api.chat())
    assert f"(rule max_body_kb of {alice.label('key')})" in refused
    assert (await explained(alice.key.prefix))[1] == [refused]


async def test_answers_end_where_it_says(alice, configure):
    configure(limits={"max_response_tokens": 2})
    await alice.rules(max_output_tokens=3)
    answer = (await alice.api.chat(ignore_eos=True)).json()
    assert answer["usage"]["completion_tokens"] == 2
    passes, _ = await explained(alice.key.prefix)
    assert passes[-2:] == [
        "an answer ends after 2 tokens (rule limits.max_response_tokens of the server)",
        f"an answer ends after 3 tokens (rule max_output_tokens of {alice.label('key')})",
    ]


async def test_requests_a_minute_are_as_many_as_it_says(alice, configure):
    configure(limits={"default_rate_limit_per_minute": 7})
    assert (await alice.api.chat())["x-ratelimit-limit-requests"] == "7"
    passes, _ = await explained(alice.key.prefix)
    rule = "rule limits.default_rate_limit_per_minute"
    for whose in ("each key", "each address"):
        assert f"7 requests a minute ({rule} of {whose})" in passes


async def test_no_policy_holds_for_a_key_of_the_configuration(alice):
    await alice.rules("user", allowed_models=["other"])
    passes, denials = await explained(OPERATOR)
    assert passes[0].endswith("is a key of security.api_keys: no policy holds for it")
    assert OPERATOR not in passes[0]
    assert denials == []
