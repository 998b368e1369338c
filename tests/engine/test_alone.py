"""Requests that bring the same tokens whenever they are made: computed alone, from nothing."""

import asyncio

import pytest

from inference.engine import SamplingParams
from tests.engine.simulation import Simulation
from tests.engine.test_llama import running
from tests.tiny_gguf import make_tiny_gguf

PROMPT = "the hello of a tale " * 12  # more than one chunk of 64 tokens


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=1024)


# The turn


def ids(sequences):
    return [sequence.id for sequence in sequences]


def test_it_waits_for_the_others_and_keeps_those_behind_it_out():
    simulation = Simulation(100, max_sequences=4)
    simulation.arrive([1, 2], 2)
    simulation.step()
    simulation.arrive([3, 4], 2, is_alone=True)
    simulation.arrive([5, 6], 2)

    companies = []
    while not simulation.scheduler.is_idle:
        companies.append(ids(work.sequence for work in simulation.step()))

    assert companies == [[1], [2], [2], [3], [3]]


def test_its_prompt_is_always_cut_in_the_same_places():
    simulation = Simulation(100, batch_tokens=8, prefill_chunk_tokens=4)
    simulation.arrive([1, 2], 3)
    simulation.step()
    simulation.arrive([*range(20)], 1, is_alone=True)
    simulation.arrive([1, 2], 3)

    sizes = []
    while not simulation.scheduler.is_idle:
        sizes += [len(w.tokens) for w in simulation.step() if w.sequence.is_alone]

    assert sizes == [8, 8, 4]


def test_several_to_one_prompt_share_nothing():
    simulation = Simulation(100)
    for _ in range(2):
        simulation.arrive([1, 2, 3], 2, group=1, is_alone=True)

    assert [len(work.tokens) for work in simulation.step()] == [3]
    simulation.run()
    assert [s.num_cached for s in simulation.finished] == [0, 0]


# With a model


async def traced(host, prompt=PROMPT, **params):
    params = SamplingParams(max_tokens=30, ignore_eos=True, **params)
    stream = await host.submit(text=prompt, params=params, is_alone=True)
    text = "".join([piece.text async for piece in stream])
    return stream.finish.trace, text


async def noise(host, number):
    """Others, for as long as nobody stops them."""
    while True:
        params = SamplingParams(max_tokens=20, ignore_eos=True)
        stream = await host.submit(text=f"{'and a ' * (7 * number)} {number}", params=params)
        async for _ in stream:
            pass


async def test_it_writes_the_same_whoever_asks_beside_it(tiny, state_dir):
    params = {"temperature": 1.0, "seed": 11}
    async with running(tiny, state_dir, batch_tokens=64) as host:
        quiet, text = await traced(host, **params)
        others = [asyncio.create_task(noise(host, number)) for number in range(1, 5)]
        busy = [await traced(host, **params) for _ in range(3)]
        for other in others:
            other.cancel()

        assert busy == [(quiet, text)] * 3
        assert len(quiet.output) == 30
        assert (await traced(host, temperature=1.0, seed=12))[0].output != quiet.output


async def test_another_engine_with_its_options_writes_the_same(tiny, state_dir):
    params = {"temperature": 1.0, "seed": 11}
    async with running(tiny, state_dir, max_sequences=3) as host:
        stream = await host.submit(text=PROMPT, params=SamplingParams(max_tokens=1))
        options = stream.setup.options()
        first = await traced(host, **params)
    assert 0 not in (options["batch_tokens"], options["cache_tokens"], options["threads"])

    async with running(tiny, state_dir, **options) as host:
        assert await traced(host, **params) == first


async def test_others_tell_no_tokens(tiny, state_dir):
    async with running(tiny, state_dir) as host:
        stream = await host.submit(text="a", params=SamplingParams(max_tokens=3))
        assert [piece async for piece in stream]
        assert stream.finish.trace is None
