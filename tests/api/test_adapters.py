"""LoRA adapters, chosen by the name of a model."""

import asyncio

import pytest

from inference.models import LanguageModel
from tests.api.client import Api


@pytest.fixture(autouse=True)
def rows(fake_model):
    """Two adapters of the model `fake`."""
    for name in ("one", "two"):
        row = LanguageModel.objects.create(slug=name, file=f"/{name}.gguf", base=fake_model)
        row.aliases.create(name=f"{name}-alias")


async def answer(api: Api, model: str) -> str:
    response = await api.chat("adapter " * 3, model=model)
    return response.json()["choices"][0]["message"]["content"]


async def test_the_models_name_chooses_it(api):
    names = ["fake", "one", "two", "one-alias"]
    texts = await asyncio.gather(*(answer(api, name) for name in names))
    assert texts == [f"{name} " * 3 for name in ("none", "one", "two", "one")]


async def test_it_is_listed_with_its_base_and_as_loaded_as_that_is(api):
    await answer(api, "one")
    models = {m["id"]: m for m in (await api.get("/v1/models")).json()["data"]}

    assert {name: m["base"] for name, m in models.items()} == {
        "fake": None,
        "one": "fake",
        "two": "fake",
    }
    assert {m["status"] for m in models.values()} == {"ready"}


async def test_answers_and_metrics_name_the_adapter(api):
    before = await api.metric("llmsite_requests_total", model="one")
    body = (await api.chat("a", model="one-alias")).json()
    base = (await api.chat("a")).json()

    assert body["model"] == "one"
    assert body["system_fingerprint"] != base["system_fingerprint"]
    assert await api.metric("llmsite_requests_total", model="one") == before + 1


async def test_its_tokens_are_its_bases(api):
    response = await api.post("/v1/tokenize", {"model": "one", "prompt": "a b"})
    assert response.json()["count"] == 2
    assert response.json()["max_model_len"] == 4096


async def test_one_that_does_not_fit_is_an_error_that_says_so(api):
    await LanguageModel.objects.acreate(
        slug="bad", file="/bad", base=await LanguageModel.objects.aget(slug="fake")
    )
    await LanguageModel.objects.filter(slug="bad").aupdate(adapter_scale=-50)

    response = await api.chat("a", model="bad")
    assert response.status_code == 503
    assert "bad@*-50.0: the adapter does not fit" in response.json()["error"]["message"]
    assert await answer(api, "one") == "one one one "
