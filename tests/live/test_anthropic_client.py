"""Anthropic's official client, against a running service."""

import json

import anthropic
import pytest

from .server import eventually

USER = [{"role": "user", "content": "a b c"}]
ASKED = {"model": "fake", "max_tokens": 50, "messages": USER}


@pytest.fixture
def client(server):
    with server.anthropic_client() as client:
        yield client


def say(content):
    return ASKED | {"messages": [{"role": "user", "content": content}]}


def read(message):
    """Tokens of the prompt, those from the cache among them, which this dialect counts apart."""
    return message.usage.input_tokens + message.usage.cache_read_input_tokens


def test_a_message_is_answered(client):
    message = client.messages.create(**ASKED, system="s")
    assert message.content[0].text == "s a b c "
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 5)
    assert message._request_id.startswith("req_")


def test_a_stop_sequence_is_told(client):
    message = client.messages.create(**ASKED, stop_sequences=["c"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "c")


def test_a_message_is_streamed(client):
    events = list(client.messages.create(**ASKED, stream=True))
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
    assert events[-2].usage.output_tokens == 4


def test_the_clients_own_stream_helper_puts_the_message_together(client):
    with client.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == "a b c "
        message = stream.get_final_message()
    assert message.content[0].text == "a b c "
    assert (message.stop_reason, read(message)) == ("end_turn", 3)


def test_thoughts_come_as_blocks(client):
    with client.messages.stream(**say("<think> hm </think> a")) as stream:
        thought, said = stream.get_final_message().content
    assert (thought.type, thought.thinking, said.text) == ("thinking", " hm ", " a ")


def test_tokens_are_counted(client):
    assert client.messages.count_tokens(model="fake", messages=USER).input_tokens == 3


async def test_the_async_client_does_the_same(server):
    async with server.async_anthropic_client() as client:
        assert (await client.messages.create(**ASKED)).content[0].text == "a b c "
        async with client.messages.stream(**ASKED) as stream:
            assert "".join([text async for text in stream.text_stream]) == "a b c "
        assert (await client.messages.count_tokens(model="fake", messages=USER)).input_tokens == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (anthropic.NotFoundError, {"model": "claude"}),
        (anthropic.BadRequestError, {"max_tokens": 0}),
        (anthropic.BadRequestError, {"tools": [{"name": "a b", "input_schema": {}}]}),
    ],
)
def test_a_refusal_is_the_clients_exception(client, stream, error, fields):
    with pytest.raises(error) as caught:
        list(client.messages.create(**{**ASKED, "stream": stream, **fields}))
    assert caught.value.body["type"] == "error"


def test_an_error_within_a_stream_is_raised_from_it(client):
    stream = client.messages.create(**say("a fail"), stream=True)
    with pytest.raises(anthropic.APIStatusError) as caught, stream:
        list(stream)
    assert caught.value.body["error"]["type"] == "api_error"


def test_what_failed_is_asked_again_by_the_client_itself(server):
    def failures():
        return server.metric("llmsite_requests_total", model="fake", outcome="decode_failed")

    before = failures()
    with (
        server.anthropic_client(max_retries=1) as client,
        pytest.raises(anthropic.InternalServerError),
    ):
        client.messages.create(**say("fail"))
    assert failures() == before + 2


def test_a_client_that_leaves_frees_its_place(client, server):
    stream = client.messages.create(**say("a " * 2000) | {"max_tokens": 2000}, stream=True)
    next(iter(stream))
    stream.close()
    eventually(server.is_idle, "nothing runs")


CITY = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"enum": ["Rome", "Oslo"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
NAMED = {"type": "tool", "name": "weather"}


def test_a_tool_is_called_and_its_result_goes_back(client):
    asked = {**ASKED, "tools": [CITY]}
    message = client.messages.create(**asked, tool_choice=NAMED)
    (call,) = message.content
    assert (message.stop_reason, call.type, call.name) == ("tool_use", "tool_use", "weather")
    assert call.input["city"] in ("Rome", "Oslo")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    history = [
        *USER,
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]
    answer = client.messages.create(**{**ASKED, "max_tokens": 500, "messages": history})
    assert answer.content[0].text.endswith("weather returned: rain ")


def test_the_stream_helper_puts_a_call_together(client):
    with client.messages.stream(**ASKED, tools=[CITY], tool_choice={"type": "any"}) as stream:
        events = list(stream)
        message = stream.get_final_message()
    (call,) = message.content
    assert call.input["city"] in ("Rome", "Oslo")
    pieces = [event.partial_json for event in events if event.type == "input_json"]
    assert json.loads("".join(pieces)) == call.input
    assert message.stop_reason == "tool_use"


def test_thoughts_have_a_budget_and_are_accepted_back(client):
    thinking = {"type": "enabled", "budget_tokens": 2}
    asked = say("<think> a b c </think> d")
    with client.messages.stream(**asked, thinking=thinking) as stream:
        events = list(stream)
        message = stream.get_final_message()
    thoughts = "".join(event.thinking for event in events if event.type == "thinking")
    assert thoughts.split() == message.content[0].thinking.split() == ["a", "b"]
    history = [
        *asked["messages"],
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": "e"},
    ]
    assert client.messages.create(**{**asked, "messages": history}).content[-1].text


def test_tools_are_counted(client):
    counted = client.messages.count_tokens(model="fake", messages=USER, tools=[CITY])
    assert counted.input_tokens > 3


def test_a_real_model_calls_a_tool(real_server):
    with real_server.anthropic_client() as client:
        message = client.messages.create(
            model="smollm2",
            max_tokens=100,
            extra_body={"temperature": 0},  # dice may call it twice
            messages=[{"role": "user", "content": "How is the weather in Oslo?"}],
            tools=[CITY],
            tool_choice=NAMED,
        )
        (call,) = message.content
        history = [
            {"role": "user", "content": "How is the weather in Oslo?"},
            {"role": "assistant", "content": message.content},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}],
            },
        ]
        answer = client.messages.create(
            model="smollm2", max_tokens=8, messages=history, tools=[CITY]
        )
    assert call.input["city"] in ("Rome", "Oslo")
    assert answer.content
    assert read(answer) > read(message)


def test_a_real_model_answers_and_counts_as_it_is_asked_to(real_server):
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": "Count to three."}]}
    asked["system"] = "You are brief."
    with real_server.anthropic_client() as client:
        message = client.messages.create(max_tokens=8, **asked)
        counted = client.messages.count_tokens(**asked)
    assert message.content[0].text.strip()
    assert read(message) == counted.input_tokens > 10
    assert message.stop_reason in ("end_turn", "max_tokens")
