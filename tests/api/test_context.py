"""Conversations that have outgrown their context."""

import pytest

from .client import body_of, events_of, texts_of

SYSTEM = {"role": "system", "content": "s"}
TALK = [
    {"role": role, "content": content}
    for role, content in [
        ("user", "a a a"),
        ("assistant", "b"),
        ("user", "c c"),
        ("assistant", "d"),
        ("user", "e e"),
    ]
]
ALL = "kept=6, dropped=0, prompt_tokens=10, context_length=16"

pytestmark = pytest.mark.usefixtures("small_context")


@pytest.fixture
def small_context(engine_options, fake_model):
    """16 tokens, of which 4 are kept for an answer."""
    engine_options(context_length=16)


@pytest.fixture
def policy(fake_model):
    async def change(value):
        fake_model.context_policy = value
        await fake_model.asave()

    return change


def asked(extra="", **fields):
    """Ten words, and more in the last message."""
    *others, last = [SYSTEM, *TALK]
    messages = [*others, {**last, "content": last["content"] + extra}]
    return {"model": "fake", "messages": messages, **fields}


async def chat(api, extra="", path="/v1/chat/completions", headers=(), **fields):
    return await api.post(path, asked(extra, **fields), **dict(headers))


def text_of(response):
    assert response.status_code == 200, response.content
    return response.json()["choices"][0]["message"]["content"]


async def test_what_fits_is_given_whole_and_the_answer_says_so(api):
    response = await chat(api)

    assert response["x-context"] == ALL
    assert response.json()["usage"]["prompt_tokens"] == 10


@pytest.mark.parametrize("value", ["", "error"])
async def test_programs_are_refused_unless_the_model_says_otherwise(api, policy, value):
    await policy(value)

    response = await chat(api, extra=" e" * 6)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert "x-context" not in response


async def test_without_a_policy_an_answer_may_be_short_of_room(api):
    assert (await chat(api, extra=" e" * 5))["x-context"].startswith("kept=6, dropped=0")


@pytest.mark.parametrize(
    ("value", "extra", "text", "header"),
    [
        ("drop_oldest", 3, "s c c d e e x x x ", "kept=4, dropped=2, prompt_tokens=9"),
        ("drop_oldest", 7, "s e e x x x x x x x ", "kept=2, dropped=4, prompt_tokens=10"),
        ("middle_out", 3, "s a a a b e e x x x ", "kept=4, dropped=2, prompt_tokens=10"),
        ("middle_out", 7, "s e e x x x x x x x ", "kept=2, dropped=4, prompt_tokens=10"),
    ],
)
async def test_the_models_policy_decides_what_goes(api, policy, value, extra, text, header):
    await policy(value)

    response = await chat(api, extra=" x" * extra, ignore_eos=True)

    answer = text_of(response)
    assert answer == (text * 16)[: len(answer)]
    assert answer
    assert response["x-context"] == f"{header}, context_length=16"
    assert f"prompt_tokens={response.json()['usage']['prompt_tokens']}," in header + ","


async def test_an_answer_that_is_to_be_short_needs_less_room(api, policy):
    await policy("drop_oldest")

    response = await chat(api, extra=" x" * 5, max_tokens=1)

    assert response["x-context"] == "kept=6, dropped=0, prompt_tokens=15, context_length=16"


async def test_a_last_message_that_does_not_fit_alone_is_refused(api, policy):
    await policy("drop_oldest")

    response = await chat(api, extra=" x" * 20)

    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert "the prompt has 23" in error["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
async def test_a_stream_says_it_before_its_first_event(api, policy, path):
    await policy("drop_oldest")

    response = await chat(api, extra=" x" * 3, path=path, stream=True)

    assert response["x-context"] == "kept=4, dropped=2, prompt_tokens=9, context_length=16"
    assert texts_of(await events_of(response)).startswith("s c c d e e x")


async def test_the_older_dialect_says_it_too(api, policy):
    await policy("drop_oldest")
    body = {"model-name": "fake", "prompt": "e e x x x", "messages": TALK[:-1]}

    response = await api.post("/chat/completions", {**body, "system-prompt": "s"})

    assert response["x-context"] == "kept=4, dropped=2, prompt_tokens=9, context_length=16"
    text = (await body_of(response)).replace("data:", "").replace("\n\n", "")
    assert text.startswith("s c c d e e x")


async def test_an_answer_that_is_asked_for_again_says_the_same(api, policy):
    await policy("drop_oldest")
    key = {"idempotency-key": "once"}
    first = await chat(api, extra=" x" * 3, headers=key)

    again = await chat(api, extra=" x" * 3, headers=key)

    assert again["idempotent-replayed"] == "true"
    assert again["x-context"] == first["x-context"]
    assert first["x-context"].startswith("kept=4, dropped=2")


async def test_a_prompt_that_is_no_conversation_is_never_shortened(api, policy):
    await policy("drop_oldest")

    response = await api.complete("a " * 16)

    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert "x-context" not in await api.complete("a")
