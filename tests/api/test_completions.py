"""POST /v1/completions, answered whole."""

import pytest

from .client import events_of, eventually

pytestmark = pytest.mark.usefixtures("fake_model")


async def tokens_of(api, text):
    """The fake numbers words as they come: after `a b c` they are 1, 2 and 3."""
    assert (await api.complete(text)).status_code == 200
    return range(1, 1 + len(text.split()))


async def test_an_answer_has_exactly_the_fields_of_a_text_completion(api):
    answer = (await api.complete("a b c")).json()
    assert answer.pop("id").startswith("cmpl-")
    assert isinstance(answer.pop("created"), int)
    assert answer.pop("system_fingerprint").startswith("fp_")
    assert answer.pop("timings")["predicted_n"] == 4
    assert answer == {
        "object": "text_completion",
        "model": "fake",
        "choices": [{"index": 0, "text": "a b c ", "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_each_prompt_of_a_list_is_a_choice_in_its_order(api):
    answer = (await api.complete(["a b", "c", "d e f"], max_tokens=2)).json()
    assert [(c["index"], c["text"], c["finish_reason"]) for c in answer["choices"]] == [
        (0, "a b ", "length"),
        (1, "c ", "stop"),
        (2, "d e ", "length"),
    ]
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (6, 6)


async def test_a_prompt_may_be_tokens(api):
    a, b, c = await tokens_of(api, "a b c")
    answer = (await api.complete([c, a, b])).json()
    assert [choice["text"] for choice in answer["choices"]] == ["c a b "]


async def test_a_prompt_may_be_lists_of_tokens(api):
    a, b, c = await tokens_of(api, "a b c")
    answer = (await api.complete([[c, a], [b]])).json()
    assert [choice["text"] for choice in answer["choices"]] == ["c a ", "b "]


async def test_max_tokens_ends_the_answer(api):
    [choice] = (await api.complete("a b c", max_tokens=1)).json()["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("a ", "length")


async def test_min_tokens_and_ignore_eos_let_it_write_on(api):
    [choice] = (await api.complete("a b", ignore_eos=True, max_tokens=5)).json()["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("a b a b a ", "length")


async def test_fields_of_chats_are_ignored_and_named(api):
    response = await api.complete("a", messages=[], max_completion_tokens=1)
    assert response.json()["choices"][0]["text"] == "a "
    assert response["x-ignored-params"] == "max_completion_tokens, messages"


@pytest.mark.parametrize(
    ("field", "value"), [("top_logprobs", 1), ("continue_final_message", True)]
)
async def test_fields_that_completions_do_not_know_are_refused(api, field, value):
    error = (await api.complete("a", **{field: value})).json()["error"]
    assert (error["code"], error["param"]) == ("unsupported_parameter", field)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_echo_opens_the_answer(api, stream):
    response = await api.complete("a  b c", echo=True, max_tokens=1, stream=stream)
    parts = (await events_of(response))[:-1] if stream else [response.json()]
    assert "".join(part["choices"][0]["text"] for part in parts) == "a  b ca "


async def test_tokens_are_echoed_as_text(api):
    a, b, c = await tokens_of(api, "a b c")
    [choice] = (await api.complete([c, a, b], echo=True, max_tokens=1)).json()["choices"]
    assert choice["text"] == "c a b c "


async def test_no_stop_string_is_looked_for_in_an_echo(api):
    [choice] = (await api.complete("a b", echo=True, stop="b")).json()["choices"]
    assert choice["text"] == "a ba "


async def test_a_suffix_follows_what_the_model_fills_in(api):
    answer = (await api.complete("a b", suffix="c", max_tokens=9)).json()
    assert answer["choices"][0]["text"] == "<before> a b <after> c <between> "
    assert answer["usage"]["prompt_tokens"] == 6


async def test_a_suffix_needs_a_prompt_of_text(api):
    await tokens_of(api, "a b c")
    error = (await api.complete([1, 2], suffix="c")).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request_error", "suffix")


async def test_a_list_is_queued_whole_or_not_at_all(api, engine_options):
    engine_options(max_sequences=2, max_waiting=0, fake_step_seconds=0.02)
    response = await api.complete(["a", "b", "c"], ignore_eos=True)
    assert response.status_code == 429

    async def has_room_again():
        return (await api.complete(["a", "b"])).status_code == 200

    await eventually(has_room_again)


async def test_one_choice_that_fails_leaves_no_other_running(api, engine_options):
    engine_options(max_sequences=1, fake_step_seconds=0.02)
    before = await api.metric("llmsite_requests_total", model="fake", outcome="cancelled")
    response = await api.complete([f"{'a ' * 20} fail", "b"], ignore_eos=True)
    assert response.json()["error"]["code"] == "engine_error"

    async def the_other_is_cancelled():
        now = await api.metric("llmsite_requests_total", model="fake", outcome="cancelled")
        return now == before + 1

    await eventually(the_other_is_cancelled)
