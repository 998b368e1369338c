"""What Prometheus sees moves with the requests."""

import pytest

from .client import body_of, eventually, reading

pytestmark = pytest.mark.usefixtures("fake_model")

CHATS = {
    "chat_completions_requests_total": 1,
    "chat_completions_errors_total": 0,
    "chat_inference_duration_seconds_count": 1,
    "chat_generated_tokens_total": 4,
    "chat_tokens_per_second_count": 1,
}
COMPLETIONS = {
    "completions_requests_total": 1,
    "completions_errors_total": 0,
    "completions_duration_seconds_count": 1,
    "completions_tokens_total": 4,
    "completions_tokens_per_second_count": 1,
}
FAILED_CHAT = dict.fromkeys(CHATS, 0) | {
    "chat_completions_requests_total": 1,
    "chat_completions_errors_total": 1,
}
FAILED_COMPLETION = dict.fromkeys(COMPLETIONS, 0) | {
    "completions_requests_total": 1,
    "completions_errors_total": 1,
}
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a b c"}]}
OLDER_CHAT = {"model-name": "fake", "prompt": "c", "system-prompt": "a b"}
PROMPT = {"model": "fake", "prompt": "a b c"}


async def moved(api, names, ask):
    """By how much the asking changed each metric."""
    before = await api.metrics(names)
    await ask
    after = await api.metrics(names)
    return {name: after[name] - before[name] for name in names}


async def read(asked):
    return await body_of(await asked)


async def test_a_chat_moves_the_older_services_chat_metrics(api):
    assert await moved(api, CHATS, api.post("/v1/chat/completions", CHAT)) == CHATS
    assert await moved(api, CHATS, api.post("/chat/completions", CHAT)) == CHATS


async def test_a_streamed_chat_moves_them_too(api):
    streamed = {**CHAT, "stream": True}
    assert await moved(api, CHATS, read(api.post("/v1/chat/completions", streamed))) == CHATS
    assert await moved(api, CHATS, read(api.post("/chat/completions", streamed))) == CHATS
    assert await moved(api, CHATS, read(api.post("/chat/completions", OLDER_CHAT))) == CHATS


async def test_a_completion_moves_the_older_services_completion_metrics(api):
    assert await moved(api, COMPLETIONS, api.post("/v1/completions", PROMPT)) == COMPLETIONS
    assert await moved(api, COMPLETIONS, api.post("/completions", PROMPT)) == COMPLETIONS
    streamed = {**PROMPT, "stream": True}
    assert await moved(api, COMPLETIONS, read(api.post("/v1/completions", streamed))) == COMPLETIONS
    assert await moved(api, COMPLETIONS, read(api.post("/completions", streamed))) == COMPLETIONS


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
@pytest.mark.parametrize("body", [b"{", b"{}", b'{"model": "nope", "messages": []}'])
async def test_a_refused_chat_is_a_request_and_an_error(api, path, body):
    assert await moved(api, CHATS, api.send(path, body)) == FAILED_CHAT


@pytest.mark.parametrize("path", ["/v1/completions", "/completions"])
@pytest.mark.parametrize("body", [b"{", b"{}", b'{"model": "nope", "prompt": "a"}'])
async def test_a_refused_completion_is_a_request_and_an_error(api, path, body):
    assert await moved(api, COMPLETIONS, api.send(path, body)) == FAILED_COMPLETION


@pytest.mark.parametrize("word", ["fail", "crash"])
async def test_a_failure_is_one_error_whole_or_streamed(api, word):
    whole, streamed = api.chat(word), read(api.chat(word, stream=True))
    assert await moved(api, CHATS, whole) == FAILED_CHAT
    assert await moved(api, CHATS, streamed) == FAILED_CHAT


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/health", "health_check_requests_total"),
        ("/readiness", "readiness_check_requests_total"),
        ("/v1/models", "models_list_requests_total"),
        ("/models", "models_list_requests_total"),
        ("/v1/models/fake", "model_info_requests_total"),
        ("/models/fake", "model_info_requests_total"),
        ("/models/nope", "model_info_requests_total"),
    ],
)
async def test_each_small_endpoint_counts_its_requests(api, path, name):
    assert await moved(api, [name], api.get(path)) == {name: 1}


