"""Anthropic's dialect: /v1/messages."""

import json

import jsonschema
import pytest
from asgiref.sync import sync_to_async

from accounts.models import UsageRecord

from .client import body_of, eventually

pytestmark = pytest.mark.usefixtures("fake_model")

WEATHER = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
CLOCK = {
    "name": "clock",
    "description": "Tells the time.",
    "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
    "cache_control": {"type": "ephemeral"},
}
TOOLS = [WEATHER, CLOCK]
ROME = {"city": "Rome", "days": 2}
WRITTEN = f'<tool_call> {{"name": "weather", "arguments": {json.dumps(ROME)}}} </tool_call>'
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
FORM = {"type": "json_schema", "schema": {"type": "boolean"}}
PATH, COUNT = "/v1/messages", "/v1/messages/count_tokens"


def said(content, role="user"):
    return {"role": role, "content": content}


def text(text):
    return {"type": "text", "text": text}


async def ask(api, content="a b c", path=PATH, headers=None, **fields):
    body = {"model": "fake", "max_tokens": 50, "messages": [said(content)], **fields}
    return await api.post(path, body, **(headers or {}))


async def answer(api, *asked, **fields):
    response = await ask(api, *asked, **fields)
    assert response.status_code == 200, response.content
    return response.json()


async def refused(api, status=400, **fields):
    response = await ask(api, **fields)
    body = response.json()
    assert (response.status_code, body["type"], {*body["error"]}) == (
        *(status, "error"),
        {"type", "message"},
    )
    return body["error"]


async def events(api, *asked, **fields):
    """Of a stream: the names, which are the types, and what they carry."""
    blocks = (await body_of(await ask(api, *asked, stream=True, **fields))).split("\n\n")
    assert blocks.pop() == ""
    named = [block.removeprefix("event: ").split("\ndata: ") for block in blocks]
    told = [json.loads(data) for _, data in named]
    assert [name for name, _ in named] == [one["type"] for one in told]
    return told


def kinds(told):
    return [one["type"] for one in told]


class TestAnAnswer:
    async def test_is_a_message(self, api):
        message = await answer(api)
        assert message.pop("id").startswith("msg_")
        assert message == {
            "type": "message",
            "role": "assistant",
            "model": "fake",
            "content": [text("a b c ")],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 3,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 4,
            },
        }

    async def test_names_the_model_of_an_alias(self, api):
        assert (await answer(api, model="gpt-fake"))["model"] == "fake"

    async def test_says_what_ended_it(self, api):
        ended = [
            await answer(api, max_tokens=2),
            await answer(api, stop_sequences=["x", "b c"]),
            await answer(api, stop_sequences=["x"]),
        ]
        assert [(m["stop_reason"], m["stop_sequence"]) for m in ended] == [
            *(("max_tokens", None), ("stop_sequence", "b c"), ("end_turn", None))
        ]
        assert [m["content"] for m in ended] == [[text("a b ")], [text("a ")], [text("a b c ")]]

    async def test_without_text_has_no_content(self, api):
        assert (await answer(api, stop_sequences=["a"]))["content"] == []

    async def test_tells_apart_what_was_thought(self, api):
        message = await answer(api, "<think> hm </think> a")
        thought, told = message["content"]
        assert thought == {"type": "thinking", "thinking": " hm ", "signature": ""}
        assert told == text(" a ")

    async def test_carries_what_every_answer_carries(self, api):
        response = await ask(api, stranger=1, headers={"anthropic-version": "2023-06-01"})
        assert response["request-id"] == response["x-request-id"]
        assert response["x-ignored-params"] == "stranger"
        assert response["x-context"].startswith("kept=1, dropped=0, prompt_tokens=3")


