"""Functions that are called in responses, and what they returned."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from .asking import kinds, text_of

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"enum": ["Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "name": "weather", "parameters": PARAMETERS}
CLOCK = {"type": "function", "name": "clock"}
CALL = '<tool_call> {"name": "weather", "arguments": {"city": "Rome"}} </tool_call>'


@pytest.fixture(autouse=True)
async def hermes(fake_model):
    fake_model.chat_template = "{{ tools }}<tool_call>"
    await fake_model.asave()


def calls(response):
    return [item for item in response["output"] if item["type"] == "function_call"]


def returned(call, output):
    return {"type": "function_call_output", "call_id": call["call_id"], "output": output}


async def test_a_call_is_an_item(ask):
    response = await ask(f"So: {CALL} {CALL}", tools=[WEATHER])
    text, first, second = response["output"]

    assert text["content"][0]["text"] == "So:"
    assert (first["name"], first["status"]) == ("weather", "completed")
    assert json.loads(first["arguments"]) == {"city": "Rome"}
    assert first["call_id"] != second["call_id"]
    assert response["tools"][0]["name"] == "weather"


@pytest.mark.parametrize("store", [True, False])
async def test_calls_are_streamed_in_order(ask, store):
    events = await ask.stream(f"So: {CALL}", tools=[WEATHER], store=store)

    assert kinds(events)[2:-1] == [
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
    ]
    pieces = [e["delta"] for e in events if e["type"].endswith("arguments.delta")]
    (call,) = calls(events[-1]["response"])
    assert "".join(pieces) == call["arguments"]
    assert [e["output_index"] for e in events[2:-1]] == [0] * 6 + [1] * (len(events) - 9)


async def test_words_after_a_call_are_an_item_of_their_own(ask):
    events = await ask.stream(f"So: {CALL} then", tools=[WEATHER])
    response = events[-1]["response"]

    assert [item["type"] for item in response["output"]] == ["message", "function_call", "message"]
    assert len({item["id"] for item in response["output"]}) == 3
    assert await ask.resume(response["id"]) == events


async def test_a_result_goes_back_to_the_model(ask):
    first = await ask(f"warm? {CALL}", tools=[WEATHER])
    (call,) = calls(first)
    second = await ask(
        [returned(call, "30 degrees")], tools=[WEATHER], previous_response_id=first["id"]
    )
    third = await ask("so?", previous_response_id=second["id"])

    assert text_of(second).endswith("30 degrees")
    assert text_of(third).endswith("so? ")
    items = await ask.items(second["id"])
    assert [item["type"] for item in items][-2:] == ["function_call", "function_call_output"]
    assert items[-1]["call_id"] == call["call_id"]


async def test_a_result_may_be_in_parts(ask):
    call = {"call_id": "call_1"}
    parts = [{"type": "input_text", "text": "30"}, {"type": "input_text", "text": "degrees"}]
    given = [
        {"role": "user", "content": "warm?"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        returned(call, parts),
    ]
    assert text_of(await ask(given)).endswith("30 degrees ")


async def test_output_can_be_sent_back_as_it_came(ask):
    given = [{"role": "user", "content": f"warm? {CALL}"}]
    first = await ask(given, tools=[WEATHER], store=False)
    given += [*first["output"], returned(calls(first)[0], "30 degrees")]
    assert text_of(await ask(given, tools=[WEATHER], store=False)).endswith("30 degrees")


async def test_items_that_are_stored_may_only_be_named(ask):
    first = await ask(f"So: {CALL} then", tools=[WEATHER])
    named = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
    (call,) = calls(first)
    second = await ask([*named, returned(call, "30 degrees")])
    items = await ask.items(second["id"])

    assert [item["type"] for item in items] == [
        *("message", "function_call", "message", "function_call_output"),
    ]
    assert items[1]["call_id"] == call["call_id"]
    assert [one["content"][0]["text"] for one in (items[0], items[2])] == ["So:", " then"]


@pytest.mark.parametrize("id", ["msg_1", f"fc_{'0' * 32}_0"])
async def test_an_item_that_is_not_there_is_named(ask, id):
    status, error = await ask.error([{"type": "item_reference", "id": id}])
    assert (status, error["param"]) == (400, "input[0].id")


async def test_a_call_that_is_required_is_made(ask):
    response = await ask("a", tools=[WEATHER, CLOCK], tool_choice="required")
    assert [call["name"] in ("weather", "clock") for call in calls(response)] == [True]
    named = {"type": "function", "name": "clock"}
    response = await ask("a", tools=[WEATHER, CLOCK], tool_choice=named)
    assert [call["name"] for call in calls(response)] == ["clock"]
    assert response["tool_choice"] == named


async def test_the_page_shows_calls_and_results(ask):
    first = await ask(f"warm? {CALL}", tools=[WEATHER])
    await ask([returned(calls(first)[0], "30 degrees")], previous_response_id=first["id"])
    uid = first["conversation"]["id"].removeprefix("conv_")
    dashed = f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:]}"
    page = (await sync_to_async(Client().get)(f"/c/{dashed}/")).content.decode()

    assert "Calls weather" in page
    assert "<pre>30 degrees</pre>" in page


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER, WEATHER]}, "tools[1].name"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}},
            "tool_choice.name",
        ),
        ({"tools": [WEATHER], "text": {"format": {"type": "json_object"}}}, "text.format"),
    ],
)
async def test_what_does_not_go_together_is_refused(ask, fields, param):
    status, error = await ask.error("a", **fields)
    assert (status, error["param"]) == (400, param)
