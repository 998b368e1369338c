"""POST /v1/embeddings and /v1/rerank, on the engine that needs no weights."""

import asyncio
import base64
import struct

import pytest
from django.core.cache import cache

from accounts.models import PromptRecord, UsageRecord
from inference.engine.fake_embed import LENGTH
from inference.models import LanguageModel, Task

from .client import eventually

pytestmark = pytest.mark.usefixtures("fake_model", "models", "leave_no_connection")


@pytest.fixture
def models(fake_row):
    """One for each task; `fake` writes text."""
    for task in (Task.EMBED, Task.RERANK):
        path = f"/{task}.gguf"
        LanguageModel.objects.create(slug=task, source=f"file://{path}", file=path, file_task=task)


async def embed(api, given, **fields):
    return await api.post("/v1/embeddings", {"model": "embed", "input": given, **fields})


async def rerank(api, documents, **fields):
    asked = {"model": "rerank", "query": "a b", "documents": documents, **fields}
    return await api.post("/v1/rerank", asked)


async def vectors(api, given, **fields):
    response = await embed(api, given, **fields)
    assert response.status_code == 200, response.content
    return [item["embedding"] for item in response.json()["data"]]


def error_of(response):
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


class TestEmbeddings:
    async def test_an_answer_has_what_clients_need(self, api):
        body = (await embed(api, "a b c", user="someone")).json()
        [item] = body.pop("data")
        assert body == {
            "object": "list",
            "model": "embed",
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        }
        assert (item["object"], item["index"]) == ("embedding", 0)
        assert len(item["embedding"]) == LENGTH
        assert sum(x * x for x in item["embedding"]) == pytest.approx(1)

    async def test_inputs_keep_their_order(self, api):
        texts = [f"word{i}" for i in range(150)]
        response = (await embed(api, texts)).json()["data"]
        assert [item["index"] for item in response] == [*range(150)]
        one_by_one = [(await vectors(api, texts[i]))[0] for i in (0, 77, 149)]
        assert [response[i]["embedding"] for i in (0, 77, 149)] == one_by_one

    async def test_inputs_may_be_tokens(self, api):
        [text] = await vectors(api, "first")  # so becomes token 1
        assert await vectors(api, [1]) == [text]
        assert await vectors(api, [[1], [1]]) == [text, text]

    async def test_base64_is_the_same_numbers_in_little_endian_float32(self, api):
        [plain] = await vectors(api, "a b")
        [packed] = await vectors(api, "a b", encoding_format="base64")
        assert [*struct.unpack(f"<{LENGTH}f", base64.b64decode(packed))] == plain

    async def test_dimensions_cut_and_make_unit_length_again(self, api):
        [short] = await vectors(api, "a b", dimensions=2)
        assert len(short) == 2
        assert sum(x * x for x in short) == pytest.approx(1)

    async def test_what_is_not_used_is_named(self, api):
        response = await embed(api, "a", input_type="query", user=None)
        assert response["x-ignored-params"] == "input_type"

    @pytest.mark.parametrize(
        ("fields", "code", "param"),
        [
            ({"input": []}, "invalid_request_error", "input"),
            ({"input": ""}, "invalid_request_error", "input[0]"),
            ({"input": ["a", ""]}, "invalid_request_error", "input[1]"),
            ({"input": ["a", 1]}, "invalid_request_error", "input[1]"),
            ({"input": [[]]}, "invalid_request_error", "input[0]"),
            ({"input": [[99999]]}, "invalid_request_error", "input[0]"),
            ({"input": [-1]}, "invalid_request_error", "input[0]"),
            ({"input": None}, "invalid_request_error", "input"),
            ({"input": ["a"] * 2049}, "invalid_request_error", "input"),
            ({"input": ["a", "a " * 5000]}, "context_length_exceeded", "input[1]"),
            ({"dimensions": 0}, "invalid_request_error", "dimensions"),
            ({"dimensions": LENGTH + 1}, "invalid_request_error", "dimensions"),
            ({"encoding_format": "hex"}, "invalid_request_error", "encoding_format"),
            ({"stream": True}, "unsupported_parameter", "stream"),
        ],
    )
    async def test_what_cannot_be_used_is_named(self, api, fields, code, param):
        response = await embed(api, "a", **fields)
        assert error_of(response) == (400, code, param)

    async def test_as_many_inputs_as_openai_takes_are_taken(self, api):
        assert len(await vectors(api, ["a"] * 2048)) == 2048

    async def test_a_step_that_fails_is_told(self, api):
        response = await embed(api, "fail")
        assert error_of(response) == (500, "engine_error", None)
        assert len(await vectors(api, "a")) == 1

    async def test_an_engine_that_dies_is_told(self, api):
        assert error_of(await embed(api, "crash"))[:2] == (503, "engine_restarting")