async def test_tokens_are_counted_by_what_they_were(api):
    async def tokens(kind):
        return await api.metric("llmsite_tokens_total", model="fake", kind=kind)

    before = [await tokens("prompt"), await tokens("completion")]
    await api.complete(["a b c", "d"])
    after = [await tokens("prompt"), await tokens("completion")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [4, 6]


@pytest.mark.parametrize(
    ("content", "fields", "outcome"),
    [
        ("a", {}, "stop"),
        ("a b", {"max_tokens": 1}, "length"),
        ("fail", {}, "decode_failed"),
        ("crash", {}, "engine_restarting"),
        ("a " * 5000, {}, "context_length_exceeded"),
    ],
)
async def test_requests_are_counted_by_how_they_ended(api, content, fields, outcome):
    before = await api.metric("llmsite_requests_total", model="fake", outcome=outcome)
    await api.chat(content, **fields)
    after = await api.metric("llmsite_requests_total", model="fake", outcome=outcome)
    assert after - before == 1


@pytest.mark.parametrize(
    "name",
    [
        "llmsite_queue_time_seconds",
        "llmsite_time_to_first_token_seconds",
    ],
)
async def test_an_answer_is_one_observation_of_each_duration(api, engine_options, name):
    engine_options(fake_step_seconds=0.01)
    before = await api.metric(f"{name}_count", model="fake")
    await api.complete("a b c")
    assert await api.metric(f"{name}_count", model="fake") - before == 1
    assert await api.metric(f"{name}_bucket", model="fake", le="+Inf") == before + 1


async def test_durations_are_seconds(api, engine_options):
    engine_options(fake_step_seconds=0.05)
    names = ["llmsite_time_to_first_token_seconds_sum", "llmsite_inter_token_seconds_sum"]
    first, between = (await moved(api, names, api.complete("a b c"))).values()
    assert 0.05 <= first < 5
    assert 0.05 <= between < 5


async def test_every_gap_between_two_tokens_is_an_observation(api, engine_options):
    engine_options(fake_step_seconds=0.01)
    name = "llmsite_inter_token_seconds_count"
    before = await api.metric(name, model="fake")
    await api.complete("a b c")  # three words and the end
    assert await api.metric(name, model="fake") - before == 3


async def test_what_waits_has_queued(api, engine_options):
    engine_options(fake_step_seconds=0.02, max_sequences=1)
    names = ["llmsite_queue_time_seconds_sum"]
    [waited] = (await moved(api, names, api.complete(["a b c d", "e"]))).values()
    assert waited >= 0.08


async def test_the_gauges_tell_what_runs_and_what_waits(api, engine_options):
    engine_options(fake_step_seconds=0.02, max_sequences=1)

    async def gauges():
        names = ("running", "waiting")
        return [await api.metric(f"llmsite_requests_{n}", model="fake") for n in names]

    async def one_of_each():
        return await gauges() == [1, 1]

    async def none():
        return await gauges() == [0, 0]

    asked = {"stream": True, "ignore_eos": True}
    async with (
        reading(await api.chat("a", **asked)) as first,
        reading(await api.chat("b", **asked)) as second,
    ):
        await anext(first)
        await anext(second)
        await eventually(one_of_each)
        assert await api.metric("llmsite_kv_cache_cells_used", model="fake") > 0
        assert await api.metric("llmsite_model_loaded", model="fake") == 1
        assert await api.metric("llmsite_model_memory_bytes", model="fake") > 0
    await eventually(none)


@pytest.mark.parametrize("word", ["fail", "crash"])
async def test_after_a_failure_nothing_is_said_to_run(api, word):
    await api.chat(f"a {word}")

    async def none_runs():
        return await api.metric("llmsite_requests_running", model="fake") == 0

    await eventually(none_runs)


async def test_the_page_is_prometheus_text(api):
    response = await api.get("/metrics", accept="application/openmetrics-text")
    assert response["content-type"].startswith("text/plain; version=")
    assert b"django_http_requests_total_by_method_total" in response.content
