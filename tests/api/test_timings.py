"""How far an answer is and what it has cost, while it is streamed, as llama-server says it."""

import pytest

from .client import events_of

pytestmark = pytest.mark.usefixtures("fake_model")
WORDS = " ".join(f"w{number}" for number in range(100))


@pytest.fixture(params=["chat", "complete"])
def ask(request, api):
    """Either endpoint's stream, but for its end."""

    async def events(prompt, **fields):
        response = await getattr(api, request.param)(prompt, stream=True, **fields)
        return (await events_of(response))[:-1]

    return events


def progress_of(chunks):
    return [chunk["prompt_progress"] for chunk in chunks if "prompt_progress" in chunk]


async def test_every_text_comes_with_what_it_has_cost(ask):
    *chunks, _ = await ask("a b c", timings_per_token=True)
    told = [chunk["timings"] for chunk in chunks if "timings" in chunk]

    assert told
    assert told == sorted(told, key=lambda timings: timings["predicted_n"])
    assert told[-1]["predicted_n"] in (3, 4)  # its end may come with the last text
    assert {timings["prompt_n"] for timings in told} == {3}
    assert told[0]["prompt_ms"] > 0
    assert told[-1]["predicted_ms"] >= told[0]["predicted_ms"]


async def test_a_prompt_that_takes_several_steps_says_how_far_it_is(ask, engine_options):
    engine_options(batch_tokens=20, fake_step_seconds=0.15)
    chunks = await ask(WORDS, max_tokens=1, return_progress=True)
    told = progress_of(chunks)
    done = [progress["processed"] for progress in told]

    assert {(progress["total"], progress["cache"]) for progress in told} == {(100, 0)}
    assert done == sorted({*done})
    assert {0, 20} <= {*done}
    assert told[0]["time_ms"] == 0 < told[-1]["time_ms"]


async def test_what_is_not_asked_for_is_not_told(ask, engine_options):
    engine_options(batch_tokens=20, fake_step_seconds=0.15)
    *chunks, last = await ask(WORDS, max_tokens=2)

    assert progress_of(chunks) == []
    assert [chunk for chunk in chunks if "timings" in chunk] == []
    assert last["timings"]["predicted_n"] == 2


async def test_an_answer_that_is_no_stream_has_its_timings_as_ever(api):
    asked = {"timings_per_token": True, "return_progress": True}
    answer = (await api.chat("a b", **asked)).json()

    assert answer["timings"]["predicted_n"] == 3
    assert "prompt_progress" not in answer


@pytest.mark.parametrize("name", ["timings_per_token", "return_progress"])
async def test_another_value_than_yes_or_no_is_400(api, name):
    response = await api.chat("a", **{name: "yes"})

    assert (response.status_code, response.json()["error"]["param"]) == (400, name)


async def test_what_was_guessed_is_told(ask, engine_options):
    engine_options(draft={"id": "small", "path": ""})
    *_, last = await ask(WORDS)

    assert last["timings"]["draft_n"] == last["timings"]["draft_n_accepted"] >= 70
