"""The official client, against a running service."""

import asyncio
from typing import Literal

import openai
import pydantic
import pytest

from .server import eventually

USER = [{"role": "user", "content": "a b c"}]


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def say(content):
    return [{"role": "user", "content": content}]


def test_a_chat_is_answered(client):
    answer = client.chat.completions.create(model="fake", messages=USER)
    assert answer.choices[0].message.content == "a b c "
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 7
    assert answer._request_id.startswith("req_")


def test_a_chat_is_streamed(client):
    with client.chat.completions.create(
        model="fake", messages=USER, stream=True, stream_options={"include_usage": True}
    ) as stream:
        first, *chunks, usage = stream
    assert first.choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "a b c "
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert usage.usage.completion_tokens == 4


def test_the_clients_own_stream_helper_puts_the_answer_together(client):
    with client.chat.completions.stream(model="fake", messages=USER) as stream:
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == "a b c "


def test_a_text_is_completed(client):
    answer = client.completions.create(model="fake", prompt=["a b", "c"])
    assert [choice.text for choice in answer.choices] == ["a b ", "c "]


def test_a_text_completion_is_streamed(client):
    with client.completions.create(model="fake", prompt="a b", stream=True) as stream:
        assert "".join(chunk.choices[0].text for chunk in stream) == "a b "


def test_logprobs_come_with_both_endpoints(client):
    chat = client.chat.completions.create(
        model="fake", messages=USER, logprobs=True, top_logprobs=2
    )
    assert [token.token for token in chat.choices[0].logprobs.content] == ["a ", "b ", "c "]
    text = client.completions.create(model="fake", prompt="a b", logprobs=1)
    assert text.choices[0].logprobs.text_offset == [0, 2]


@pytest.mark.parametrize("stream", [False, True])
def test_several_answers_are_choices_of_one(client, stream):
    asked = {"model": "fake", "messages": say("a seed"), "n": 3, "seed": 1}
    answer = client.chat.completions.create(**asked, stream=stream)
    parts = [choice for part in (answer if stream else [answer]) for choice in part.choices]
    texts = ["", "", ""]
    for part in parts:
        texts[part.index] += (part.delta if stream else part.message).content or ""
    assert texts == ["a 1 ", "a 2 ", "a 3 "]


def test_the_best_of_several_completions_is_told(client):
    answer = client.completions.create(model="fake", prompt="seed", best_of=3, seed=7)
    assert [choice.text for choice in answer.choices] == ["8 "]


def test_models_are_listed_and_found(client):
    assert [model.id for model in client.models.list()] == ["fake"]
    assert client.models.retrieve("fake").owned_by == "llmsite"


async def test_the_async_client_does_the_same(server):
    async with server.async_client() as client:
        answer = await client.chat.completions.create(model="fake", messages=USER)
        assert answer.choices[0].message.content == "a b c "
        stream = await client.chat.completions.create(model="fake", messages=USER, stream=True)
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(texts) == "a b c "
        assert [model.id async for model in client.models.list()] == ["fake"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "fields"),
    [
        (openai.NotFoundError, "model_not_found", {"model": "gpt-4o"}),
        (openai.BadRequestError, "invalid_request_error", {"temperature": 9}),
        (openai.BadRequestError, "unsupported_parameter", {"modalities": ["audio"]}),
        (openai.BadRequestError, "context_length_exceeded", {"messages": say("a " * 5000)}),
    ],
)
def test_a_refusal_is_the_clients_exception(client, stream, error, code, fields):
    with pytest.raises(error) as caught:
        client.chat.completions.create(
            **{"model": "fake", "messages": USER, "stream": stream, **fields}
        )
    assert caught.value.code == code
    assert caught.value.param in ("model", "temperature", "modalities", "messages")


def test_a_model_that_makes_no_embeddings_says_so(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="fake", input="a")
    assert caught.value.param == "model"
    assert "The model 'fake' makes no embeddings." in str(caught.value)


def test_an_unknown_path_is_the_clients_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.images.generate(prompt="a")


def test_a_step_that_fails_is_the_clients_server_error(client):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="fake", messages=say("fail"))
    assert (caught.value.status_code, caught.value.code) == (500, "engine_error")


def test_an_error_within_a_stream_is_raised_from_it(client):
    stream = client.chat.completions.create(model="fake", messages=say("a fail"), stream=True)
    with pytest.raises(openai.APIError) as caught, stream:
        list(stream)
    assert caught.value.code == "engine_error"


