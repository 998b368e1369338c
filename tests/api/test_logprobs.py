"""`logprobs` of both endpoints. The fake is as unsure of its tokens as the seed says."""

import pytest

from inference.api.logprobs import of_text
from inference.runtime import TokenLogprob

from .client import events_of

pytestmark = pytest.mark.usefixtures("fake_model")


def entry(token, logprob):
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def chosen(token, *, top=0):
    likely = [entry(token, -0.375), entry("<end>", -1.375)]
    return {**entry(token, -0.375), "top_logprobs": likely[:top]}


async def chat(api, content="a b c", **fields):
    response = await api.chat(content, logprobs=True, seed=2, **fields)
    assert response.status_code == 200, response.content
    return response


@pytest.mark.parametrize("top", [0, 1, 2])
async def test_a_chat_tells_how_likely_its_tokens_were(api, top):
    [choice] = (await chat(api, top_logprobs=top)).json()["choices"]

    assert choice["logprobs"] == {
        "content": [chosen(word, top=top) for word in ("a ", "b ", "c ")],
        "refusal": None,
    }


async def test_without_top_logprobs_there_are_no_others(api):
    [choice] = (await chat(api)).json()["choices"]

    assert [token["top_logprobs"] for token in choice["logprobs"]["content"]] == [[], [], []]


async def test_a_streamed_chat_tells_the_same(api):
    chunks = await events_of(await chat(api, top_logprobs=1, stream=True))

    told = [c["choices"][0]["logprobs"] for c in chunks[:-1]]
    content = [token for logprobs in told if logprobs for token in logprobs["content"]]
    assert content == [chosen(word, top=1) for word in ("a ", "b ", "c ")]


async def test_what_a_stop_string_cuts_is_not_told(api):
    [choice] = (await chat(api, "a b c d", stop="b c")).json()["choices"]

    assert choice["message"]["content"] == "a "
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["a "]


@pytest.mark.parametrize("top", [-1, 21, 1.5, True])
async def test_top_logprobs_are_0_to_20(api, top):
    error = (await api.chat(logprobs=True, top_logprobs=top)).json()["error"]

    assert (error["code"], error["param"]) == ("invalid_request_error", "top_logprobs")


@pytest.mark.parametrize("fields", [{}, {"logprobs": False}])
async def test_top_logprobs_alone_are_refused(api, fields):
    error = (await api.chat(top_logprobs=2, **fields)).json()["error"]

    assert (error["code"], error["param"]) == ("invalid_request_error", "top_logprobs")


async def test_a_completion_tells_them_in_lists(api):
    answer = (await api.complete("a bc d", logprobs=1, seed=2)).json()

    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["a ", "bc ", "d "],
        "token_logprobs": [-0.375] * 3,
        "top_logprobs": [{"a ": -0.375}, {"bc ": -0.375}, {"d ": -0.375}],
        "text_offset": [0, 2, 5],
    }


async def test_a_streamed_completion_tells_the_same(api):
    chunks = await events_of(await api.complete("a bc d", logprobs=0, seed=2, stream=True))

    told = [c["choices"][0]["logprobs"] for c in chunks[:-1] if c["choices"][0]["logprobs"]]
    tokens = [pair for one in told for pair in zip(one["tokens"], one["text_offset"], strict=True)]
    assert tokens == [("a ", 0), ("bc ", 2), ("d ", 5)]


@pytest.mark.parametrize("logprobs", [-1, 6, True, "1"])
async def test_a_completions_logprobs_are_0_to_5(api, logprobs):
    error = (await api.complete("a", logprobs=logprobs)).json()["error"]

    assert (error["code"], error["param"]) == ("invalid_request_error", "logprobs")


def of_prompt(*words):
    """What the fake thinks of a prompt's tokens: all but the first are as likely as an answer's."""
    starts = [len("".join(words[:index])) for index in range(len(words))]
    return {
        "tokens": list(words),
        "token_logprobs": [None, *[-0.375] * (len(words) - 1)],
        "top_logprobs": [None, *({word: -0.375} for word in words[1:])],
        "text_offset": starts,
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_an_echoed_prompt_has_logprobs_before_those_of_the_answer(api, stream):
    fields = {"echo": True, "logprobs": 1, "seed": 2, "max_tokens": 1, "stream": stream}
    response = await api.complete("a bc d ", **fields)

    parts = (await events_of(response))[:-1] if stream else [response.json()]
    choices = [part["choices"][0] for part in parts]
    told = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    assert "".join(choice["text"] for choice in choices) == "a bc d a "
    assert {
        name: [value for one in told for value in one[name]]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    } == of_prompt("a ", "bc ", "d ", "a ")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_is_judged_without_an_answer(api, stream):
    fields = {"echo": True, "logprobs": 1, "seed": 2, "max_tokens": 0, "stream": stream}
    response = await api.complete("a bc d ", **fields)

    parts = (await events_of(response))[:-1] if stream else [response.json()]
    choices = [part["choices"][0] for part in parts]
    assert "".join(choice["text"] for choice in choices) == "a bc d "
    assert choices[0]["logprobs"] == of_prompt("a ", "bc ", "d ")
    assert choices[-1]["finish_reason"] == "length"


async def test_a_judged_prompt_is_all_that_is_paid_for(api):
    answer = (await api.complete("a bc d", echo=True, logprobs=0, max_tokens=0)).json()

    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 0)


