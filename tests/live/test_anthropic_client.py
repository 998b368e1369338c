"""Anthropic's official client, against a running service."""

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
    assert (message.stop_reason, message.usage.input_tokens) == ("end_turn", 3)


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
        (anthropic.BadRequestError, {"tools": [{"name": "f", "input_schema": {}}]}),
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


def test_a_real_model_answers_and_counts_as_it_is_asked_to(real_server):
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": "Count to three."}]}
    asked["system"] = "You are brief."
    with real_server.anthropic_client() as client:
        message = client.messages.create(max_tokens=8, **asked)
        counted = client.messages.count_tokens(**asked)
    assert message.content[0].text.strip()
    assert message.usage.input_tokens == counted.input_tokens > 10
    assert message.stop_reason in ("end_turn", "max_tokens")