class TestAPrompt:
    async def test_is_of_texts_and_blocks(self, api):
        message = await answer(
            api,
            system=[text("s"), text("t")],
            messages=[
                said([text("a"), text("b")]),
                said(
                    [{"type": "thinking", "thinking": "x", "signature": ""}, text("c")], "assistant"
                ),
                said([{**text("d"), "cache_control": {"type": "ephemeral"}}]),
            ],
        )
        assert message["content"] == [text("s t a b c d ")]

    async def test_of_one_role_in_a_row_is_one_turn(self, api):
        response = await ask(
            api, messages=[said("a"), said("b"), said("c", "assistant"), said("d")]
        )
        assert response.json()["content"] == [text("a b c d ")]
        assert response["x-context"].startswith("kept=3,")

    async def test_goes_on_from_what_the_assistant_says_last(self, api):
        response = await ask(api, messages=[said("a b "), said("c", "assistant")])
        assert response.json()["content"] == [text("a b c ")]
        assert response["x-context"].startswith("kept=1,")

    async def test_may_say_all_that_clients_say(self, api):
        await answer(
            api,
            temperature=0.5,
            top_p=0.9,
            top_k=3,
            metadata={"user_id": "u"},
            thinking={"type": "enabled", "budget_tokens": 1024},
            service_tier="auto",
            tools=[],
            system=None,
            stop_sequences=[],
        )


class TestAStream:
    async def test_has_its_events_in_order(self, api):
        told = await events(api)
        *head, last, end = told
        assert kinds([*head[:2], last, end]) == [
            *("message_start", "content_block_start", "message_delta", "message_stop")
        ]
        assert kinds(head[2:-1]) == ["content_block_delta"] * (len(head) - 3)
        assert head[-1] == {"type": "content_block_stop", "index": 0}
        assert "".join(one["delta"]["text"] for one in head[2:-1]) == "a b c "
        opening = head[0]["message"]
        assert (opening["content"], opening["stop_reason"]) == ([], None)
        assert opening["usage"]["input_tokens"] == 3
        assert last["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
        assert last["usage"]["output_tokens"] == 4

    async def test_says_which_stop_sequence_it_was(self, api):
        told = await events(api, stop_sequences=["c"])
        assert told[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "c"}

    async def test_has_a_block_of_thoughts_before_that_of_the_answer(self, api):
        told = [e for e in await events(api, "<think> hm </think> a") if "index" in e]
        deltas = [(e["index"], e["delta"]) for e in told if "delta" in e]
        thought = "".join(d.get("thinking", "") for i, d in deltas if i == 0)
        assert (thought, "".join(d.get("text", "") for i, d in deltas if i == 1)) == (" hm ", " a ")
        ends = [(e["type"], e["index"]) for e in told if "delta" not in e]
        assert ends == [
            *(("content_block_start", 0), ("content_block_stop", 0)),
            *(("content_block_start", 1), ("content_block_stop", 1)),
        ]

    async def test_without_text_has_no_block(self, api):
        told = await events(api, stop_sequences=["a"])
        assert kinds(told) == ["message_start", "message_delta", "message_stop"]

    async def test_that_fails_ends_with_an_error(self, api):
        told = await events(api, "a fail")
        assert told[-1]["error"]["type"] == "api_error"
        assert "message_stop" not in kinds(told)


@pytest.fixture
async def hermes(fake_model):
    """The model has a template of that format."""
    fake_model.chat_template = "{{ tools }}<tool_call>"
    await fake_model.asave()


@pytest.mark.usefixtures("hermes")
class TestACall:
    async def test_is_a_block_behind_the_text(self, api):
        message = await answer(api, f"Let me see. {WRITTEN} {WRITTEN}", tools=TOOLS)
        told, first, second = message["content"]
        assert told == text("Let me see.")
        assert first.pop("id").startswith("toolu_")
        assert second.pop("id").startswith("toolu_")
        assert first == second == {"type": "tool_use", "name": "weather", "input": ROME}
        assert (message["stop_reason"], message["stop_sequence"]) == ("tool_use", None)

    async def test_may_follow_a_thought(self, api):
        message = await answer(api, f"<think> hm </think> {WRITTEN}", tools=TOOLS)
        assert kinds(message["content"]) == ["thinking", "tool_use"]

    async def test_is_streamed_in_pieces_of_its_input(self, api):
        told = await events(api, f"So: {WRITTEN} {WRITTEN}", tools=TOOLS)
        assert told[-2]["delta"]["stop_reason"] == "tool_use"
        told = [event for event in told if "index" in event]
        for index in (1, 2):
            start, *deltas, stop = [event for event in told if event["index"] == index]
            block = start["content_block"]
            assert block.pop("id").startswith("toolu_")
            assert block == {"type": "tool_use", "name": "weather", "input": {}}
            assert {event["delta"]["type"] for event in deltas} == {"input_json_delta"}
            written = "".join(event["delta"]["partial_json"] for event in deltas)
            assert json.loads(written) == ROME
            assert stop == {"type": "content_block_stop", "index": index}
        assert [event["index"] for event in told] == sorted(event["index"] for event in told)

    async def test_of_no_tool_is_text(self, api):
        for fields in ({}, {"tools": [CLOCK]}, {"tools": TOOLS, "tool_choice": {"type": "none"}}):
            message = await answer(api, WRITTEN, **fields)
            assert (kinds(message["content"]), message["stop_reason"]) == (["text"], "end_turn")

    async def test_that_the_limit_cuts_has_what_there_is_of_it(self, api):
        message = await answer(api, WRITTEN, tools=TOOLS, max_tokens=6)
        assert message["stop_reason"] == "max_tokens"
        assert message["content"][0]["input"].items() <= ROME.items()

    async def test_whose_input_is_no_object_is_not_lost(self, api):
        content = '<tool_call> {"name": "clock", "arguments": {"a": nope}} </tool_call>'
        message = await answer(api, content, tools=TOOLS)
        assert message["content"][0]["input"] == {"arguments": '{"a": nope}'}

    async def test_may_be_the_only_one(self, api):
        choice = {"type": "auto", "disable_parallel_tool_use": True}
        message = await answer(api, f"{WRITTEN} {WRITTEN}", tools=TOOLS, tool_choice=choice)
        assert kinds(message["content"]) == ["tool_use"]

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("choice", "name"),
        [({"type": "any"}, "clock"), ({"type": "tool", "name": "weather"}, "weather")],
    )
    async def test_that_has_to_be_made_is_valid(self, api, choice, name, stream):
        fields = {"tools": TOOLS, "tool_choice": choice, "temperature": 1.5, "max_tokens": 200}
        if stream:
            told = await events(api, **fields)
            (block,) = [e["content_block"] for e in told if e["type"] == "content_block_start"]
            deltas = [e["delta"] for e in told if e["type"] == "content_block_delta"]
            given = json.loads("".join(delta["partial_json"] for delta in deltas))
        else:
            (block,) = (await answer(api, **fields))["content"]
            given = block["input"]
        assert block["name"] == name
        schema = next(tool["input_schema"] for tool in TOOLS if tool["name"] == name)
        jsonschema.validate(given, schema)

    async def test_that_has_to_be_made_may_be_thought_about(self, api):
        message = await answer(
            api,
            "<think> a b c d e f",
            tools=TOOLS,
            tool_choice={"type": "any"},
            thinking={"type": "enabled", "budget_tokens": 2},
        )
        thought, call = message["content"]
        assert (thought["thinking"].split(), call["type"]) == (["a", "b"], "tool_use")


