"""Vectors from llama.cpp for real, in its child process: tiny random encoders and others."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from gguf import GGUFReader, PoolingType

from inference.engine import EngineConfig, InputTooLong, InvalidParameter, ModelLoadFailed
from inference.engine.host import EngineHost
from tests.tiny_bert import CLS, SEP, make_tiny_bert, vocabulary
from tests.tiny_gguf import make_tiny_gguf

WIDTH = 32
TOLERANCE = 2e-3  # attention computes in half precision, and by the shape of the batch
TEXTS = ["a tale", "of eight", "texts", "that share a batch", "of tokens", "and end", "well"]
POOLED = [PoolingType.MEAN, PoolingType.CLS, PoolingType.LAST]


@asynccontextmanager
async def running(path, state_dir, **options):
    # One thread: two that wait for each other on a busy machine take ten times as long.
    options = {"model_id": "m", "threads": 1, "task": "embed", **options}
    host = EngineHost(EngineConfig(path=str(path), state_dir=str(state_dir), **options))
    await host.start(60)
    try:
        yield host
    finally:
        await host.stop()


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory):
    """Keeps what the probe found, so that it runs once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def make_bert(tmp_path_factory):
    def make(pooling=PoolingType.MEAN, **options):
        path = tmp_path_factory.mktemp("models") / "bert.gguf"
        return make_tiny_bert(path, pooling=pooling, **options)

    return make


async def embed(host, texts, **fields):
    vectors = await host.embed(texts=texts, **fields)
    return np.array([np.frombuffer(vector, "<f4") for vector in await vectors.read()])


def tokens_of(text):
    """By the vocabulary of letters."""
    index = vocabulary().index
    letters = [[index(f"▁{word[0]}"), *map(index, word[1:])] for word in text.split()]
    return [CLS, *(token for word in letters for token in word), SEP]


def encoded(path, tokens):
    """What BERT makes of each token, by its formulae; biases are 0 here, and norms plain."""
    weights = {t.name.removesuffix(".weight"): t.data for t in GGUFReader(path).tensors}

    def normal(rows):
        return (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)

    def attention(rows, block):
        q, k, v = (
            (rows @ weights[f"{block}.attn_{name}"].T).reshape(len(rows), 2, -1).swapaxes(0, 1)
            for name in "qkv"
        )
        scores = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[2]))
        seen = (scores / scores.sum(2, keepdims=True)) @ v
        return seen.swapaxes(0, 1).reshape(rows.shape) @ weights[f"{block}.attn_output"].T

    def feed_forward(rows, block):
        up = rows @ weights[f"{block}.ffn_up"].T
        active = up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3))) / 2
        return active @ weights[f"{block}.ffn_down"].T

    rows = weights["token_embd"][tokens] + weights["token_types"][0]
    rows = normal(rows + weights["position_embd"][: len(tokens)])
    for block in ("blk.0", "blk.1"):
        rows = normal(rows + attention(rows, block))
        rows = normal(rows + feed_forward(rows, block))
    return rows


@pytest.mark.parametrize("pooling", POOLED)
async def test_a_batch_makes_what_each_text_would_make_alone(make_bert, state_dir, pooling):
    async with running(make_bert(pooling), state_dir) as host:
        together = await embed(host, TEXTS)
        alone = np.concatenate([await embed(host, [text]) for text in TEXTS])
        at_once = await asyncio.gather(*(embed(host, [text]) for text in TEXTS))

    assert together.shape == (len(TEXTS), WIDTH)
    assert together == pytest.approx(alone, abs=TOLERANCE)
    assert np.concatenate(at_once) == pytest.approx(alone, abs=TOLERANCE)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)
    assert np.abs(together[0] - together[1]).max() > 0.01


async def test_each_pooling_makes_another_vector(make_bert, state_dir):
    made = []
    for pooling in POOLED:
        async with running(make_bert(pooling), state_dir) as host:
            made.append((await embed(host, ["a tale"]))[0])

    differences = [np.abs(made[i] - made[i - 1]).max() for i in range(3)]
    assert min(differences) > 0.01


async def test_an_encoder_that_does_not_say_how_takes_the_mean(make_bert, state_dir):
    async with running(make_bert(None), state_dir) as silent:
        expected = await embed(silent, TEXTS)
    async with running(make_bert(PoolingType.MEAN), state_dir) as mean:
        assert await embed(mean, TEXTS) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pooling", POOLED)
