"""The older service's dialect, as `seed/wire.md` has it."""

from datetime import datetime

import pytest
from django.db import DatabaseError

from inference.api.legacy import text_event, text_events
from inference.models import LanguageModel
from inference.runtime import Piece

from .client import body_of, reading

CHAT = {"model-name": "fake", "prompt": "b"}


async def chat(api, **fields):
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    return await api.post("/chat/completions", {**CHAT, **given})


async def complete(api, **fields):
    return await api.post("/completions", {"model": "fake", "prompt": "a b c", **fields})


def read(stream):
    """As a browser's EventSource does: the data of each event; comments have none."""
    events = [block.split("\n") for block in stream.split("\n\n")]
    lines = [[line for line in event if line.startswith("data:")] for event in events]
    return ["\n".join(_value(line) for line in event) for event in lines if event]


def _value(line):
    return line.removeprefix("data:").removeprefix(" ")


async def refusal(response):
    """Status and sentence of `{"error": "<sentence>"}`."""
    body = response.json()
    assert body.keys() == {"error"}
    assert isinstance(body["error"], str)
    return response.status_code, body["error"]


@pytest.mark.usefixtures("fake_model")
class TestCompletions:
    async def test_an_answer_has_exactly_these_fields(self, api):
        answer = (await complete(api)).json()
        seconds, speed = answer.pop("duration_seconds"), answer.pop("tokens_per_second")
        assert answer == {"text": "a b c ", "model": "fake", "tokens": 4}
        assert 0 < seconds < 20
        assert speed == pytest.approx(4 / seconds, rel=0.01)

    async def test_an_alias_is_answered_under_the_models_id(self, api):
        assert (await complete(api, model="gpt-fake")).json()["model"] == "fake"

    async def test_a_stream_is_unnamed_events_of_text_and_nothing_else(self, api):
        response = await complete(api, stream=True)
        stream = await body_of(response)
        assert response["content-type"] == "text/event-stream"
        assert "".join(read(stream)) == "a b c "
        assert {line.partition(":")[0] for line in stream.splitlines() if line} == {"data"}

    async def test_its_defaults_are_the_older_services(self, api):
        answer = (await complete(api, prompt="a " * 200)).json()
        assert answer["tokens"] == 128

    async def test_null_means_the_default(self, api):
        fields = dict.fromkeys(["max_tokens", "temperature", "top_p", "stop", "stream"])
        assert (await complete(api, **fields)).json()["text"] == "a b c "

    async def test_a_stop_string_ends_it(self, api):
        assert (await complete(api, stop=["c"])).json()["text"] == "a b "

    async def test_an_answer_has_2048_tokens_at_most(self, api, engine_options):
        engine_options(context_length=8192)
        answer = (await complete(api, prompt="a " * 3000, max_tokens=3000)).json()
        assert answer["tokens"] == 2048

    async def test_the_configured_limit_counts_instead(self, api, configure):
        configure(limits={"max_response_tokens": 2})
        assert (await complete(api)).json()["tokens"] == 2

    async def test_a_prompt_has_8192_characters_at_most(self, api):
        assert (await complete(api, prompt="a" * 8192)).status_code == 200
        status, sentence = await refusal(await complete(api, prompt="a" * 8193))
        assert (status, "8192" in sentence) == (400, True)


