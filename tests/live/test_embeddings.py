"""Vectors for the clients that people have, from a tiny encoder and from the default model."""

import math

import httpx
import pytest
from gguf import PoolingType
from langchain_openai import OpenAIEmbeddings

from tests.tiny_bert import make_tiny_bert

from .server import Server

TEXTS = ["a tale of eight", "texts", "well"]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """A service with llama.cpp, an encoder and a cross-encoder."""
    folder = tmp_path_factory.mktemp("encoders")
    poolings = {"tiny-bert": PoolingType.MEAN, "tiny-rank": PoolingType.RANK}
    models = {
        name: make_tiny_bert(folder / f"{name}.gguf", pooling=pooling)
        for name, pooling in poolings.items()
    }
    server = Server(folder / "data", models, settings="llmsite.settings")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def client(encoders):
    with encoders.client() as client:
        yield client


def embed(client, given, **fields):
    answer = client.embeddings.create(model="tiny-bert", input=given, **fields)
    return [item.embedding for item in answer.data]


def test_the_official_client_gets_the_same_vectors_packed_and_plain(client):
    packed = embed(client, TEXTS)  # it asks for base64, and unpacks it
    plain = embed(client, TEXTS, encoding_format="float")
    assert [len(vector) for vector in packed] == [32, 32, 32]
    assert packed == [pytest.approx(vector, abs=1e-6) for vector in plain]
    assert math.hypot(*packed[0]) == pytest.approx(1)


def test_the_official_client_asks_for_fewer_dimensions(client):
    [vector] = embed(client, "a tale", dimensions=4)
    assert len(vector) == 4


async def test_the_async_client_does_the_same(client, encoders):
    async with encoders.async_client() as other:
        answer = await other.embeddings.create(model="tiny-bert", input=TEXTS)
    assert [item.embedding for item in answer.data] == [
        pytest.approx(vector, abs=1e-6) for vector in embed(client, TEXTS)
    ]
    assert answer.usage.prompt_tokens == sum(len(text.replace(" ", "")) + 2 for text in TEXTS)


def test_langchain_embeds_documents_and_queries(client, encoders):
    langchain = OpenAIEmbeddings(
        model="tiny-bert",
        base_url=f"{encoders.url}/v1",
        api_key="none",
        check_embedding_ctx_length=False,  # it would count with OpenAI's vocabulary
    )
    documents = langchain.embed_documents(TEXTS)
    assert documents == [pytest.approx(vector, abs=1e-6) for vector in embed(client, TEXTS)]
    assert langchain.embed_query(TEXTS[0]) == pytest.approx(documents[0], abs=2e-3)


def test_documents_are_ranked(encoders):
    asked = {"model": "tiny-rank", "query": "a tale", "documents": TEXTS, "return_documents": True}
    results = httpx.post(f"{encoders.url}/v1/rerank", json=asked).json()["results"]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] < 1
    assert [TEXTS[result["index"]] for result in results] == [
        result["document"]["text"] for result in results
    ]


def test_the_registry_has_read_what_the_files_are_for(client, encoders):
    models = {model.id: model.model_extra["capabilities"] for model in client.models.list()}
    assert models == {"tiny-bert": ["embedding"], "tiny-rank": ["rerank"]}
