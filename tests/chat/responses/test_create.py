"""A response from its request to its end, whole and as events."""

import pytest

from accounts.models import Policy, UsageRecord
from chat.models import Conversation, Message
from inference.models import LanguageModel
from tests.api.client import eventually, reading

from .asking import kinds, text_of

LOGPROBS = "message.output_text.logprobs"


async def test_what_is_asked_is_answered(ask):
    response = await ask("a b c", metadata={"k": "v"}, temperature=0.5, max_output_tokens=9)

    assert response["id"].startswith("resp_")
    assert (response["object"], response["status"]) == ("response", "completed")
    assert text_of(response) == "a b c "
    assert response["usage"]["input_tokens"] == 3
    assert response["usage"]["output_tokens"] == 4
    assert response["usage"]["total_tokens"] == 7
    assert (response["metadata"], response["temperature"]) == ({"k": "v"}, 0.5)
    assert (response["max_output_tokens"], response["error"]) == (9, None)
    assert response["completed_at"] >= response["created_at"]


async def test_instructions_are_read_first(ask):
    assert text_of(await ask("b", instructions="a")) == "a b "


async def test_items_of_every_kind_are_read(ask):
    given = [
        {"role": "developer", "content": "a"},
        {"role": "user", "content": [{"type": "input_text", "text": "b"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
        {"role": "user", "content": "d"},
    ]
    assert text_of(await ask(given)) == "a b c d "


async def test_a_response_that_its_limit_cuts_is_incomplete(ask):
    response = await ask("a b c", max_output_tokens=2)

    assert (response["status"], text_of(response)) == ("incomplete", "a b ")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][-1]["status"] == "incomplete"


async def test_events_come_in_openais_order_and_are_numbered(ask):
    events = await ask.stream("a b c")

    assert kinds(events) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.done", "content_part.done", "output_item.done"),
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    deltas = [event["delta"] for event in events if event["type"].endswith("text.delta")]
    assert "".join(deltas) == "a b c "
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []
    last = events[-1]["response"]
    assert last == await ask.get(last["id"])


async def test_what_a_model_thinks_is_an_item_of_its_own(ask):
    events = await ask.stream("<think> hm </think> yes")

    assert kinds(events)[2:-1] == [
        *("output_item.added", "content_part.added", "reasoning_text.delta"),
        *("reasoning_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
    ]
    thought, said = events[-1]["response"]["output"]
    assert thought["content"] == [{"type": "reasoning_text", "text": " hm "}]
    assert said["content"][0]["text"].strip() == "yes"
    assert events[-1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


async def test_an_incomplete_stream_says_so(ask):
    events = await ask.stream("a b c", max_output_tokens=2)
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("store", [True, False])
async def test_a_stream_that_fails_says_so_and_why(ask, store):
    events = await ask.stream("a b crash", store=store)

    assert events[-1]["type"] == "response.failed"
    response = events[-1]["response"]
    assert (response["status"], text_of(response)) == ("failed", "a b ")
    assert response["error"]["message"]


@pytest.mark.parametrize("store", [True, False])
async def test_a_failure_without_a_stream_is_an_error(ask, store):
    status, error = await ask.error("a b crash", store=store)
    assert (status, error["code"]) == (503, "engine_restarting")


async def test_a_response_that_is_not_stored_leaves_nothing(ask):
    response = await ask("a b c", store=False)
    events = await ask.stream("a b c", store=False)

    assert (text_of(response), response["store"]) == ("a b c ", False)
    assert events[-1]["response"]["status"] == "completed"
    assert kinds(events) == kinds(await ask.stream("a b c"))
    assert (await ask.api.get(f"/v1/responses/{response['id']}")).status_code == 404
    assert await Conversation.objects.acount() == 1


async def test_it_goes_on_when_its_client_leaves(ask, slowly):
    long = " ".join(f"w{number}" for number in range(60))
    async with reading(await ask.raw(long, stream=True)) as parts:
        await anext(parts)
    complete = Message.objects.filter(status="complete", role="assistant")
    await eventually(complete.aexists)

    assert (await complete.aget()).text == f"{long} "


async def test_one_that_is_not_stored_ends_with_its_client(ask, slowly):
    long = " ".join(f"w{number}" for number in range(1000))
    async with reading(await ask.raw(long, stream=True, store=False)) as parts:
        await anext(parts)
    cancelled = UsageRecord.objects.filter(status="cancelled")
    await eventually(cancelled.aexists)


# Forms


SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "form",
    [{"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}],
)
async def test_text_has_the_form_that_is_asked_for(ask, form):
    response = await ask("a", text={"format": form})
    assert text_of(response) == '{"n":0}'
    assert response["text"]["format"] == form


# What is refused


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": "none"}, "model", "model_not_found"),
        ({"input": []}, "input", "invalid_request_error"),
        ({"input": None}, "input", "invalid_request_error"),
        ({"input": [{"role": "nobody", "content": "a"}]}, "input[0].role", "invalid_request_error"),
        ({"input": [{"role": "user"}]}, "input[0].content", "invalid_request_error"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content[0].type",
            "unsupported_parameter",
        ),
        ({"input": [{"type": "computer_call"}]}, "input[0].type", "unsupported_parameter"),
        ({"input": [{"type": "function_call"}]}, "input[0].call_id", "invalid_request_error"),
        ({"input": "a\0"}, "input", "invalid_request_error"),
        ({"instructions": "a\0"}, "instructions", "invalid_request_error"),
        ({"metadata": {"k": "\0"}}, "metadata.k", "invalid_request_error"),
        ({"metadata": {"k": 1}}, "metadata.k", "invalid_request_error"),
        ({"temperature": 9}, "temperature", "invalid_request_error"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "invalid_request_error"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_request_error"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type", "unsupported_parameter"),
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"n": 2}, "n", "unsupported_parameter"),
        (
            {"include": [LOGPROBS], "tools": [{"type": "function", "name": "f"}]},
            "include",
            "unsupported_parameter",
        ),
        ({"top_logprobs": 3}, "top_logprobs", "invalid_request_error"),
        ({"include": [LOGPROBS], "top_logprobs": 21}, "top_logprobs", "invalid_request_error"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_request_error"),
        ({"background": True, "store": False}, "background", "invalid_request_error"),
        (
            {"previous_response_id": "resp_1"},
            "previous_response_id",
            "previous_response_not_found",
        ),
        ({"conversation": "conv_1"}, "conversation", "conversation_not_found"),
        ({"conversation": "c", "previous_response_id": "r"}, "conversation", None),
        ({"input": "a " * 5000}, "input", "context_length_exceeded"),
    ],
)
async def test_a_refusal_names_what_is_wrong_and_leaves_nothing(ask, fields, param, code):
    status, error = await ask.error(**{"input": "a", **fields})

    assert status in (400, 404)
    assert (error["param"], error["code"]) == (param, code or "invalid_request_error")
    assert not await Message.objects.aexists()
    assert not await Conversation.objects.aexists()


async def test_what_is_ignored_is_named(ask):
    response = await ask.raw("a", include=["reasoning.encrypted_content"], made_up=1)
    assert response["x-ignored-params"] == "made_up, include"


async def test_truncation_drops_what_does_not_fit(ask, settings):
    settings.ENGINE_OPTIONS = {"context_length": 64, "cache_tokens": 64}
    roles = ("user", "assistant", "user")
    said = [{"role": role, "content": "w " * 30} for role in roles]
    fields = {"max_output_tokens": 8}
    refused = await ask.raw(said, **fields)
    kept = await ask.raw(said, truncation="auto", **fields)

    assert refused.status_code == 400
    assert kept["x-context"].startswith("kept=1, dropped=2")


async def test_headers_and_ledger_are_those_of_a_chat(ask, local):
    await Policy.objects.acreate(user=local, requests_per_minute=9, tokens_per_day=1000)
    response = await ask.raw("a b c")

    assert response["x-ratelimit-remaining-requests"] == "8"
    assert response["x-ratelimit-limit-tokens"] == "1000"
    assert response["x-context"].startswith("kept=1, dropped=0, prompt_tokens=3")
    record = await UsageRecord.objects.aget()
    assert (record.endpoint, record.prompt_tokens, record.status) == ("chat", 3, "stop")


async def test_a_quota_that_is_used_up_leaves_nothing(ask, local):
    await Policy.objects.acreate(user=local, tokens_per_day=1)
    assert (await ask.error("a b c"))[0] in (400, 429)
    assert not await Conversation.objects.aexists()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_retry_under_an_idempotency_key_gets_the_same_response(ask, stream):
    key = {"idempotency-key": "k"}
    first, again = [await ask.raw("a b", headers=key, stream=stream) for _ in range(2)]

    bodies = [
        b"".join([part async for part in one]) if stream else one.content for one in (first, again)
    ]
    assert bodies[0] == bodies[1]
    assert again["idempotent-replayed"] == "true"
    assert await Conversation.objects.acount() == 1


async def test_the_model_goes_by_its_id_though_it_was_asked_for_by_an_alias(ask):
    assert (await ask("a", model="gpt-fake"))["model"] == "fake"
    assert await LanguageModel.objects.acount() == 1