@pytest.mark.usefixtures("fake_model")
class TestChats:
    async def test_it_always_streams(self, api):
        response = await chat(api, messages=[{"role": "user", "content": "a"}], stream=False)
        assert response["content-type"] == "text/event-stream"
        assert response["cache-control"] == "no-cache"
        text = "".join(read(await body_of(response)))
        assert text == "You are a helpful AI assistant. a b "

    async def test_a_system_prompt_is_honoured(self, api):
        assert "".join(read(await body_of(await chat(api, system_prompt="s")))) == "s b "

    async def test_a_system_message_of_the_conversation_comes_before_it(self, api):
        messages = [{"role": "system", "content": "m"}]
        response = await chat(api, system_prompt="s", messages=messages)
        assert "".join(read(await body_of(response))) == "m b "

    async def test_every_field_is_accepted_and_unknown_ones_are_ignored(self, api):
        response = await chat(
            api,
            max_token=4,
            temperature=0,
            top_p=0.5,
            top_k=1,
            repeat_penalty=1.1,
            stop=["x"],
            device="cuda",
            made_up=1,
            session_id=None,
        )
        assert "".join(read(await body_of(response))) == "You are a helpful "

    async def test_the_tokens_of_an_answer_are_128_by_default(self, api):
        text = "".join(read(await body_of(await chat(api, prompt="a " * 200))))
        assert len(text.split()) == 128

    @pytest.mark.parametrize("word", ["fail", "crash"])
    async def test_an_error_in_the_stream_is_an_event(self, api, word):
        response = await chat(api, system_prompt="s", prompt=f"a {word}")
        *texts, last = read(await body_of(response))
        assert response.status_code == 200
        assert last.startswith("__ERROR__:")
        assert len(last) > len("__ERROR__:")
        assert "s a ".startswith("".join(texts))

    async def test_a_slow_stream_is_kept_open_by_comments(self, api, engine_options, monkeypatch):
        monkeypatch.setattr("inference.engine.stream.HEARTBEAT_SECONDS", 0.01)
        engine_options(fake_step_seconds=0.1)
        stream = await body_of(await chat(api, system_prompt="s"))
        assert ": keepalive\n\n" in stream
        assert "".join(read(stream)) == "s b "

    async def test_headers_go_out_before_the_first_token(self, api):
        async with reading(await chat(api)) as parts:
            assert await anext(parts) == b""

    async def test_a_bug_of_ours_is_an_event_that_tells_nothing(self, api, monkeypatch):
        def broken(text):
            raise ZeroDivisionError("secret")

        response = await chat(api)
        monkeypatch.setattr("inference.engine.stream.Mailbox.take", broken)
        assert read(await body_of(response)) == ["__ERROR__:The server failed; its log says why."]


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("a", b"data:a\n\n"),
        (" a", b"data:  a\n\n"),
        ("a\nb", b"data:a\ndata:b\n\n"),
        ("a\r\nb", b"data:a\ndata:b\n\n"),
        ("a\rb", b"data:a\ndata:b\n\n"),
        ("a\n\n", b"data:a\ndata:\ndata:\n\n"),
        ("\n", b"data:\ndata:\n\n"),
        ("\r", b"data:\ndata:\n\n"),
        ("a\n b", b"data:a\ndata:  b\n\n"),
        (":a", b"data::a\n\n"),
        ("data: [DONE]", b"data:data: [DONE]\n\n"),
        ("\0\u2028\x85é", "data:\0\u2028\x85é\n\n".encode()),
    ],
)
def test_no_text_breaks_an_event(text, event):
    assert text_event(text) == event
    assert read(event.decode()) == [text.replace("\r\n", "\n").replace("\r", "\n")]


class Pieces:
    """A generation that brings exactly these."""

    def __init__(self, *texts):
        self._texts = texts

    async def __aiter__(self):
        for text in self._texts:
            yield Piece(text, 1)

    def cancel(self):
        pass


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\r", "\nb"], "a\nb"),
        (["a\r", "", "\nb"], "a\nb"),
        (["a\r", "\n", "b"], "a\nb"),
        (["a\r", "b\n", "\nc"], "a\nb\n\nc"),
        (["\n", "\n"], "\n\n"),
        (["a\r", "\r\n"], "a\n\n"),
    ],
)
async def test_a_line_end_cut_in_two_is_still_one(pieces, text):
    stream = b"".join([part async for part in text_events(Pieces(*pieces))]).decode()
    assert "".join(read(stream)) == text