class TestAResult:
    async def test_goes_back_to_the_model_with_its_call(self, api):
        message = await answer(
            api,
            messages=[
                said("Well?"),
                said([text("Hm."), CALL], "assistant"),
                said([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]),
            ],
        )
        assert message["content"] == [
            text(
                'Well? Hm. {"name": "weather", "arguments": {"city": "Rome"}} weather returned: '
                "sunny "
            )
        ]

    async def test_may_be_of_blocks_an_error_or_nothing_with_text_behind_it(self, api):
        results = [
            {"content": [text("a"), text("b")]},
            {"content": "c", "is_error": True},
            {},
        ]
        blocks = [{"type": "tool_result", "tool_use_id": "toolu_1", **one} for one in results]
        messages = [said("Well?"), said([CALL], "assistant"), said([*blocks, text("Go on.")])]
        response = await ask(api, messages=messages)
        told = response.json()["content"][0]["text"]
        assert told.partition("}} ")[2] == (
            "weather returned: a b weather returned: Error: c weather returned: Go on. "
        )
        assert response["x-context"].startswith("kept=6,")

    @pytest.mark.usefixtures("hermes")
    async def test_stands_beside_calls_of_several_messages(self, api):
        other = {**CALL, "id": "toolu_2"}
        results = [{"type": "tool_result", "tool_use_id": one["id"]} for one in (CALL, other)]
        messages = [said("a"), said([CALL], "assistant"), said([other], "assistant"), said(results)]
        response = await ask(api, messages=messages, tools=TOOLS)
        assert response["x-context"].startswith("kept=4,")

    async def test_with_a_picture_is_refused(self, api):
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "image"}]}
        messages = [said("a"), said([CALL], "assistant"), said([result])]
        error = await refused(api, messages=messages)
        assert error["message"].startswith("messages[2].content[0].content[0].type")


