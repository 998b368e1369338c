"""No body that is JSON makes the service fail."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .client import body_of

bounded = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

numbers = st.one_of(
    st.integers(-5, 5),
    st.integers(-(2**70), 2**70),
    st.sampled_from([10**400, 2**31, 2**32, 2**63, 2**64, -(2**63) - 1]),
    st.floats(allow_nan=False, allow_infinity=False),
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(st.none(), st.booleans(), numbers, text)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    *("model", "messages", "prompt", "stream", "stream_options", "max_tokens", "temperature"),
    *("max_completion_tokens", "top_p", "top_k", "min_p", "typical_p", "repeat_penalty", "seed"),
    *("repeat_last_n", "presence_penalty", "frequency_penalty", "logit_bias", "stop", "n"),
    *("stop_token_ids", "min_tokens", "ignore_eos", "chat_template_kwargs", "tools", "made_up"),
    *("model-name", "max-token", "top-p", "top-k", "system-prompt", "session-id", "device"),
]


def openais(body):
    return {name: value for name, value in body.items() if name != "model-name"}


words = st.lists(st.sampled_from(["a", "é", "🙂", "<|im_end|>"]), min_size=1).map(" ".join)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": words},
        optional={"name": values, "tool_calls": values, "made_up": values},
    ),
    min_size=1,
    max_size=3,
)
fraction = st.floats(0.1, 1)
# What is right in every dialect at once. Two tokens at most: the fake never tires.
right = st.fixed_dictionaries(
    {
        "model": st.just("fake"),
        "model-name": st.just("fake"),
        "messages": messages,
        "prompt": words,
        "max_tokens": st.integers(1, 2),
        "max-token": st.integers(1, 2),
    },
    optional={
        **dict.fromkeys(["temperature", "top_p", "min_p", "typical_p", "top-p"], fraction),
        **dict.fromkeys(["stream", "ignore_eos"], st.booleans()),
        "top_k": st.integers(0, 2**31 - 1),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "logit_bias": st.dictionaries(st.integers(0, 9).map(str), st.floats(-100, 100)),
        "stop": words | st.lists(words, max_size=3),
        "stop_token_ids": st.lists(st.integers(0, 2**31 - 1), max_size=3),
        "chat_template_kwargs": st.dictionaries(text, values, max_size=3),
        "made_up": values,
    },
)
wrong = st.dictionaries(st.sampled_from(FIELDS), values, max_size=2)
bodies = st.one_of(
    values,
    st.dictionaries(st.sampled_from(FIELDS), values),
    st.builds(lambda body, faults: {**body, **faults}, right, wrong),
    st.builds(lambda body, faults: {**body, **faults}, right.map(openais), wrong),
)


async def assert_survives(api, path, body):
    response = await api.post(path, body)
    assert response.status_code < 500, response.content
    if response.streaming:
        assert '"server_error"' not in await body_of(response)


@bounded
@given(body=bodies)
async def test_no_chat_body_makes_it_fail(api, fake_model, body):
    await assert_survives(api, "/v1/chat/completions", body)


items = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["message", "function_call", "function_call_output", "reasoning", "item_reference"]
            )
            | values,
            "role": st.sampled_from(["user", "assistant", "developer"]) | values,
            "content": words | values,
            **dict.fromkeys(["id", "call_id", "name", "arguments", "output"], words | values),
        },
    ),
    max_size=3,
)
responses = st.fixed_dictionaries(
    {"model": st.just("fake"), "input": words | items | values},
    optional={
        **dict.fromkeys(["stream", "store", "background"], st.booleans()),
        **dict.fromkeys(["tools", "tool_choice", "text", "reasoning", "metadata"], values),
        **dict.fromkeys(["instructions", "previous_response_id", "conversation"], values),
        "max_output_tokens": st.integers(1, 2),
    },
)


@bounded
@given(body=responses | bodies)
async def test_no_body_of_a_response_makes_it_fail(api, fake_model, body):
    await assert_survives(api, "/v1/responses", body)


@bounded
@given(body=bodies)
async def test_no_completion_body_makes_it_fail(api, fake_model, body):
    await assert_survives(api, "/v1/completions", body)


@bounded
@given(body=bodies)
async def test_no_body_of_the_older_dialect_makes_it_fail(api, fake_model, body):
    await assert_survives(api, "/chat/completions", body)
    await assert_survives(api, "/completions", body)


@bounded
@given(
    body=st.binary(max_size=200), content_type=st.text(st.characters(codec="ascii"), max_size=20)
)
async def test_no_bytes_make_it_fail(api, fake_model, body, content_type):
    response = await api.send("/v1/chat/completions", body, content_type)
    assert response.status_code == 400
    assert response.json().keys() == {"error"}
