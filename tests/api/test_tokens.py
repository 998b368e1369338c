"""Texts and their tokens, without an answer."""

import pytest

from accounts.models import UsageRecord

pytestmark = pytest.mark.usefixtures("fake_model")

SAID = [{"role": "system", "content": "a b"}, {"role": "user", "content": "c"}]
TOKENIZE, DETOKENIZE = "/v1/tokenize", "/v1/detokenize"
TEMPLATE, INPUT_TOKENS = "/v1/apply-template", "/v1/chat/completions/input_tokens"
BODIES = {
    TOKENIZE: {"prompt": "a b"},
    DETOKENIZE: {"tokens": [0]},
    TEMPLATE: {"messages": SAID},
    INPUT_TOKENS: {"messages": SAID},
}
each = pytest.mark.parametrize("path", BODIES)


async def ask(api, path, **fields):
    return await api.post(path, {"model": "fake", **fields})


async def refusal(api, path, **fields):
    response = await ask(api, path, **fields)
    assert response.status_code == 400
    return response.json()["error"]


async def test_a_text_becomes_tokens_and_a_text_again(api):
    told = (await ask(api, TOKENIZE, prompt="a b a")).json()
    assert told == {"count": 3, "max_model_len": 4096, "tokens": [1, 2, 1], "token_strs": None}
    back = await ask(api, DETOKENIZE, tokens=told["tokens"])
    assert back.json() == {"prompt": "a b a "}


async def test_tokens_are_named_if_that_is_asked_for(api):
    for asked in ({"prompt": "a b"}, {"messages": [{"role": "user", "content": "a b"}]}):
        told = (await ask(api, TOKENIZE, **asked, return_token_strs=True)).json()
        assert told["token_strs"] == ["a ", "b "]


async def test_messages_become_the_prompt_that_is_counted(api):
    assert (await ask(api, TEMPLATE, messages=SAID)).json() == {"prompt": "a b c"}
    assert (await ask(api, TOKENIZE, messages=SAID)).json()["count"] == 3
    counted = (await ask(api, INPUT_TOKENS, messages=SAID)).json()
    assert counted == {"object": "response.input_tokens", "input_tokens": 3}
    used = (await ask(api, "/v1/chat/completions", messages=SAID)).json()["usage"]
    assert used["prompt_tokens"] == 3


TOOLS = [{"type": "function", "function": {"name": "clock", "description": "Tells the time."}}]
CALLED = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "clock"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "noon"},
]
HERMES, MISTRAL = "{{ tools }}<tool_call>", "{{ tools }}[TOOL_CALLS][ARGS]"


@pytest.mark.parametrize(
    ("template", "fields", "ending"),
    [
        ("", {"messages": SAID, "tools": TOOLS}, " c"),
        ("", {"messages": SAID, "tools": TOOLS, "tool_choice": "none"}, "a b c"),
        ("", {"messages": CALLED}, " clock returned: noon"),
        ("", {"messages": SAID, "functions": [TOOLS[0]["function"]]}, " c"),
        (HERMES, {"messages": SAID, "tools": TOOLS, "tool_choice": "required"}, "c<tool_call>\n"),
        (
            MISTRAL,
            {
                "messages": SAID,
                "tools": TOOLS,
                "tool_choice": {"type": "function", "function": {"name": "clock"}},
            },
            "c[TOOL_CALLS]clock[ARGS]",
        ),
        (
            "",
            {
                "messages": [*SAID, {"role": "assistant", "content": " d e"}],
                "continue_final_message": True,
            },
            "a b c d e",
        ),
    ],
)
async def test_the_prompt_is_the_one_that_an_answer_is_given(
    api, fake_model, template, fields, ending
):
    fake_model.chat_template = template
    await fake_model.asave()

    text = (await ask(api, TEMPLATE, **fields)).json()["prompt"]
    number = (await ask(api, TOKENIZE, **fields)).json()["count"]
    used = (await ask(api, "/v1/chat/completions", **fields, max_tokens=50)).json()["usage"]

    assert text.endswith(ending)
    assert number == used["prompt_tokens"] == len(text.split())


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
async def test_tools_are_counted_with_their_messages(api, choice):
    fields = {"messages": CALLED, "tools": TOOLS, "tool_choice": choice, "max_tokens": 50}
    counted = (await ask(api, INPUT_TOKENS, **fields)).json()["input_tokens"]
    used = (await ask(api, "/v1/chat/completions", **fields)).json()["usage"]
    assert counted == used["prompt_tokens"]