async def test_vectors_are_what_the_papers_formulae_make(make_bert, state_dir, pooling):
    path = make_bert(pooling)
    rows = encoded(path, tokens_of("a tale of eight"))
    pooled = {
        PoolingType.MEAN: rows.mean(0),
        PoolingType.CLS: rows[0],
        PoolingType.LAST: rows[-1],
    }[pooling]

    async with running(path, state_dir) as host:
        [vector] = await embed(host, ["a tale of eight"])

    assert vector == pytest.approx(pooled / np.linalg.norm(pooled), abs=TOLERANCE)


async def test_tokens_are_taken_as_they_are(make_bert, state_dir):
    async with running(make_bert(), state_dir) as host:
        vectors = await host.embed(tokens=[tokens_of(text) for text in TEXTS])
        from_tokens = [np.frombuffer(vector, "<f4") for vector in await vectors.read()]
        assert np.array(from_tokens) == pytest.approx(await embed(host, TEXTS), abs=1e-6)


async def test_an_input_of_the_whole_context_is_read_and_a_longer_one_is_not(make_bert, state_dir):
    async with running(make_bert(context_length=64), state_dir, batch_tokens=16) as host:
        assert host.info.context_length == 64
        assert (await embed(host, ["a " * 62, "b"])).shape == (2, WIDTH)
        with pytest.raises(InputTooLong) as caught:
            await embed(host, ["a", "a " * 63])
        assert caught.value.param == "input[1]"
        assert "it has 65 tokens, and this model reads 64" in caught.value.message
        with pytest.raises(InvalidParameter):
            await embed(host, ["a", ""])
        # Of an unknown word there is one token, however long it is.
        assert (await embed(host, ["ω" * 5000])).shape == (1, WIDTH)


async def test_no_encoder_reads_beyond_its_positions(make_bert, state_dir):
    async with running(make_bert(context_length=64), state_dir, context_length=512) as host:
        assert host.info.context_length == 64


async def test_hundreds_of_inputs_keep_their_order(make_bert, state_dir):
    texts = [chr(97 + i % 26) * (1 + i % 7) for i in range(300)]
    async with running(make_bert(), state_dir) as host:
        vectors = await embed(host, texts)
        some = [0, 63, 64, 150, 299]
        assert vectors[some] == pytest.approx(
            await embed(host, [texts[i] for i in some]), abs=TOLERANCE
        )


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "mamba"])
async def test_a_model_that_writes_can_be_made_to_embed(tmp_path, state_dir, architecture):
    path = make_tiny_gguf(tmp_path / "m.gguf", architecture=architecture)
    async with running(path, state_dir) as host:
        together = await embed(host, TEXTS)
        alone = np.concatenate([await embed(host, [text]) for text in TEXTS])
    assert together == pytest.approx(alone, abs=TOLERANCE)
    assert np.abs(together[0] - together[1]).max() > 0.01


# Ranking


async def test_a_relevance_is_what_the_papers_formulae_make(make_bert, state_dir):
    path = make_bert(PoolingType.RANK)
    weights = {t.name: t.data for t in GGUFReader(path).tensors}
    tokens = [*tokens_of("abc"), *tokens_of("de")[1:]]  # [CLS] abc [SEP] de [SEP]
    head = np.tanh(weights["cls.weight"] @ encoded(path, tokens)[0])
    [logit] = weights["cls.output.weight"] @ head

    async with running(path, state_dir, task="rerank") as host:
        [[score]] = await embed(host, ["de"], query="abc")

    assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=TOLERANCE)


async def test_documents_have_a_relevance_from_0_to_1(make_bert, state_dir):
    async with running(make_bert(PoolingType.RANK), state_dir, task="rerank") as host:
        scores = await embed(host, TEXTS, query="a question")
        alone = [await embed(host, [text], query="a question") for text in TEXTS]
        others = await embed(host, TEXTS, query="something else")
        vectors = await host.embed(texts=["de"], query="abc")
        await vectors.read()

    assert scores.shape == (len(TEXTS), 1)
    assert scores == pytest.approx(np.concatenate(alone), abs=TOLERANCE)
    assert ((scores > 0) & (scores < 1)).all()
    assert np.abs(scores - others).max() > 1e-4
    assert vectors.prompt_tokens == len("abcde") + 3  # [CLS] abc [SEP] de [SEP]


@pytest.mark.parametrize(
    ("pooling", "task", "why"),
    [
        (PoolingType.MEAN, "rerank", "does not judge documents"),
        (PoolingType.RANK, "embed", "tells how relevant documents are"),
        (PoolingType.MEAN, "generate", "it is an encoder, and writes no text"),
    ],
)
async def test_a_task_that_a_file_is_not_for_is_a_clear_failure(
    make_bert, state_dir, pooling, task, why
):
    with pytest.raises(ModelLoadFailed, match=why):
        async with running(make_bert(pooling), state_dir, task=task):
            pass