@pytest.mark.usefixtures("fake_model")
class TestWhichDialect:
    async def test_a_body_with_model_and_messages_gets_openais_answer(self, api):
        messages = [{"role": "user", "content": "a b"}]
        response = await api.post("/chat/completions", {"model": "fake", "messages": messages})
        assert response.json()["choices"][0]["message"]["content"] == "a b "

    async def test_and_openais_stream(self, api):
        body = {"model": "fake", "messages": [{"role": "user", "content": "a"}], "stream": True}
        response = await api.post("/chat/completions", body)
        assert (await body_of(response)).endswith("data: [DONE]\n\n")

    async def test_and_openais_errors(self, api):
        messages = [{"role": "user", "content": "a b"}]
        response = await api.post("/chat/completions", {"model": "nope", "messages": messages})
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "model_not_found"

    async def test_model_name_decides_even_beside_model_and_messages(self, api):
        body = {**CHAT, "model": "nope", "messages": [], "system-prompt": "s"}
        stream = await body_of(await api.post("/chat/completions", body))
        assert "".join(read(stream)) == "s b "

    async def test_a_wrong_method_gets_openais_error(self, api):
        response = await api.get("/chat/completions")
        assert response.status_code == 405
        assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.usefixtures("fake_model")
class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "status", "named"),
        [
            ({"model_name": "nope"}, 404, "nope"),
            ({"model_name": 1}, 400, "model-name"),
            ({"model_name": ""}, 400, "model-name"),
            ({"prompt": None}, 400, "prompt"),
            ({"prompt": 1}, 400, "prompt"),
            ({"prompt": "a" * 8193}, 400, "prompt"),
            ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0].role"),
            ({"messages": [{"role": "user"}]}, 400, "messages[0].content"),
            ({"messages": "x"}, 400, "messages"),
            ({"max_token": 0}, 400, "max-token"),
            ({"max_token": "1"}, 400, "max-token"),
            ({"max_token": 10**400}, 200, ""),
            ({"temperature": 3}, 400, "temperature"),
            ({"temperature": 10**400}, 400, "temperature"),
            ({"top_p": 2}, 400, "top-p"),
            ({"top_p": "x"}, 400, "top-p"),
            ({"top_k": 10**30}, 400, "top-k"),
            ({"repeat_penalty": 0}, 400, "repeat-penalty"),
            ({"stop": "x"}, 400, "stop"),
            ({"stop": [""]}, 400, "stop"),
            ({"device": 1}, 400, "device"),
            ({"session_id": 1}, 400, "session-id"),
            ({"session_id": ""}, 400, "session-id"),
            ({"session_id": "a/b"}, 400, "session-id"),
            ({"session_id": "a\n"}, 400, "session-id"),
            ({"session_id": "a" * 201}, 400, "session-id"),
            ({"system_prompt": 1}, 400, "system-prompt"),
        ],
    )
    async def test_a_chats_fault_is_named(self, api, fields, status, named):
        response = await chat(api, **fields)
        assert response.status_code == status
        assert named in getattr(response, "content", b"").decode()

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"prompt": ["a"]}, "prompt"),
            ({"prompt": ""}, "prompt"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"max_tokens": 1.5}, "max_tokens"),
            ({"temperature": -1}, "temperature"),
            ({"top_p": 0}, "top_p"),
            ({"stop": [1]}, "stop[0]"),
            ({"stream": "yes"}, "stream"),
        ],
    )
    async def test_a_completions_fault_is_named(self, api, fields, named):
        status, sentence = await refusal(await complete(api, **fields))
        assert (status, sentence.partition(":")[0]) == (400, named)

    async def test_an_unknown_model_is_404(self, api):
        status, sentence = await refusal(await complete(api, model="nope"))
        assert (status, sentence) == (404, "The model 'nope' does not exist.")

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"prompt": NaN}'])
    async def test_what_is_no_json_object_is_400(self, api, body):
        assert (await refusal(await api.send("/completions", body)))[0] == 400

    async def test_a_body_above_the_limit_is_413(self, api, configure):
        configure(limits={"max_body_mb": 0.001})
        status, _ = await refusal(await complete(api, prompt="a" * 2000))
        assert status == 413

    async def test_a_wrong_method_is_405(self, api):
        assert (await refusal(await api.get("/completions")))[0] == 405

    async def test_a_full_queue_is_429(self, api, engine_options):
        engine_options(max_sequences=1, max_waiting=0, fake_step_seconds=0.05)
        async with reading(await api.chat("a", stream=True, ignore_eos=True)) as running:
            await anext(running)
            response = await complete(api)
        assert (await refusal(response))[0] == 429
        assert int(response["retry-after"]) >= 1

    async def test_an_engine_that_died_is_503(self, api):
        response = await complete(api, prompt="crash")
        status, sentence = await refusal(response)
        assert (status, response["retry-after"]) == (503, "1")
        assert "died" in sentence

    async def test_the_configured_length_counts_all_messages(self, api, configure):
        configure(limits={"max_prompt_length": 100})
        messages = [
            {"role": "user", "content": "a" * 60},
            {"role": "assistant", "content": "b" * 60},
        ]
        assert (await refusal(await chat(api, messages=messages)))[0] == 400


