"""Conversations that had to leave the KV cache, with a real model in its process."""

import asyncio

import pytest

from inference.engine import SamplingParams, forget_snapshots
from inference.engine.config import Adapter
from tests.engine.test_engine import Bench
from tests.engine.test_llama import GREEDY, conversation, read, running
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_lora import make_tiny_lora

SNAPSHOTS = {"snapshot_memory_bytes": 2**24, "snapshot_disk_bytes": 2**26, "sha256": "a" * 64}
LONG = "once upon a time there was " * 12


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=1024)


@pytest.fixture
def state_dir(tmp_path):
    return tmp_path


async def ask(host, prompt, owner="alice", **fields):
    params = SamplingParams(max_tokens=12, **GREEDY)
    stream = await host.submit(params=params, text=prompt, owner=owner, **fields)
    return await read(stream), stream.finish.usage.cached_tokens


async def test_a_conversation_goes_on_after_a_restart(tiny, state_dir):
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        first, _ = await ask(host, LONG)
        undisturbed = await ask(host, f"{LONG}{first} and on")
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        others = await ask(host, f"{LONG}{first} and on", owner="bob")
        again = await ask(host, f"{LONG}{first} and on")
    assert again[0] == undisturbed[0]
    assert again[1] >= undisturbed[1] > 100
    assert others == (undisturbed[0], 0), "nobody gets another's"


async def test_another_model_has_no_use_for_them(tiny, state_dir):
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        await ask(host, LONG)
    async with running(tiny, state_dir, **SNAPSHOTS | {"sha256": "b" * 64}) as host:
        assert (await ask(host, LONG))[1] == 0


async def test_without_a_disk_they_are_gone_with_the_model(tiny, state_dir):
    options = SNAPSHOTS | {"snapshot_disk_bytes": 0}
    async with running(tiny, state_dir, **options) as host:
        await ask(host, LONG)
    async with running(tiny, state_dir, **options) as host:
        assert (await ask(host, LONG))[1] == 0
    assert not (state_dir / "kv").exists()


@pytest.mark.parametrize("damage", [b"", b"rubbish"])
async def test_what_is_damaged_is_computed_again(damage, tiny, state_dir):
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        text, _ = await ask(host, LONG)
    files = [path for path in (state_dir / "kv").rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:-20] + damage)
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        assert await ask(host, LONG) == (text, 0)


async def test_what_others_have_pushed_out_comes_back_from_memory(tiny, state_dir):
    small = {"cache_tokens": 1024, "max_sequences": 4}
    async with running(tiny, state_dir, **small) as host:
        anew, _ = zip(*[await conversation(host, owner) for owner in "xy"], strict=True)
    async with running(tiny, state_dir, **small, **SNAPSHOTS) as host:
        prompts = [f"{LONG} of {owner}" for owner in "abcdef"]
        first = [await ask(host, prompt, prompt[-1]) for prompt in prompts]
        second = [await ask(host, prompt, prompt[-1]) for prompt in prompts]
        together = await asyncio.gather(*(ask(host, p, p[-1]) for p in prompts))
        later, _ = zip(*[await conversation(host, owner) for owner in "xy"], strict=True)
    assert later == anew
    assert [text for text, _ in second] == [text for text, _ in first]
    assert [text for text, _ in together] == [text for text, _ in first]
    assert all(cached > 100 for _, cached in second)


async def test_what_one_adapter_computed_is_nothing_to_the_others(tiny, state_dir, tmp_path):
    """In the cache, and in snapshots after a restart."""
    lora = make_tiny_lora(tmp_path / "lora.gguf", seed=1)
    options = SNAPSHOTS | {"adapters": (Adapter(id="lora", path=str(lora)),)}
    async with running(tiny, state_dir, **options) as host:
        bare, with_it = [await ask(host, LONG, adapter=name) for name in ("", "lora")]
        again = [await ask(host, LONG, adapter=name) for name in ("", "lora")]
    assert bare[0] != with_it[0]
    assert (bare[1], with_it[1]) == (0, 0)
    assert [text for text, _ in again] == [bare[0], with_it[0]]
    assert all(cached > 100 for _, cached in again)
    async with running(tiny, state_dir, **options) as host:
        later = [await ask(host, LONG, adapter=name) for name in ("lora", "")]
    assert [text for text, _ in later] == [with_it[0], bare[0]]
    assert all(cached > 100 for _, cached in later)


@pytest.mark.parametrize("first", ["", "lora"])
async def test_who_was_first_leaves_nothing_for_who_computes_otherwise(
    first, tiny, state_dir, tmp_path
):
    lora = make_tiny_lora(tmp_path / "lora.gguf", seed=1)
    options = SNAPSHOTS | {"adapters": (Adapter(id="lora", path=str(lora)),)}
    async with running(tiny, state_dir, **options) as host:
        await ask(host, LONG, adapter=first)
    async with running(tiny, state_dir, **options) as host:
        assert (await ask(host, LONG, adapter="lora" if not first else ""))[1] == 0


async def test_what_is_not_to_be_cached_is_in_no_snapshot(tiny, state_dir):
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        await ask(host, LONG, use_cache=False)
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        assert (await ask(host, LONG))[1] == 0
        assert (await ask(host, LONG, use_cache=False))[1] == 0


async def test_who_is_forgotten_finds_nothing_after_a_restart(tiny, state_dir):
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        for owner in ("alice", "bob"):
            await ask(host, LONG, owner)
        forget_snapshots(state_dir / "kv", "alice")  # while it is in the cache alone
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        assert (await ask(host, LONG, "alice"))[1] == 0
        assert (await ask(host, LONG, "bob"))[1] > 100


async def test_who_is_forgotten_before_anything_was_saved_is_not_saved_at_the_end(tiny, state_dir):
    async with running(tiny, state_dir, **SNAPSHOTS) as host:
        await ask(host, LONG, "alice")
        forget_snapshots(state_dir / "kv", "alice")

    assert not list((state_dir / "kv").rglob("*.kv"))


@pytest.mark.parametrize(
    "kept",
    [
        {"snapshot_memory_bytes": 2**20, "snapshot_disk_bytes": 2**20},
        {"snapshot_memory_bytes": 2**20, "snapshot_disk_bytes": 0},
        {"snapshot_memory_bytes": 0},
    ],
    ids=["on disk", "in memory", "nowhere"],
)
def test_who_is_forgotten_has_no_idle_cells_once_the_engine_has_looked(tmp_path, kept):
    bench = Bench(sha256="a" * 64, state_dir=str(tmp_path), **kept)
    bench.submit("a " * 100)
    bench.finish()
    cache = bench.engine.scheduler.cache
    assert cache.num_idle > 50
    forget_snapshots(tmp_path / "kv", "")

    bench.engine.tidy()
    bench.step()

    assert cache.num_used == 0
    assert bench.is_empty()
