"""Responses by the official client, against a running service."""

import json

import httpx
import openai
import pydantic
import pytest

from .server import eventually

LONG = " ".join(f"w{number}" for number in range(60))
VERY_LONG = " ".join(f"w{number}" for number in range(1000))
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
ENDED = ("completed", "incomplete", "failed", "cancelled")


class Person(pydantic.BaseModel):
    name: str
    born: int


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def ask(client, input="a b c", **fields):
    return client.responses.create(model="fake", input=input, **fields)


def ended(client, id):
    eventually(lambda: client.responses.retrieve(id).status in ENDED, "it has ended")
    return client.responses.retrieve(id)


def test_a_response_is_created_and_found_again(client):
    response = ask(client, metadata={"k": "v"})
    assert (response.output_text, response.status) == ("a b c ", "completed")
    assert response.usage.total_tokens == 7
    assert response._request_id.startswith("req_")
    again = client.responses.retrieve(response.id)
    assert (again.output_text, again.metadata) == ("a b c ", {"k": "v"})


def test_a_response_is_streamed(client):
    with ask(client, LONG, stream=True) as stream:
        events = [*stream]
    assert [event.sequence_number for event in events] == [*range(len(events))]
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
    assert "".join(deltas) == events[-1].response.output_text == f"{LONG} "


def test_the_clients_own_helper_puts_a_stream_together(client):
    with client.responses.stream(model="fake", input="<think> hm </think> yes") as stream:
        response = stream.get_final_response()
    assert response.output_text.strip() == "yes"
    assert response.output[0].content[0].text == " hm "


def test_a_response_follows_another(client):
    first = ask(client, "one")
    second = ask(client, "two", previous_response_id=first.id)
    assert (second.output_text, second.previous_response_id) == ("one one two ", first.id)


def test_a_response_in_the_background_is_polled(client):
    response = ask(client, LONG, background=True)
    assert response.status in ("queued", "in_progress")
    assert ended(client, response.id).output_text == f"{LONG} "


def test_a_stream_that_broke_is_resumed(client):
    with ask(client, LONG, stream=True, background=True) as stream:
        before = [next(stream) for _ in range(12)]
    id, last = before[0].response.id, before[-1].sequence_number
    with client.responses.retrieve(id, stream=True, starting_after=last) as stream:
        after = [*stream]
    numbers = [event.sequence_number for event in before + after]
    assert numbers == [*range(len(numbers))]
    texts = [e.delta for e in before + after if e.type == "response.output_text.delta"]
    assert "".join(texts) == f"{LONG} "


def test_the_clients_own_helper_resumes(client):
    response = ask(client, LONG, background=True)
    with client.responses.stream(response_id=response.id, starting_after=5) as stream:
        events = [*stream]
    assert events[0].sequence_number == 6
    assert events[-1].response.output_text == f"{LONG} "


def test_a_response_is_cancelled(server, client):
    response = ask(client, VERY_LONG, background=True)
    eventually(lambda: client.responses.retrieve(response.id).output_text, "it has begun")
    cancelled = client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert f"{VERY_LONG} ".startswith(cancelled.output_text)
    eventually(server.is_idle, "the engine has let go")


def test_a_response_is_deleted(client):
    response = ask(client)
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve(response.id)
    assert caught.value.code == "response_not_found"


def test_input_items_are_listed_page_by_page(client):
    said = [{"role": "user", "content": f"w{number}"} for number in range(5)]
    response = ask(client, said)
    items = client.responses.input_items.list(response.id, limit=2, order="asc")
    assert len(items.data) == 2
    assert [item.content[0].text for item in items] == [f"w{number}" for number in range(5)]


@pytest.mark.parametrize("store", [True, False])
def test_functions_are_called_and_answered(client, store):
    asked = [{"role": "user", "content": "Is it warm?"}]
    first = ask(client, asked, tools=[WEATHER], tool_choice="required", store=store)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert (call.name, [*json.loads(call.arguments)]) == ("weather", ["city"])
    returned = {"type": "function_call_output", "call_id": call.call_id, "output": "30 degrees"}
    if store:
        second = ask(client, [returned], previous_response_id=first.id)
    else:
        second = ask(client, [*asked, *first.output, returned], store=False)
    assert "weather returned: 30 degrees" in second.output_text