class TestABudget:
    @pytest.mark.parametrize(
        ("thinking", "number"),
        [
            ({"type": "enabled", "budget_tokens": 2}, 2),
            ({"type": "disabled"}, 0),
            ({"type": "adaptive"}, 4),
        ],
    )
    async def test_ends_the_thoughts(self, api, thinking, number):
        message = await answer(api, "<think> a a a a </think> b", thinking=thinking)
        thoughts = "".join(block.get("thinking", "") for block in message["content"])
        assert thoughts.split() == ["a"] * number
        assert message["content"][-1]["text"].endswith("b ")


@pytest.mark.parametrize("field", ["output_config", "output_format"])
async def test_a_form_is_kept(api, field):
    form = {"format": FORM} if field == "output_config" else FORM
    (block,) = (await answer(api, **{field: form}))["content"]
    assert json.loads(block["text"]) in (True, False)


class TestARefusal:
    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"max_tokens": None}, "max_tokens"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"messages": []}, "messages"),
            ({"messages": [said("")]}, "messages[0].content"),
            ({"messages": [said("a", "system")]}, "messages[0].role"),
            ({"messages": [said([{"type": "text"}])]}, "messages[0].content[0].text"),
            (
                {"messages": [said([{"type": "image", "source": {}}])]},
                "messages[0].content[0].type",
            ),
            (
                {"messages": [said([text("a"), {"type": "document"}])]},
                "messages[0].content[1].type",
            ),
            (
                {"messages": [said([{"type": "tool_result", "tool_use_id": "x"}])]},
                "messages[0].content[0].tool_use_id",
            ),
            ({"messages": [said([{"type": "tool_use"}])]}, "messages[0].content[0].type"),
            (
                {"messages": [said([{"type": "tool_use", "id": "x", "name": "f"}], "assistant")]},
                "messages[0].content[0].input",
            ),
            ({"messages": [said("a"), said([CALL], "assistant")]}, "messages[1].content"),
            (
                {"tools": [CLOCK], "messages": [said("a"), said("b", "assistant")]},
                "messages[1].content",
            ),
            ({"system": [{"type": "image"}]}, "system[0].type"),
            ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
            ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools[0].name"),
            ({"tools": [CLOCK, CLOCK]}, "tools[1].name"),
            (
                {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
                "tools[0].type",
            ),
            ({"tool_choice": {"type": "any"}}, "tool_choice"),
            ({"tools": [CLOCK], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
            ({"tools": [CLOCK], "tool_choice": {"type": "maybe"}}, "tool_choice.type"),
            ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
            (
                {"output_config": {"format": FORM}, "output_format": FORM},
                "output_format",
            ),
            ({"tools": [CLOCK], "output_format": FORM}, "output_format"),
            ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
            ({"stop_sequences": [""]}, "stop_sequences[0]"),
            ({"stop_sequences": ["a"] * 17}, "stop_sequences"),
            ({"temperature": 9}, "temperature"),
            ({"temperature": "1"}, "temperature"),
            ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ],
    )
    async def test_names_the_field(self, api, fields, named):
        error = await refused(api, **fields)
        assert error["type"] == "invalid_request_error"
        assert error["message"].startswith(named)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_of_a_model_that_is_not_there_is_a_status(self, api, stream):
        error = await refused(api, 404, model="claude", stream=stream)
        assert error["type"] == "not_found_error"

    async def test_of_a_long_prompt_says_so(self, api):
        assert "maximum context length" in (await refused(api, content="a " * 5000))["message"]

    async def test_of_bad_json_and_of_another_method_is_in_the_same_shape(self, api):
        bad = await api.send(PATH, b"{")
        other = await api.get(PATH)
        assert [(r.status_code, r.json()["error"]["type"]) for r in (bad, other)] == [
            *((400, "invalid_request_error"), (405, "invalid_request_error"))
        ]

    async def test_of_a_broken_step_is_the_servers_fault(self, api):
        assert (await refused(api, 500, content="fail"))["type"] == "api_error"


class TestCounting:
    async def test_counts_what_an_answer_would_be_given(self, api):
        fields = {"system": "s", "messages": [said("a b "), said("c d e", "assistant")]}
        counted = await answer(api, path=COUNT, **fields)
        assert counted == {"input_tokens": 6}
        assert (await answer(api, **fields))["usage"]["input_tokens"] == 6

    async def test_needs_no_max_tokens(self, api):
        assert (await answer(api, path=COUNT, max_tokens=None))["input_tokens"] == 3

    async def test_refuses_what_an_answer_would_be_refused_for(self, api):
        error = await refused(api, path=COUNT, tools=[{"name": "f"}])
        assert error["message"].startswith("tools")

    @pytest.mark.parametrize("choice", ["auto", "any", "none"])
    async def test_counts_tools(self, api, choice):
        fields = {"tools": TOOLS, "tool_choice": {"type": choice}}
        counted = (await answer(api, path=COUNT, **fields))["input_tokens"]
        assert (counted > 3) == (choice != "none")
        assert (await answer(api, **fields))["usage"]["input_tokens"] == counted


class TestWhoAsks:
    @pytest.fixture(autouse=True)
    def keys(self, configure):
        configure(security={"enable_auth": True}, limits={"default_rate_limit_per_minute": 0})

    async def test_shows_a_key_as_this_dialect_does(self, api, alice):
        assert (await ask(api, headers={"x-api-key": alice.text})).status_code == 200
        assert (await refused(api, 401))["type"] == "authentication_error"

    async def test_is_in_the_ledger(self, alice):
        await ask(alice.api)
        record = await UsageRecord.objects.aget()
        assert (record.endpoint, record.prompt_tokens, record.completion_tokens) == ("chat", 3, 4)

    @pytest.mark.parametrize(
        ("rule", "status", "kind"),
        [
            ({"allowed_models": ["x"]}, 403, "permission_error"),
            ({"allowed_endpoints": ["models"]}, 403, "permission_error"),
            ({"requests_per_minute": 0}, 429, "rate_limit_error"),
            ({"max_running": 0}, 429, "rate_limit_error"),
            ({"tokens_per_day": 10}, 400, "invalid_request_error"),
            ({"max_messages": 0}, 400, "invalid_request_error"),
            ({"max_body_kb": 0}, 413, "request_too_large"),
        ],
    )
    async def test_is_held_to_policies(self, alice, rule, status, kind):
        await alice.rules(**rule)
        assert (await refused(alice.api, status))["type"] == kind

    async def test_may_ask_again_with_the_same_key(self, alice):
        key = {"idempotency-key": "k"}
        first, again = [await answer(alice.api, headers=key) for _ in range(2)]
        assert first == again
        streams = [
            await body_of(await ask(alice.api, stream=True, headers={"idempotency-key": "s"}))
            for _ in range(2)
        ]
        assert streams[0] == streams[1]
        assert await sync_to_async(UsageRecord.objects.count)() == 2


async def test_a_message_moves_the_metrics_of_chats(api):
    before = await api.metric("chat_completions_requests_total")
    await ask(api)
    await ask(api, temperature=9)
    assert await api.metric("chat_completions_requests_total") == before + 2


async def test_whoever_leaves_a_stream_cancels_it(api, num_computed):
    stream = await ask(api, "a " * 500, stream=True, max_tokens=4000)
    del stream

    async def is_cancelled():
        return await num_computed() == 1

    await eventually(is_cancelled)