@pytest.mark.django_db(transaction=True)
class TestModels:
    async def test_the_list_is_of_names(self, api):
        await LanguageModel.objects.acreate(slug="b", file="/b.gguf")
        await LanguageModel.objects.acreate(slug="a", file="/a.gguf")
        await LanguageModel.objects.acreate(slug="disabled", file="/c.gguf", enabled=False)
        await LanguageModel.objects.acreate(slug="unfetched", source="file:///d.gguf")
        assert (await api.get("/models")).json() == {"models": ["a", "b"]}

    @pytest.mark.parametrize("name", ["a", "org/model", "org%2Fmodel", "A%20Model"])
    async def test_one_is_found_by_id_alias_or_name(self, api, name):
        row = await LanguageModel.objects.acreate(
            slug="a", name="A Model", file="/a.gguf", quantization="Q4_1", trained_context=2048
        )
        await row.aliases.acreate(name="org/model")
        assert (await api.get(f"/models/{name}")).json() == {
            "id": "a",
            "name": "A Model",
            "context_length": 2048,
            "quantization": "Q4_1",
        }

    @pytest.mark.parametrize("name", ["nope", "disabled", "Disabled", "unfetched", "a/b", "%00"])
    async def test_an_unknown_one_is_404(self, api, name):
        row = {"file": "/c.gguf", "enabled": False, "name": "Disabled"}
        await LanguageModel.objects.acreate(slug="disabled", **row)
        await LanguageModel.objects.acreate(slug="unfetched", source="file:///d.gguf")
        assert (await refusal(await api.get(f"/models/{name}")))[0] == 404


@pytest.mark.django_db(transaction=True)
class TestProbes:
    async def test_health_tells_the_uptime(self, api):
        first, second = (await api.get("/health")).json(), (await api.get("/health")).json()
        assert first.keys() == {"status", "uptime", "timestamp"}
        assert first["status"] == "ok"
        assert 0 < first["uptime"] < second["uptime"]
        assert datetime.fromisoformat(first["timestamp"]).tzinfo is not None

    async def test_readiness_counts_the_models_that_requests_may_name(self, api):
        await LanguageModel.objects.acreate(slug="a", file="/a.gguf")
        await LanguageModel.objects.acreate(slug="b", source="file:///b.gguf")
        response = await api.get("/readiness")
        body = response.json()
        assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is not None
        assert (response.status_code, body) == (200, {"status": "ready", "models_available": 1})

    async def test_without_a_model_it_is_not_ready_and_says_why(self, api):
        response = await api.get("/readiness")
        body = response.json()
        del body["timestamp"]
        assert (response.status_code, response["retry-after"]) == (503, "5")
        assert body == {
            "status": "not ready",
            "models_available": 0,
            "reason": "no model is enabled and fetched",
        }

    async def test_without_a_database_neither_and_it_keeps_the_detail_to_the_log(
        self, api, monkeypatch, caplog
    ):
        async def broken(queryset):
            raise DatabaseError("at 10.0.0.3")

        monkeypatch.setattr("django.db.models.query.QuerySet.acount", broken)
        response = await api.get("/readiness")
        assert response.status_code == 503
        assert response.json()["reason"] == "the database does not answer"
        assert "10.0.0.3" in caplog.text