async def test_the_beginning_of_an_answer_is_counted(api):
    messages = [*SAID, {"role": "assistant", "content": " d e"}]
    counted = await ask(api, INPUT_TOKENS, messages=messages, continue_final_message=True)
    assert counted.json()["input_tokens"] == 5


async def test_what_tools_would_be_refused_for_is_not_counted_either(api):
    messages = [*SAID, {"role": "assistant", "content": "d"}]
    for fields in ({"tools": TOOLS * 2}, {"tools": TOOLS, "continue_final_message": True}):
        await refusal(api, INPUT_TOKENS, messages=messages, **fields)


async def test_a_token_of_another_model_is_refused(api):
    error = await refusal(api, DETOKENIZE, tokens=[0, 999_999])
    assert error["param"] == "tokens"
    assert "999999" in error["message"]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        (TOKENIZE, {}, "prompt"),
        (TOKENIZE, {"prompt": ["a"]}, "prompt"),
        (TOKENIZE, {"messages": []}, "messages"),
        (TOKENIZE, {"messages": SAID, "return_token_strs": "yes"}, "return_token_strs"),
        (DETOKENIZE, {"tokens": [-1]}, "tokens[0]"),
        (DETOKENIZE, {"tokens": "a"}, "tokens"),
        (TEMPLATE, {"prompt": "a"}, "messages"),
        (TEMPLATE, {"messages": SAID, "chat_template_kwargs": {"n": 2**70}}, None),
        (INPUT_TOKENS, {"messages": [{"role": "user"}]}, "messages[0].content"),
    ],
)
async def test_what_cannot_be_asked_is_named(api, path, fields, param):
    error = await refusal(api, path, **fields)
    assert error["param"] == (param or error["param"])
    assert error["code"] == "invalid_request_error"


@each
async def test_another_model_is_not_asked_instead(api, path):
    response = await ask(api, path, **{**BODIES[path], "model": "gpt-4o"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


@each
async def test_a_model_that_a_policy_forbids_is_not_asked(alice, path, configure):
    configure(security={"enable_auth": True})
    await alice.rules(allowed_models=["other"])
    response = await ask(alice.api, path, **BODIES[path])
    assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")


@each
async def test_it_counts_as_a_request_and_takes_no_tokens(alice, path, configure, one_minute):
    configure(security={"enable_auth": True})
    await alice.rules(requests_per_minute=1, tokens_per_day=1, max_running=1)
    first, second = [await ask(alice.api, path, **BODIES[path]) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 429)
    assert first["x-ratelimit-remaining-tokens"] == "1"
    assert not await UsageRecord.objects.aexists()


@pytest.mark.parametrize("path", [TOKENIZE, TEMPLATE, INPUT_TOKENS])
async def test_a_long_text_is_refused_by_its_rule(alice, path, configure):
    configure(security={"enable_auth": True})
    await alice.rules(max_prompt_characters=2)
    error = await refusal(alice.api, path, **BODIES[path])
    assert error["code"] == "limit_exceeded"
    assert "max_prompt_characters of key" in error["message"]


async def test_the_servers_own_limit_holds_too(api, configure):
    configure(limits={"max_prompt_length": 2})
    for path in (TOKENIZE, TEMPLATE, INPUT_TOKENS):
        assert "limits.max_prompt_length" in (await refusal(api, path, **BODIES[path]))["message"]
