"""How likely the tokens of a response were. The fake is as unsure of them as the seed says."""

import pytest

from chat.models import Message
from tests.api.client import eventually

from .asking import text_of

ASKED = {"include": ["message.output_text.logprobs"], "top_logprobs": 2, "seed": 2}


def entry(token, logprob):
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def chosen(token):
    return {
        **entry(token, -0.375),
        "top_logprobs": [entry(token, -0.375), entry("<end>", -1.375)],
    }


def logprobs_of(response):
    return response["output"][-1]["content"][0]["logprobs"]


@pytest.mark.parametrize("store", [True, False])
async def test_a_response_tells_them_beside_its_text(ask, store):
    response = await ask("a b c", store=store, **ASKED)

    assert logprobs_of(response) == [chosen(word) for word in ("a ", "b ", "c ")]
    assert response["top_logprobs"] == 2


async def test_one_that_is_stored_tells_them_again(ask):
    response = await ask("a b c", **ASKED)

    assert await ask.get(response["id"]) == response


@pytest.mark.parametrize("store", [True, False])
async def test_each_delta_has_those_of_the_tokens_that_end_in_it(ask, store):
    events = await ask.stream("a internationally c", store=store, **ASKED)

    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    told = [(event["delta"], [one["token"] for one in event["logprobs"]]) for event in deltas]
    assert told == [
        ("a", []),
        (" internat", ["a "]),
        ("ionally", []),
        (" c", ["internationally "]),
        (" ", ["c "]),
    ]
    [done] = [event for event in events if event["type"] == "response.output_text.done"]
    expected = [chosen(word) for word in ("a ", "internationally ", "c ")]
    assert done["logprobs"] == logprobs_of(events[-1]["response"]) == expected


async def test_whoever_comes_later_hears_the_same(ask, slowly):
    long = " ".join(f"word{number}" for number in range(40))
    events = await ask.stream(long, **ASKED)
    id = events[-1]["response"]["id"]

    assert await ask.resume(id) == events
    assert await ask.resume(id, 20) == events[21:]


async def test_one_in_the_background_keeps_them(ask):
    response = await ask("a b", background=True, **ASKED)
    await eventually(Message.objects.filter(status="complete", role="assistant").aexists)

    assert logprobs_of(await ask.get(response["id"])) == [chosen("a "), chosen("b ")]


async def test_thoughts_have_none(ask):
    response = await ask("<think> hm </think> yes", **ASKED)

    assert text_of(response).strip() == "yes"
    assert [one["token"] for one in logprobs_of(response)] == ["</think> ", "yes "]


async def test_without_asking_there_are_none(ask):
    assert logprobs_of(await ask("a b c", seed=2)) == []
    assert logprobs_of(await ask("a b c", include=["reasoning.encrypted_content"])) == []


async def test_what_else_is_to_be_included_is_named_as_ignored(ask):
    fields = {**ASKED, "include": [*ASKED["include"], "file_search_call.results"]}
    response = await ask.raw("a", **fields)
    assert response["x-ignored-params"] == "include"
    assert (await ask.raw("a", **ASKED)).headers.get("x-ignored-params") is None
