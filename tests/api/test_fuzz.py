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
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool", "robot"])},
        optional={"content": text | values, "name": values, "tool_calls": values},
    ),
    max_size=3,
)
RIGHT = ("model", "messages", "prompt", "max_tokens")
# Often enough right to get past the first check. Two tokens at most: the fake never tires.
plausible = st.fixed_dictionaries(
    {
        "model": st.just("fake"),
        "messages": messages | values,
        "prompt": text | st.lists(text, max_size=3) | st.lists(st.integers(0, 9), max_size=3),
        "max_tokens": st.integers(1, 2),
    },
    optional={name: values for name in FIELDS if name not in RIGHT},
)
bodies = st.one_of(values, st.dictionaries(st.sampled_from(FIELDS), values), plausible)


async def assert_survives(api, path, body):
    response = await api.post(path, body)
    assert response.status_code < 500, response.content
    if response.streaming:
        assert '"server_error"' not in await body_of(response)


@bounded
@given(body=bodies)
async def test_no_chat_body_makes_it_fail(api, fake_model, body):
    await assert_survives(api, "/v1/chat/completions", body)


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