def test_a_call_is_streamed(client):
    with client.responses.stream(
        model="fake", input="a", tools=[WEATHER], tool_choice="required"
    ) as stream:
        events = [*stream]
    (call,) = events[-1].response.output
    assert call.type == "function_call"
    done = [e for e in events if e.type == "response.function_call_arguments.done"]
    assert [e.arguments for e in done] == [call.arguments]
    assert json.loads(call.arguments).keys() == {"city"}


def test_a_response_is_parsed(client):
    response = client.responses.parse(model="fake", input="a", text_format=Person)
    assert isinstance(response.output_parsed, Person)
    with client.responses.stream(model="fake", input="a", text_format=Person) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Person)


def test_what_is_not_supported_is_named(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, tools=[{"type": "web_search"}])
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "tools[0].type")


def test_a_failure_ends_the_stream(client):
    with ask(client, "a b fail", stream=True) as stream:
        events = [*stream]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.message


def test_a_thread_is_a_page_of_the_chat(server, client):
    response = ask(client, "one two three")
    uid = response.conversation.id.removeprefix("conv_")
    dashed = f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:]}"
    page = httpx.get(f"{server.url}/c/{dashed}/").text
    assert f"message-{response.id.removeprefix('resp_')}" in page
    assert "one two three" in page


async def test_the_async_client_does_the_same(server):
    async with server.async_client() as client:
        response = await client.responses.create(model="fake", input="one")
        assert response.output_text == "one "
        stream = await client.responses.create(
            model="fake", input="two", previous_response_id=response.id, stream=True
        )
        events = [event async for event in stream]
        assert events[-1].response.output_text == "one one two "
        begun = await client.responses.create(model="fake", input=VERY_LONG, background=True)
        assert (await client.responses.cancel(begun.id)).status == "cancelled"
        items = client.responses.input_items.list(events[-1].response.id, order="asc")
        texts = [item.content[0].text async for item in items]
        assert texts == ["one", "one ", "two"]
        async with client.responses.stream(model="fake", input="a b") as helper:
            assert (await helper.get_final_response()).output_text == "a b "
        parsed = await client.responses.parse(model="fake", input="a", text_format=Person)
        assert isinstance(parsed.output_parsed, Person)
        await client.responses.delete(response.id)


def test_an_answer_outlives_its_server(make_server):
    server = make_server().start()
    with server.client() as client, ask(client, VERY_LONG, stream=True) as stream:
        events = [next(stream) for _ in range(80)]
        id = events[0].response.id
        server.stop()
    server.start()
    with server.client() as client:
        kept = ended(client, id)
        assert kept.status == "failed"
        assert f"{VERY_LONG} ".startswith(kept.output_text)
        with client.responses.retrieve(id, stream=True, starting_after=79) as stream:
            assert [event.type for event in stream][-1] == "response.failed"


# A model


@pytest.fixture
def real(real_server):
    with real_server.client(timeout=120) as client:
        yield client


@pytest.mark.model
def test_a_model_goes_on_from_what_it_has_said(real):
    first = real.responses.create(
        model="smollm2", input="My name is Ada.", max_output_tokens=8, temperature=0
    )
    with real.responses.stream(
        model="smollm2",
        input="What is my name?",
        previous_response_id=first.id,
        max_output_tokens=8,
        temperature=0,
    ) as stream:
        second = [*stream][-1].response
    assert first.output_text
    assert second.output_text
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens - 2


@pytest.mark.model
def test_a_model_fills_a_form_and_calls_a_function(real):
    schema = {
        "type": "object",
        "properties": {"born": {"type": "integer", "minimum": 1000, "maximum": 2000}},
        "required": ["born"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "person", "schema": schema, "strict": True}
    filled = real.responses.create(
        model="smollm2", input="Ada Lovelace, born 1815.", text={"format": form}, temperature=0
    )
    assert 1000 <= json.loads(filled.output_text)["born"] <= 2000
    short = {
        **WEATHER,
        "parameters": {**WEATHER["parameters"], "properties": {"city": {"enum": ["Rome", "Oslo"]}}},
    }
    called = real.responses.create(
        model="smollm2", input="The weather in Rome?", tools=[short], tool_choice="required"
    )
    calls = [item for item in called.output if item.type == "function_call"]
    assert {json.loads(call.arguments)["city"] for call in calls} <= {"Rome", "Oslo"}
    assert calls
