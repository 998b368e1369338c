"""OpenAI's streams: the order and the shape of their events, and how they end."""

import asyncio

import pytest

from .client import body_of, events_of, eventually, reading, texts_of

pytestmark = pytest.mark.usefixtures("fake_model")


def shape(chunk):
    """What of a chunk changes from chunk to chunk."""
    common = ("id", "object", "created", "model", "system_fingerprint", "timings")
    return {key: value for key, value in chunk.items() if key not in common}


def choice(delta, finish_reason=None):
    return {
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    }


async def test_a_chat_stream_is_role_then_text_then_reason_then_done(api):
    response = await api.chat("a b c", stream=True)
    opening, *middle, closing, done = await events_of(response)
    assert response.status_code == 200
    assert shape(opening) == choice({"role": "assistant", "content": ""})
    assert [shape(chunk) for chunk in middle] == [
        choice({"content": chunk["choices"][0]["delta"]["content"]}) for chunk in middle
    ]
    assert texts_of(middle) == "a b c "
    assert shape(closing) == choice({}, "stop")
    assert done == "[DONE]"


async def test_all_chunks_share_their_head(api):
    response = await api.chat("a b c", stream=True, stream_options={"include_usage": True})
    *chunks, _ = await events_of(response)
    keys = ("id", "object", "created", "model", "system_fingerprint")
    heads = {tuple(chunk[key] for key in keys) for chunk in chunks}
    assert len(heads) == 1
    assert heads.pop()[1] == "chat.completion.chunk"


async def test_the_headers_are_a_streams(api):
    response = await api.chat("a", stream=True)
    assert response["content-type"] == "text/event-stream"
    assert response["cache-control"] == "no-cache"
    assert response["x-accel-buffering"] == "no"
    assert response["x-request-id"]
    assert (await body_of(response)).endswith("data: [DONE]\n\n")


async def test_every_event_is_one_line_of_data(api):
    text = await body_of(await api.chat("a b c", stream=True))
    lines = text.splitlines()
    assert [line for line in lines[1::2] if line] == []
    assert all(line.startswith("data: ") for line in lines[::2])


async def test_usage_is_a_chunk_of_its_own_before_done(api):
    response = await api.chat("a b c", stream=True, stream_options={"include_usage": True})
    *chunks, last, _ = await events_of(response)
    assert shape(last) == {
        "choices": [],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert [chunk.get("usage") for chunk in chunks] == [None] * len(chunks)


@pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {}}])
async def test_usage_is_not_sent_unasked(api, options):
    text = await body_of(await api.chat("a", stream=True, **options))
    assert '"usage"' not in text


async def test_timings_come_with_the_reason(api):
    *chunks, closing, _ = await events_of(await api.chat("a b", stream=True))
    assert closing["timings"]["predicted_n"] == 3
    assert not any("timings" in chunk for chunk in chunks)


async def test_a_limit_is_told_by_the_reason(api):
    *chunks, closing, _ = await events_of(await api.chat("a b c", stream=True, max_tokens=2))
    assert texts_of(chunks) == "a b "
    assert closing["choices"][0]["finish_reason"] == "length"


async def test_a_stop_string_over_several_tokens_never_shows(api):
    chunks = await events_of(await api.chat("a b c d", stream=True, stop="b c"))
    assert texts_of(chunks) == "a "


async def test_text_that_only_began_like_a_stop_string_arrives(api):
    chunks = await events_of(await api.chat("a b c d", stream=True, stop="b c x"))
    assert texts_of(chunks) == "a b c d "


async def test_text_beyond_ascii_arrives_whole(api):
    chunks = await events_of(await api.chat("é 試 🙂 \u2028", stream=True))
    assert texts_of(chunks) == "é 試 🙂 "


async def test_text_completions_stream_their_text_and_no_role(api):
    response = await api.complete("a b c", stream=True, stream_options={"include_usage": True})
    *middle, closing, usage, done = await events_of(response)
    assert "".join(chunk["choices"][0]["text"] for chunk in middle) == "a b c "
    assert [shape(chunk) for chunk in middle] == [
        {"choices": [{**chunk["choices"][0], "index": 0, "logprobs": None, "finish_reason": None}]}
        for chunk in middle
    ]
    assert shape(closing) == {
        "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]
    }
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 4)
    assert {chunk["object"] for chunk in (*middle, closing, usage)} == {"text_completion"}
    assert done == "[DONE]"


