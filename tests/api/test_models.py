"""GET /v1/models and what requests may name."""

import asyncio

import pytest

from inference import runtime
from inference.models import LanguageModel

pytestmark = pytest.mark.usefixtures("fake_engines")


async def add(slug, **fields):
    fields = {"source": f"file:///{slug}", "file": f"/{slug}.gguf", **fields}
    return await LanguageModel.objects.acreate(slug=slug, **fields)


@pytest.mark.django_db(transaction=True)
class TestTheList:
    async def test_it_names_what_requests_may_name(self, api):
        await add("b", name="Bee")
        await add("a", quantization="Q4_1", trained_context=2048)
        await add("disabled", enabled=False)
        await add("unfetched", file="")
        body = (await api.get("/v1/models")).json()
        assert body["object"] == "list"
        assert [item["id"] for item in body["data"]] == ["a", "b"]

    async def test_an_item_has_the_fields_that_clients_need(self, api):
        row = await add("a", name="Ay", quantization="Q4_1", trained_context=2048)
        [item] = (await api.get("/v1/models")).json()["data"]
        assert item == {
            "id": "a",
            "object": "model",
            "created": int(row.created_at.timestamp()),
            "owned_by": "llmsite",
            "name": "Ay",
            "context_length": 2048,
            "max_model_len": 2048,
            "capabilities": ["completion", "chat"],
            "quantization": "Q4_1",
            "base": None,
            "status": "unloaded",
        }

    async def test_without_models_it_is_empty(self, api):
        assert (await api.get("/v1/models")).json() == {"object": "list", "data": []}

    async def test_the_context_that_the_registry_sets_counts(self, api):
        await add("a", trained_context=2048, context_length=512)
        [item] = (await api.get("/v1/models")).json()["data"]
        assert item["max_model_len"] == 512

    async def test_a_loaded_model_tells_its_state_and_what_fitted(self, api):
        await add("fake", trained_context=131072)
        await api.chat()
        [item] = (await api.get("/v1/models")).json()["data"]
        assert (item["status"], item["max_model_len"]) == ("ready", 4096)


@pytest.mark.django_db(transaction=True)
class TestOne:
    async def test_it_is_found_by_id(self, api):
        await add("a")
        assert (await api.get("/v1/models/a")).json()["id"] == "a"

    @pytest.mark.parametrize("path", ["/v1/models/org/model@q4", "/v1/models/org%2Fmodel%40q4"])
    async def test_it_is_found_by_an_alias_with_slashes(self, api, path):
        row = await add("a")
        await row.aliases.acreate(name="org/model@q4")
        response = await api.get(path)
        assert (response.status_code, response.json()["id"]) == (200, "a")

    @pytest.mark.parametrize(
        "name",
        [
            "b",
            "A",
            "a/",
            "disabled",
            "unfetched",
            "%00",
            "a%00",
            "%ff",
            "é",
            ".",
            "x" * 5000,
            "a/b",
            "a%0A",
            "%0D%0Aa",
            "a%E2%80%A8",
        ],
    )
    async def test_anything_else_is_404(self, api, name):
        await add("a")
        await add("disabled", enabled=False)
        await add("unfetched", file="")
        response = await api.get(f"/v1/models/{name}")
        error = response.json()["error"]
        assert response.status_code == 404
        assert (error["code"], error["param"]) == ("model_not_found", "model")

    async def test_one_that_is_not_fetched_says_what_to_do(self, api):
        await add("unfetched", file="")
        response = await api.get("/v1/models/unfetched")
        assert "prefetch" in response.json()["error"]["message"]

    @pytest.mark.parametrize("fields", [{"enabled": False}, {"file": ""}])
    async def test_what_is_not_listed_does_not_answer(self, api, fields):
        row = await add("fake", **fields)
        await row.aliases.acreate(name="gpt-fake")
        statuses = [(await api.chat(model=name)).status_code for name in ("fake", "gpt-fake")]
        assert statuses == [404, 404]


@pytest.mark.django_db(transaction=True)
class TestUnknownPaths:
    @pytest.mark.parametrize("path", ["/v1/unknown", "/v1/", "/v1/models/", "/v1/chat", "/v1/a/"])
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
    async def test_they_are_404_in_the_envelope(self, api, path, method):
        response = await api.request(method, path)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (404, "not_found")
        assert error["message"] == f"There is no {method} {path}."

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("GET", "/v1/chat/completions", "POST"),
            ("PUT", "/v1/completions", "POST"),
            ("POST", "/v1/models", "GET"),
            ("DELETE", "/v1/models/fake", "GET"),
            ("PROPFIND", "/v1/models", "GET"),
            ("POST", "/metrics", "GET"),
        ],
    )
    async def test_a_wrong_method_is_405_in_the_envelope(self, api, method, path, allowed):
        response = await api.request(method, path)
        assert (response.status_code, response.json()["error"]["code"]) == (
            405,
            "method_not_allowed",
        )
        assert allowed in response["allow"]

    async def test_head_answers_as_get_does(self, api):
        assert (await api.request("HEAD", "/v1/models")).status_code == 200


async def test_two_models_take_turns_where_only_one_fits(api, fake_model, configure):
    configure(models={"max_loaded_models": 1})
    await add("other")

    async def text_of(model, prompt):
        return (await api.complete(prompt, model=model)).json()["choices"][0]["text"]

    one_by_one = [await text_of(model, "a b") for model in ("fake", "other") * 2]
    assert one_by_one == ["a b "] * 4
    mixed = (text_of(model, f"x{i}") for i, model in enumerate(["fake", "other"] * 8))
    together = await asyncio.gather(*mixed)
    assert together == [f"x{i} " for i in range(16)]
    assert len(runtime.status()) == 1
