"""`n` and `best_of`: several answers to one prompt. The fake writes the seed for `seed`."""

import pytest

from inference.api.choices import seeded
from inference.runtime import SamplingParams

from .client import events_of

pytestmark = pytest.mark.usefixtures("fake_model")


def texts(answer):
    return [(c["index"], c["message"]["content"], c["finish_reason"]) for c in answer["choices"]]


async def test_n_answers_are_choices_with_seeds_of_their_own(api):
    answer = (await api.chat("a seed", n=3, seed=5)).json()

    assert texts(answer) == [(0, "a 5 ", "stop"), (1, "a 6 ", "stop"), (2, "a 7 ", "stop")]


async def test_the_prompt_is_paid_once_and_every_answer(api):
    usage = (await api.chat("a b c", n=4, max_tokens=2)).json()["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 8)
    assert usage["total_tokens"] == 11


async def test_choices_are_streamed_side_by_side(api):
    chunks = await events_of(
        await api.chat("a seed", n=2, seed=5, stream=True, stream_options={"include_usage": True})
    )

    *chunks, usage, done = chunks
    deltas = [chunk["choices"][0] for chunk in chunks]
    said = {i: [d for d in deltas if d["index"] == i] for i in (0, 1)}
    assert [said[i][0]["delta"] for i in said] == [{"role": "assistant", "content": ""}] * 2
    assert ["".join(d["delta"].get("content", "") for d in said[i]) for i in said] == [
        *("a 5 ", "a 6 ")
    ]
    assert [said[i][-1]["finish_reason"] for i in said] == ["stop", "stop"]
    assert {chunk["id"] for chunk in chunks} == {usage["id"]}
    assert (usage["choices"], usage["usage"]["prompt_tokens"], done) == ([], 2, "[DONE]")


async def test_each_prompt_of_a_list_has_n_choices(api):
    answer = (await api.complete(["a seed", "b"], n=2, seed=0)).json()

    assert [(c["index"], c["text"]) for c in answer["choices"]] == [
        *((0, "a 0 "), (1, "a 1 "), (2, "b "), (3, "b ")),
    ]
    assert answer["usage"]["prompt_tokens"] == 3


async def test_best_of_keeps_the_likeliest(api):
    answer = (await api.complete("a seed", best_of=4, n=2, seed=6, max_tokens=2)).json()

    # Seeds 6 to 9; of 8 the fake is the surest, then of 9.
    assert [(c["index"], c["text"], c["logprobs"]) for c in answer["choices"]] == [
        *((0, "a 8 ", None), (1, "a 9 ", None)),
    ]
    assert answer["usage"]["completion_tokens"] == 8


async def test_best_of_tells_logprobs_to_whoever_asks(api):
    answer = (await api.complete("a", best_of=2, logprobs=1, seed=7)).json()

    assert answer["choices"][0]["logprobs"]["token_logprobs"] == [-0.125]


async def test_every_choice_has_the_form(api):
    answer = (await api.chat("a", n=3, guided_regex="xy")).json()

    assert texts(answer) == [(index, "xy", "stop") for index in range(3)]


async def test_the_best_have_the_form_and_follow_the_echo(api):
    answer = (await api.complete("a", n=2, best_of=3, echo=True, guided_regex="xy")).json()

    assert [c["text"] for c in answer["choices"]] == ["axy", "axy"]


async def test_every_choice_makes_its_own_call(api):
    tools = [{"type": "function", "function": {"name": "clock"}}]

    answer = (await api.chat("a", n=2, tools=tools, tool_choice="required")).json()

    calls = [choice["message"]["tool_calls"] for choice in answer["choices"]]
    assert [call["function"]["name"] for [call] in calls] == ["clock", "clock"]
    assert len({call["id"] for [call] in calls}) == 2


async def test_a_form_that_cannot_be_is_refused_for_all(api):
    error = (await api.chat("a", n=3, guided_regex="(")).json()["error"]

    assert (error["code"], error["param"]) == ("invalid_request_error", "guided_regex")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": True}, "n"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"best_of": 0}, "best_of"),
        ({"prompt": ["a"] * 65, "n": 2}, "n"),
        ({"prompt": ["a"] * 65, "best_of": 2}, "best_of"),
    ],
)
async def test_what_cannot_be_chosen_is_refused(api, fields, param):
    error = (await api.complete(**fields)).json()["error"]

    assert (error["code"], error["param"]) == ("invalid_request_error", param)


async def test_n_choices_are_queued_whole_or_not_at_all(api, engine_options):
    engine_options(max_sequences=2, max_waiting=0, fake_step_seconds=0.02)

    response = await api.chat("a", n=3)

    assert response.status_code == 429


@pytest.mark.parametrize("seed", [None, -1, 2**32 - 1])
def test_without_a_seed_every_choice_is_random(seed):
    assert seeded(SamplingParams(seed=seed), 3).seed == seed


@pytest.mark.parametrize(("seed", "second"), [(0, 1), (-3, 2**32 - 2), (-2, 0), (2**63 - 1, None)])
def test_no_choice_becomes_random_because_of_its_number(seed, second):
    seeds = [seeded(SamplingParams(seed=seed), index).seed for index in range(4)]

    assert seeds[0] == seed
    assert seeds[1] == (seed if second is None else second)
    assert 2**32 - 1 not in seeds