async def test_the_choices_of_a_list_of_prompts_are_told_apart_by_index(api):
    response = await api.complete(["a b", "c d"], stream=True)
    *chunks, done = await events_of(response)
    choices = [chunk["choices"][0] for chunk in chunks]
    texts = ["".join(c["text"] for c in choices if c["index"] == i) for i in (0, 1)]
    reasons = [[c["finish_reason"] for c in choices if c["index"] == i][-1] for i in (0, 1)]
    assert (texts, reasons, done) == (["a b ", "c d "], ["stop", "stop"], "[DONE]")


async def test_the_role_comes_when_the_request_is_accepted(api, monkeypatch):
    async def nothing_comes(mailbox):
        await asyncio.Event().wait()

    monkeypatch.setattr("inference.engine.stream.Mailbox.take", nothing_comes)
    async with reading(await api.chat("a", stream=True)) as parts:
        assert b'"role":"assistant"' in await anext(parts)


async def test_a_stream_without_a_role_begins_with_an_empty_part(api):
    """Servers send the headers with the first part: at admission, not after prefill."""
    async with reading(await api.complete("a", stream=True)) as parts:
        assert await anext(parts) == b""


async def test_comments_keep_a_slow_stream_open(api, engine_options, monkeypatch):
    monkeypatch.setattr("inference.engine.stream.HEARTBEAT_SECONDS", 0.01)
    engine_options(fake_step_seconds=0.1)
    text = await body_of(await api.chat("a", stream=True))
    comments = {line for line in text.splitlines() if line.startswith(":")}
    assert comments == {": keepalive"}
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("word", "code"), [("crash", "engine_restarting"), ("fail", "engine_error")]
)
async def test_a_failure_after_the_start_is_an_event_and_the_end(api, word, code):
    response = await api.chat(f"a b {word} c", stream=True)
    *chunks, last = await events_of(response)
    assert response.status_code == 200
    assert last.keys() == {"error"}
    assert last["error"].keys() == {"message", "type", "param", "code"}
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", code)
    assert "a b ".startswith(texts_of(chunks))
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * len(chunks)


@pytest.mark.parametrize("word", ["crash", "fail"])
async def test_one_choice_that_fails_ends_the_stream_of_all(api, engine_options, word):
    engine_options(fake_step_seconds=0.02)
    prompts = ["a " * 50, f"{'a ' * 20} {word}", "b " * 50]
    *_, last = await events_of(await api.complete(prompts, stream=True))
    assert last["error"]["type"] == "server_error"


@pytest.mark.parametrize("prompts", ["a b c", ["a b c", "d e f"]])
async def test_a_bug_of_ours_ends_the_stream_with_an_error(api, monkeypatch, prompts):
    def broken(*args):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("inference.api.answers.TextAnswer.endings", broken)
    text = await body_of(await api.complete(prompts, stream=True))
    assert '"code":"internal_error"' in text
    assert "[DONE]" not in text
    assert "secret" not in text


async def test_the_next_request_after_a_failed_stream_is_answered(api):
    await events_of(await api.chat("crash", stream=True))
    assert texts_of(await events_of(await api.chat("a b", stream=True))) == "a b "


async def test_a_reader_who_leaves_cancels_the_request(api, engine_options):
    engine_options(fake_step_seconds=0.02, max_sequences=1)
    before = await api.metric("llmsite_requests_total", model="fake", outcome="cancelled")
    response = await api.chat("a", stream=True, ignore_eos=True)
    async with reading(response) as parts:
        await anext(parts)
        await anext(parts)

    async def is_cancelled():
        now = await api.metric("llmsite_requests_total", model="fake", outcome="cancelled")
        return now == before + 1

    await eventually(is_cancelled)
    assert response.streaming  # it was not the garbage collector
    assert texts_of(await events_of(await api.chat("b", stream=True))) == "b "
