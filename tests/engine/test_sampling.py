import math

import msgspec
import pytest

from inference.engine.errors import InvalidParameter
from inference.engine.sampling import (
    INT32_MAX,
    MAX_BREAKER_CHARS,
    MAX_BREAKERS,
    MAX_STOP_CHARS,
    MAX_STOP_STRINGS,
    MAX_TOKEN_IDS,
    RANDOM_SEED,
    SamplingParams,
)

REFUSED = [
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("top_p", 0),
    ("top_p", 1.1),
    ("top_k", -1),
    ("top_k", INT32_MAX + 1),
    ("min_p", -0.1),
    ("min_p", 1.1),
    ("typical_p", 0),
    ("typical_p", 1.1),
    ("repeat_penalty", 0),
    ("repeat_penalty", 10.1),
    ("repeat_last_n", -2),
    ("presence_penalty", -2.1),
    ("presence_penalty", 2.1),
    ("frequency_penalty", -2.1),
    ("frequency_penalty", 2.1),
    ("dry_multiplier", -0.1),
    ("dry_base", 0.9),
    ("dry_allowed_length", -1),
    ("dry_penalty_last_n", -2),
    ("dry_sequence_breakers", ("",)),
    ("dry_sequence_breakers", ("a\0b",)),
    ("dry_sequence_breakers", ("a",) * (MAX_BREAKERS + 1)),
    ("dry_sequence_breakers", ("a" * (MAX_BREAKER_CHARS + 1),)),
    ("xtc_probability", 1.1),
    ("xtc_threshold", -0.1),
    ("mirostat", 3),
    ("mirostat_tau", 0),
    ("mirostat_eta", 0),
    ("num_logprobs", 21),
    ("logit_bias", {5: 100.1}),
    ("logit_bias", {5: -100.1}),
    ("logit_bias", {-1: 0.0}),
    ("logit_bias", dict.fromkeys(range(MAX_TOKEN_IDS + 1), 1.0)),
    ("seed", 2**63),
    ("seed", -(2**63) - 1),
    ("stop", ("",)),
    ("stop", ("a",) * (MAX_STOP_STRINGS + 1)),
    ("stop", ("a" * (MAX_STOP_CHARS + 1),)),
    ("stop_token_ids", (-1,)),
    ("stop_token_ids", tuple(range(MAX_TOKEN_IDS + 1))),
    ("max_tokens", 0),
    ("max_tokens", 10**30),
    ("min_tokens", -1),
]
ACCEPTED = [
    ("temperature", 0),
    ("temperature", 2),
    ("top_p", 1),
    ("top_k", 0),
    ("min_p", 0),
    ("min_p", 1),
    ("typical_p", 1),
    ("repeat_penalty", 10),
    ("repeat_last_n", -1),
    ("presence_penalty", -2),
    ("frequency_penalty", 2),
    ("dry_multiplier", 100),
    ("dry_sequence_breakers", ("a" * MAX_BREAKER_CHARS,) * MAX_BREAKERS),
    ("xtc_probability", 1),
    ("mirostat", 2),
    ("num_logprobs", 0),
    ("logit_bias", {0: 100, INT32_MAX: -100}),
    ("seed", 2**63 - 1),
    ("seed", -(2**63)),
    ("stop", ("a" * MAX_STOP_CHARS,) * MAX_STOP_STRINGS),
    ("stop_token_ids", (0,)),
    ("max_tokens", 1),
    ("max_tokens", None),
]
FLOATS = [
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "dry_multiplier",
    "dry_base",
    "xtc_probability",
    "xtc_threshold",
    "mirostat_tau",
    "mirostat_eta",
]


@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_a_value_outside_its_range_is_refused_by_name(field, value):
    with pytest.raises(InvalidParameter) as caught:
        SamplingParams(**{field: value})

    assert caught.value.param == field


@pytest.mark.parametrize(("field", "value"), ACCEPTED)
def test_the_ends_of_a_range_belong_to_it(field, value):
    assert getattr(SamplingParams(**{field: value}), field) == value


@pytest.mark.parametrize("field", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(field, value):
    with pytest.raises(InvalidParameter, match=field):
        SamplingParams(**{field: value})


@pytest.mark.parametrize("bias", [math.nan, math.inf, -math.inf])
def test_a_bias_that_is_no_number_is_refused(bias):
    with pytest.raises(InvalidParameter, match="logit_bias"):
        SamplingParams(logit_bias={1: bias})


def test_the_refusal_shows_the_value_and_what_is_allowed():
    with pytest.raises(InvalidParameter, match=r"3 is not at least 0 and at most 2"):
        SamplingParams(temperature=3)


def test_min_tokens_above_max_tokens_is_refused():
    with pytest.raises(InvalidParameter) as caught:
        SamplingParams(min_tokens=9, max_tokens=8)

    assert caught.value.param == "min_tokens"


def test_min_tokens_may_reach_max_tokens():
    assert SamplingParams(min_tokens=8, max_tokens=8).min_tokens == 8


def test_min_tokens_is_free_while_only_the_context_limits_the_answer():
    assert SamplingParams(min_tokens=8).max_tokens is None


def test_a_decoded_message_is_checked_like_any_other():
    with pytest.raises(InvalidParameter, match="top_k"):
        msgspec.convert({"top_k": -1}, SamplingParams)


def test_params_survive_the_pipe():
    params = SamplingParams(
        temperature=0.5, logit_bias={7: -1.5}, seed=-(2**63), stop=("\n", "é"), stop_token_ids=(2,)
    )

    sent = msgspec.msgpack.encode(params)

    assert msgspec.msgpack.decode(sent, type=SamplingParams) == params


def test_params_cannot_be_changed():
    with pytest.raises(AttributeError):
        SamplingParams().temperature = 1.0


@pytest.mark.parametrize(
    ("params", "is_greedy"),
    [
        (SamplingParams(), False),
        (SamplingParams(temperature=0), True),
        (SamplingParams(temperature=1e-30), True),
        (SamplingParams(temperature=0.01), False),
        (SamplingParams(top_k=1), True),
    ],
)
def test_sampling_is_greedy_where_chance_has_no_say(params, is_greedy):
    assert params.is_greedy is is_greedy


@pytest.mark.parametrize(
    ("seed", "seed32"),
    [
        (None, RANDOM_SEED),
        (-1, RANDOM_SEED),
        (0, 0),
        (7, 7),
        (2**32 + 7, 7),
        (-2, 2**32 - 2),
        (2**63 - 1, 2**32 - 1),
    ],
)
def test_llama_cpp_gets_the_low_half_of_a_seed(seed, seed32):
    assert SamplingParams(seed=seed).seed32 == seed32
