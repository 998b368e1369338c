"""Vectors on their way from an engine's process to whoever asked, on the fake backend."""

import asyncio

import pytest

from inference.engine.config import EngineConfig
from inference.engine.errors import EngineRestarting, InvalidParameter, QueueFull
from inference.engine.host import EngineHost

SLOW = {"fake_step_seconds": 0.05, "batch_tokens": 16}
DEADLINE = 10.0  # seconds; nothing here takes so long unless it fails


@pytest.fixture
async def start_host(quiet_loop):
    """Starts hosts in real processes, and leaves none behind."""
    hosts = []

    async def start(**options):
        config = EngineConfig(model_id="m", path="", backend="fake", task="embed", **options)
        host = EngineHost(config)
        await host.start(DEADLINE)
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        await host.kill()


async def test_vectors_come_in_order_and_the_end_is_told_once(start_host):
    host = await start_host()
    outcomes = []

    vectors = await host.embed(outcomes.append, texts=["a", "b", "a"])
    first, second, third = await vectors.read()

    assert vectors.prompt_tokens == 3
    assert first == third != second
    assert [outcome.reason for outcome in outcomes] == ["stop"]
    assert not host.is_busy


async def test_who_leaves_cancels(start_host):
    host = await start_host(**SLOW)
    outcomes = []
    vectors = await host.embed(outcomes.append, texts=["a b c d"] * 1000)

    reading = asyncio.create_task(vectors.read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait_for(host.wait_idle(), DEADLINE)

    assert [outcome.reason for outcome in outcomes] == ["cancelled"]


async def test_a_request_that_is_not_admitted_is_not_computed(start_host):
    host = await start_host()
    outcomes = []

    async def refuse(prompt_tokens, max_tokens):
        assert (prompt_tokens, max_tokens) == (2, 0)
        raise QueueFull("not today")

    with pytest.raises(QueueFull):
        await host.embed(outcomes.append, refuse, texts=["a b"])
    await asyncio.wait_for(host.wait_idle(), DEADLINE)

    assert outcomes == []


async def test_a_dead_engine_fails_who_waits(start_host):
    host = await start_host()
    vectors = await host.embed(texts=["crash"])
    with pytest.raises(EngineRestarting):
        await vectors.read()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"texts": ["half a character: \ud83d"]}, "input"),
        ({"tokens": [[2**70]]}, "input"),
        ({"texts": ["a"], "query": "\ud83d"}, "documents"),
    ],
)
async def test_what_cannot_travel_is_refused(start_host, fields, param):
    host = await start_host()
    with pytest.raises(InvalidParameter) as caught:
        await host.embed(**fields)
    assert caught.value.param == param
    assert not host.is_busy