class TestRanking:
    async def test_the_most_relevant_comes_first(self, api):
        body = (await rerank(api, ["c", "a b", "a"])).json()
        assert body["results"] == [
            {"index": 1, "relevance_score": 1.0},
            {"index": 2, "relevance_score": 0.5},
            {"index": 0, "relevance_score": 0.0},
        ]
        assert body["model"] == "rerank"
        assert body["id"].startswith("rerank-")
        assert body["usage"] == {"prompt_tokens": 13, "total_tokens": 13}

    async def test_only_the_best_may_be_asked_for_with_their_texts(self, api):
        documents = [{"text": "c"}, "a b"]
        body = (await rerank(api, documents, top_n=1, return_documents=True)).json()
        assert body["results"] == [
            {"index": 1, "relevance_score": 1.0, "document": {"text": "a b"}}
        ]

    async def test_equals_keep_their_order(self, api):
        results = (await rerank(api, ["c", "d", "e"], top_n=9)).json()["results"]
        assert [result["index"] for result in results] == [0, 1, 2]

    @pytest.mark.parametrize(
        ("fields", "code", "param"),
        [
            ({"documents": []}, "invalid_request_error", "documents"),
            ({"documents": [1]}, "invalid_request_error", "documents[0]"),
            ({"query": ""}, "invalid_request_error", "query"),
            ({"query": None}, "invalid_request_error", "query"),
            ({"top_n": 0}, "invalid_request_error", "top_n"),
            ({"documents": ["a", "a " * 5000]}, "context_length_exceeded", "documents[1]"),
        ],
    )
    async def test_what_cannot_be_used_is_named(self, api, fields, code, param):
        response = await rerank(api, **{"documents": ["a"], **fields})
        assert error_of(response) == (400, code, param)


class TestTasks:
    @pytest.mark.parametrize(
        ("ask", "message"),
        [
            (lambda api: embed(api, "a", model="gpt-fake"), "'fake' makes no embeddings"),
            (lambda api: embed(api, "a", model="rerank"), "'rerank' makes no embeddings"),
            (lambda api: rerank(api, ["a"], model="embed"), "'embed' does not rank documents"),
            (lambda api: api.chat(model="embed"), "'embed' writes no text"),
            (lambda api: api.complete(model="rerank"), "'rerank' writes no text"),
        ],
    )
    async def test_a_model_for_something_else_says_so(self, api, ask, message):
        response = await ask(api)
        assert error_of(response) == (400, "invalid_request_error", "model")
        assert response.json()["error"]["message"] == f"The model {message}."

    async def test_the_row_may_say_otherwise_than_the_file(self, api):
        await LanguageModel.objects.filter(slug="fake").aupdate(task=Task.EMBED)
        assert len(await vectors(api, "a", model="fake")) == 1
        assert (await api.chat()).status_code == 400

    async def test_a_model_that_does_not_exist_is_404(self, api):
        assert error_of(await embed(api, "a", model="none")) == (404, "model_not_found", "model")

    async def test_models_tell_what_they_can(self, api):
        models = (await api.get("/v1/models")).json()["data"]
        assert {model["id"]: model["capabilities"] for model in models} == {
            "fake": ["completion", "chat"],
            "embed": ["embedding"],
            "rerank": ["rerank"],
        }