async def test_prompts_of_text_and_tokens_are_judged_each_by_itself(api):
    fields = {"echo": True, "logprobs": 1, "seed": 2, "max_tokens": 0}
    texts = (await api.complete(["a b ", "c "], **fields)).json()["choices"]
    told = [choice["logprobs"] for choice in texts]
    assert told == [of_prompt("a ", "b "), of_prompt("c ")]

    body = {"model": "fake", "prompt": "a b"}
    tokens = (await api.post("/v1/tokenize", body)).json()["tokens"]
    [choice] = (await api.complete(tokens, **fields)).json()["choices"]
    assert choice["logprobs"] == of_prompt("a ", "b ")


async def test_every_choice_has_the_prompts(api):
    fields = {"echo": True, "logprobs": 1, "max_tokens": 1, "n": 3}
    answer = (await api.complete("a b ", **fields)).json()

    told = [choice["logprobs"]["tokens"] for choice in answer["choices"]]
    assert told == [["a ", "b ", "a "]] * 3
    assert answer["usage"]["prompt_tokens"] == 2


async def test_a_prompt_that_was_computed_before_is_judged_all_the_same(api):
    words = "a b c d e f g "
    await api.complete(words)

    answer = (await api.complete(words, echo=True, logprobs=0, max_tokens=0)).json()

    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert len(answer["choices"][0]["logprobs"]["tokens"]) == 7


async def test_the_best_are_chosen_by_their_answers_alone(api):
    fields = {"echo": True, "logprobs": 0, "best_of": 3, "seed": 6, "max_tokens": 1}
    [choice] = (await api.complete("a b ", **fields)).json()["choices"]

    assert choice["logprobs"]["token_logprobs"][-1] == -0.125  # seed 8, which is 0 in the fake


async def test_no_token_at_all_is_an_answer_only_with_an_echo(api):
    error = (await api.complete("a", max_tokens=0)).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request_error", "max_tokens")

    [choice] = (await api.complete("a b", max_tokens=0, echo=True)).json()["choices"]
    assert (choice["text"], choice["logprobs"]) == ("a b", None)


@pytest.mark.parametrize(("field", "value"), [("suffix", "b"), ("deterministic", True)])
async def test_what_a_judged_prompt_does_not_go_with_is_refused(api, field, value):
    fields = {"echo": True, "logprobs": 1, "seed": 1, field: value}
    error = (await api.complete("a", **fields)).json()["error"]

    assert (error["code"], error["param"]) == ("invalid_request_error", field)


def test_parts_of_a_character_are_told_apart():
    tokens = [TokenLogprob(b"\xc3", -1.0, 0, [(b"\xc3", -1.0), (b"\xe2", -2.0)])]

    told = of_text(tokens)

    assert told["tokens"] == ["bytes:\\xc3"]
    assert told["top_logprobs"] == [{"bytes:\\xc3": -1.0, "bytes:\\xe2": -2.0}]


async def test_they_do_not_tell_what_a_site_keeps_back(api, configure):
    configure(security={"redacted_patterns": ["secret"]})

    error = (await api.chat("secret", logprobs=True)).json()["error"]

    assert (error["code"], error["param"]) == ("unsupported_parameter", "logprobs")


async def test_thoughts_have_none(api):
    [choice] = (await chat(api, "<think> a b </think> c d")).json()["choices"]

    assert choice["message"]["reasoning_content"] == " a b "
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["</think> ", "c ", "d "]


async def test_a_streams_thoughts_have_none(api):
    chunks = await events_of(await chat(api, "<think> a </think> b c", stream=True))

    told = [c["choices"][0]["logprobs"] for c in chunks[:-1]]
    content = [token["token"] for logprobs in told if logprobs for token in logprobs["content"]]
    assert content == ["</think> ", "b ", "c "]


async def test_what_only_looked_like_a_thought_has_them(api):
    chunks = await events_of(await chat(api, "<thin", stream=True))

    told = [c["choices"][0]["logprobs"] for c in chunks[:-1]]
    content = [token["token"] for logprobs in told if logprobs for token in logprobs["content"]]
    assert content == ["<thin "]


async def test_the_tokens_of_a_form_have_them(api):
    [choice] = (await chat(api, guided_regex="xy")).json()["choices"]

    assert choice["message"]["content"] == "xy"
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["x", "y"]


async def test_calls_are_not_told_in_logprobs(api):
    tools = [{"type": "function", "function": {"name": "clock"}}]

    error = (await api.chat(logprobs=True, tools=tools)).json()["error"]

    assert (error["code"], error["param"]) == ("unsupported_parameter", "logprobs")
