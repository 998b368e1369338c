"""What the engine refuses, or fails to do, as HTTP. Whole answers and refused streams."""

import pytest

from inference import runtime
from inference.engine import EngineError, EngineStopped, ModelLoadFailed
from inference.failures import ENGINE_ERRORS, failure

from .client import body_of, reading


def refusal(response):
    """Status, type, code and param of an answer that is the envelope and nothing else."""
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    error = body["error"]
    return response.status_code, error["type"], error["code"], error["param"]


@pytest.mark.usefixtures("fake_model")
class TestWithAModel:
    @pytest.mark.parametrize("stream", [False, True])
    async def test_an_unknown_model_is_not_replaced_by_another(self, api, stream):
        response = await api.chat(model="gpt-4o", stream=stream)
        assert refusal(response) == (404, "invalid_request_error", "model_not_found", "model")
        assert "'gpt-4o'" in response.json()["error"]["message"]

    async def test_a_process_that_dies_is_503_and_worth_another_try(self, api):
        response = await api.chat("crash")
        assert refusal(response) == (503, "server_error", "engine_restarting", None)
        assert response["retry-after"] == "1"

    async def test_a_step_that_fails_is_500(self, api):
        assert refusal(await api.chat("fail")) == (500, "server_error", "engine_error", None)

    async def test_the_next_request_after_either_is_answered(self, api):
        statuses = [(await api.chat(word)).status_code for word in ("fail", "crash", "a")]
        assert statuses == [500, 503, 200]

    async def test_an_engine_that_dies_again_is_backed_off_from(self, api):
        await api.chat("crash")
        await api.chat("crash")
        response = await api.chat("a")
        assert refusal(response) == (503, "server_error", "engine_restarting", None)
        assert response["retry-after"] == "1"

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_full_queue_is_429(self, api, engine_options, stream):
        engine_options(max_sequences=1, max_waiting=0, fake_step_seconds=0.05)
        async with reading(await api.chat("a", stream=True, ignore_eos=True)) as running:
            await anext(running)
            response = await api.chat("b", stream=stream)
        assert refusal(response) == (429, "rate_limit_error", "rate_limit_exceeded", None)
        assert int(response["retry-after"]) >= 1

    async def test_a_queue_of_the_configured_length_waits(self, api, configure, engine_options):
        configure(models={"max_waiting_requests": 0, "max_concurrent_requests": 1})
        engine_options(fake_step_seconds=0.05)
        async with reading(await api.chat("a", stream=True, ignore_eos=True)) as running:
            await anext(running)
            refused = await api.chat("b")
        assert refused.status_code == 429
        said = "At most 0 may (rule models.max_waiting_requests of the server)."
        assert refused.json()["error"]["message"].endswith(said)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_chat_that_leaves_no_room_is_refused_before_it_starts(self, api, stream):
        response = await api.chat("a " * 4096, stream=stream)
        code = "context_length_exceeded"
        assert refusal(response) == (400, "invalid_request_error", code, "messages")
        assert "4096" in response.json()["error"]["message"]

    async def test_a_prompt_that_leaves_no_room_is_named(self, api):
        response = await api.complete("a " * 4096)
        assert refusal(response)[2:] == ("context_length_exceeded", "prompt")

    async def test_the_longest_prompt_gets_the_one_token_that_is_left(self, api):
        answer = (await api.complete("a " * 4095)).json()
        assert answer["usage"] | {"total_tokens": 4096} == answer["usage"]
        assert answer["choices"][0]["finish_reason"] == "length"

    async def test_a_bug_of_ours_is_an_envelope_that_tells_nothing(self, api, monkeypatch):
        async def broken(*args, **more):
            raise ZeroDivisionError("secret detail")

        monkeypatch.setattr(runtime, "generate", broken)
        response = await api.chat()
        assert refusal(response) == (500, "server_error", "internal_error", None)
        assert b"secret" not in response.content


async def test_a_model_that_cannot_be_loaded_is_503(api, fake_model, settings):
    settings.ENGINE_BACKEND = "llama"
    response = await api.chat()
    assert refusal(response) == (503, "server_error", "model_load_failed", None)
    assert "/fake.gguf" in response.json()["error"]["message"]
    assert int(response["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (EngineStopped("x"), "5"),
        (EngineStopped("x", retry_after=0.2), "1"),
        (ModelLoadFailed("x", retry_after=2.5), "3"),
    ],
)
async def test_every_503_says_when_to_come_back(api, fake_model, monkeypatch, error, seconds):
    async def refuse(*args, **more):
        raise error

    monkeypatch.setattr(runtime, "generate", refuse)
    response = await api.chat(stream=True)
    assert (response.status_code, response["retry-after"]) == (503, seconds)


def test_an_error_that_the_table_does_not_know_is_500():
    assert failure(EngineError("x")) == (
        500,
        {"error": {"message": "x", "type": "server_error", "param": None, "code": "engine_error"}},
    )


def test_the_table_holds_no_status_that_clients_do_not_expect():
    assert {status for status, _, _ in ENGINE_ERRORS.values()} <= {400, 404, 409, 429, 503}


async def test_a_request_that_waits_for_a_model_to_load_is_answered(api, fake_model):
    assert "[DONE]" in await body_of(await api.chat("a", stream=True))