class TestAdmission:
    @pytest.fixture(autouse=True)
    def keys_required(self, configure):
        cache.clear()
        configure(security={"enable_auth": True})

    async def test_a_request_is_in_the_ledger(self, alice):
        await vectors(alice.api, ["a b", "c"])
        record = await UsageRecord.objects.aget()
        assert (record.model, record.endpoint, record.status) == ("embed", "embeddings", "stop")
        assert (record.prompt_tokens, record.completion_tokens, record.reserved) == (3, 0, 0)

    async def test_a_failure_costs_nothing(self, alice):
        await alice.rules(tokens_per_day=10)
        await embed(alice.api, "a fail")
        await eventually(UsageRecord.objects.exclude(status="running").aexists)
        record = await UsageRecord.objects.aget()
        assert (record.status, record.total_tokens) == ("decode_failed", 0)
        [count] = await alice.counts()
        assert (count.used, count.reserved) == (0, 0)

    async def test_only_prompts_are_counted_and_what_is_left_is_told(self, alice):
        await alice.rules(tokens_per_day=10)
        response = await embed(alice.api, "a b c")
        assert response["x-ratelimit-remaining-tokens"] == "7"
        assert response["x-ratelimit-remaining-requests"]
        assert (await rerank(alice.api, ["c d"])).status_code == 200  # 5 tokens
        refused = await embed(alice.api, "a b c")
        assert error_of(refused) == (429, "insufficient_quota", None)
        [count] = await alice.counts()
        assert (count.used, count.reserved) == (8, 0)

    @pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank"])
    async def test_policies_know_both_as_embeddings(self, alice, path):
        await alice.rules(allowed_endpoints=["chat"])
        assert (await alice.api.post(path, {})).status_code == 403

    @pytest.mark.parametrize(
        ("rules", "status", "param"),
        [
            ({"allowed_models": ["fake"]}, 403, None),
            ({"max_prompt_characters": 4}, 400, "input"),
            ({"max_prompt_tokens": 2}, 400, "input"),
        ],
    )
    async def test_policies_hold(self, alice, rules, status, param):
        await alice.rules(**rules)
        refused = await embed(alice.api, ["a b", "c d"])
        assert (refused.status_code, refused.json()["error"]["param"]) == (status, param)

    async def test_the_servers_limit_of_a_prompt_is_each_inputs(self, alice, configure):
        configure(limits={"max_prompt_length": 3})
        assert len(await vectors(alice.api, ["a b"] * 9)) == 9
        refused = await embed(alice.api, ["a b", "a b c"])
        assert error_of(refused) == (400, "limit_exceeded", "input[1]")

    async def test_a_sites_checks_see_every_text(self, alice, configure):
        configure(security={"denied_patterns": ["secret"]})
        assert error_of(await embed(alice.api, ["a", "a secret"]))[:2] == (400, "content_denied")
        assert error_of(await rerank(alice.api, ["secret"]))[:2] == (400, "content_denied")
        assert error_of(await rerank(alice.api, ["a"], query="secret"))[0] == 400
        assert error_of(await embed(alice.api, [1])) == (400, "content_denied", "input")

    async def test_what_a_site_blots_out_is_not_embedded(self, alice, configure):
        blotted = await vectors(alice.api, "a ██████")
        configure(security={"redacted_patterns": ["secret"]})
        assert await vectors(alice.api, "a secret") == blotted

    async def test_requests_are_logged_for_those_who_allow_it(self, alice):
        await alice.rules(log_prompts=True)
        await vectors(alice.api, ["a b"])

        async def is_logged():
            return await PromptRecord.objects.aexists()

        await eventually(is_logged)
        record = await PromptRecord.objects.aget()
        assert (record.prompt["texts"], record.answer) == (["a b"], "")

    async def test_a_request_is_computed_once_for_a_key(self, alice):
        header = {"idempotency-key": "once"}
        body = {"model": "embed", "input": "a b"}
        first, again = [await alice.api.post("/v1/embeddings", body, **header) for _ in range(2)]
        assert first.content == again.content
        assert again["idempotent-replayed"] == "true"
        assert await UsageRecord.objects.acount() == 1

    async def test_metrics_count_them(self, alice, api, configure):
        configure(security={"enable_auth": False})
        before = await api.metric("llmsite_tokens_total", model="embed", kind="prompt")
        await vectors(api, "a b c")
        after = await api.metric("llmsite_tokens_total", model="embed", kind="prompt")
        assert after - before == 3


async def test_a_client_that_leaves_cancels(api, engine_options):
    engine_options(fake_step_seconds=0.1, batch_tokens=10)
    await vectors(api, "a")
    before = await api.metric("llmsite_requests_total", model="embed", outcome="cancelled")
    asking = asyncio.create_task(embed(api, ["a b c d e f"] * 1000))

    async def is_running():
        return await api.metric("llmsite_requests_running") == 1

    await eventually(is_running)
    asking.cancel()

    async def is_cancelled():
        now = await api.metric("llmsite_requests_total", model="embed", outcome="cancelled")
        return now == before + 1

    await eventually(is_cancelled)