def test_a_full_queue_is_the_clients_rate_limit_error(make_server):
    one_at_a_time = {"MAX_CONCURRENT_REQUESTS": "1", "MAX_WAITING_REQUESTS": "0"}
    server = make_server(**{f"LLMSITE_MODELS__{k}": v for k, v in one_at_a_time.items()}).start()
    with (
        server.client() as client,
        client.completions.create(model="fake", prompt="a " * 2000, stream=True) as stream,
    ):
        next(stream)
        with pytest.raises(openai.RateLimitError) as caught:
            client.completions.create(model="fake", prompt="b")
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_keys_are_asked_for(make_server):
    key = "a-key-of-this-test"
    security = {"ENABLE_AUTH": "true", "API_KEYS": f'["{key}"]'}
    server = make_server(**{f"LLMSITE_SECURITY__{k}": v for k, v in security.items()}).start()
    with server.client(api_key="wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    with server.client(api_key=key) as client:
        answer = client.chat.completions.with_raw_response.create(model="fake", messages=USER)
    assert answer.headers["x-ratelimit-remaining-requests"] == "59"


async def test_eight_streams_progress_together(server):
    """Every stream begins before any ends, and none gets far ahead."""
    arrivals = []

    async def read(client, index):
        stream = await client.completions.create(model="fake", prompt=f"{index} " * 50, stream=True)
        async for chunk in stream:
            arrivals.extend([index] * len(chunk.choices[0].text.split()))

    async with server.async_client() as client:
        await asyncio.gather(*(read(client, index) for index in range(8)))
    firsts = [arrivals.index(index) for index in range(8)]
    lasts = [len(arrivals) - 1 - arrivals[::-1].index(index) for index in range(8)]
    assert len(arrivals) == 8 * 50
    assert max(firsts) < min(lasts)
    assert set(arrivals[150:250]) == set(range(8))


def cancelled(server):
    return server.metric("llmsite_requests_total", model="fake", outcome="cancelled")


def test_a_client_that_leaves_mid_stream_frees_its_place(client, server):
    before = cancelled(server)
    with client.completions.create(model="fake", prompt="a " * 2000, stream=True) as stream:
        assert next(stream).choices[0].text == "a "
        assert server.metric("llmsite_requests_running") == 1
    eventually(lambda: cancelled(server) == before + 1, "the request is cancelled")
    eventually(server.is_idle, "nothing runs")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_mid_prefill_frees_its_place(server, stream):
    before = cancelled(server)
    with server.client(timeout=0.3) as impatient, pytest.raises(openai.APITimeoutError):
        list(impatient.completions.create(model="fake", prompt="a " * 4000, stream=stream))
    eventually(lambda: cancelled(server) == before + 1, "the request is cancelled")
    eventually(server.is_idle, "nothing runs")
    assert server.metric("llmsite_kv_cache_cells_used") == 0


def test_a_client_that_leaves_the_queue_is_forgotten(client, server):
    before = cancelled(server)
    streams = [
        client.completions.create(model="fake", prompt="a " * 2000, stream=True) for _ in range(12)
    ]
    eventually(lambda: server.metric("llmsite_requests_waiting") == 2, "two wait")
    for stream in reversed(streams):
        stream.close()
    eventually(lambda: cancelled(server) == before + 12, "all are cancelled")
    eventually(server.is_idle, "nothing runs")


class Person(pydantic.BaseModel):
    name: str
    is_member: bool
    tags: list[str]


def test_an_answer_is_parsed_into_a_model(client):
    answer = client.chat.completions.parse(model="fake", messages=USER, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="", is_member=True, tags=[])


def test_a_stream_is_parsed_into_a_model(client):
    with client.chat.completions.stream(
        model="fake", messages=USER, response_format=Person
    ) as stream:
        completion = stream.get_final_completion()
    assert isinstance(completion.choices[0].message.parsed, Person)


class Weather(pydantic.BaseModel):
    city: Literal["Rome", "Oslo"]
    days: int = pydantic.Field(ge=1)


WEATHER = openai.pydantic_function_tool(Weather)
CALL = '{"name": "Weather", "arguments": {"city": "Oslo", "days": 3}}'


def test_a_tool_is_called_and_its_arguments_are_parsed(client):
    answer = client.chat.completions.parse(
        model="fake", messages=USER, tools=[WEATHER], tool_choice="required"
    )
    (call,) = answer.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Weather)
    assert answer.choices[0].finish_reason == "tool_calls"


def test_the_clients_stream_helper_puts_a_call_together(client):
    named = {"type": "function", "function": {"name": "Weather"}}
    with client.chat.completions.stream(
        model="fake", messages=USER, tools=[WEATHER], tool_choice=named
    ) as stream:
        events = list(stream)
        completion = stream.get_final_completion()
    (call,) = completion.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Weather)
    assert sum(event.type == "tool_calls.function.arguments.delta" for event in events) > 3


def test_a_conversation_goes_on_after_a_call(client):
    messages = say(CALL)
    answer = client.chat.completions.create(model="fake", messages=messages)
    assert answer.choices[0].message.tool_calls is None
    forced = client.chat.completions.create(
        model="fake", messages=messages, tools=[WEATHER], tool_choice="required"
    )
    message = forced.choices[0].message
    (call,) = message.tool_calls
    messages = [*messages, message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    answer = client.chat.completions.create(model="fake", messages=messages)
    assert answer.choices[0].message.content.endswith("Weather returned: rain ")
