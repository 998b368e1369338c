"""LoRA adapters beside their model: chosen by the request, and never mixed."""

import asyncio

import pytest

from inference.engine import ModelLoadFailed, SamplingParams
from inference.engine.config import Adapter
from tests.engine.simulation import Simulation
from tests.engine.test_llama import running
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_lora import make_tiny_lora

PROMPT = "the hello of a tale " * 3
NAMES = ["", "one", "two"]


def lanes_of(simulation):
    """The adapters of each step's works, until nothing is left."""
    steps = []
    while not simulation.scheduler.is_idle:
        steps.append({work.sequence.request.adapter for work in simulation.step()})
    return steps


# The turns


def test_a_step_is_of_one_adapter_and_each_has_its_turn():
    simulation = Simulation(100)
    for adapter in ("", "one", "", "two"):
        simulation.arrive([1, 2], 3, adapter=adapter)

    assert lanes_of(simulation) == [{""}, {"one"}, {"two"}] * 3


def test_where_there_is_one_every_step_is_its_own():
    simulation = Simulation(100)
    simulation.arrive([1, 2], 3, adapter="one")
    assert lanes_of(simulation) == [{"one"}] * 3


def test_a_newcomer_has_the_next_turn():
    simulation = Simulation(100)
    for adapter in ("", "one"):
        simulation.arrive([1, 2], 9, adapter=adapter)
    steps = [simulation.step() for _ in range(3)]
    simulation.arrive([1, 2], 9, adapter="two")

    steps += [simulation.step() for _ in range(4)]
    lanes = [works[0].sequence.request.adapter for works in steps]
    assert lanes == ["", "one", "", "two", "one", "", "two"]


def test_those_of_one_prompt_and_different_adapters_share_no_cell():
    simulation = Simulation(100)
    for adapter in ("one", "two", "one"):
        simulation.arrive([1, 2, 3], 2, group=1, adapter=adapter)
    one, two, again = simulation.scheduler.sequences()

    simulation.run()

    assert (one.num_cached, two.num_cached, again.num_cached) == (0, 0, 2)


# With a model


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model, and two adapters that the engine is to know."""
    folder = tmp_path_factory.mktemp("models")
    made = [make_tiny_lora(folder / f"{n}.gguf", seed=n) for n in (1, 2)]
    adapters = [Adapter(id=id, path=str(path)) for id, path in zip(NAMES[1:], made, strict=True)]
    return make_tiny_gguf(folder / "base.gguf", context_length=512), tuple(adapters)


async def text(host, adapter, prompt=PROMPT, **fields):
    params = SamplingParams(temperature=0, ignore_eos=True, max_tokens=24)
    stream = await host.submit(text=prompt, params=params, adapter=adapter, **fields)
    return "".join([piece.text async for piece in stream])


async def test_each_writes_in_company_what_it_writes_alone(files, state_dir):
    base, adapters = files
    async with running(base, state_dir) as host:
        bare = await text(host, "")
    async with running(base, state_dir, adapters=adapters) as host:
        alone = [await text(host, name) for name in NAMES]
        together = await asyncio.gather(*(text(host, name) for name in NAMES))

    assert alone[0] == bare  # the adapters that are there change nothing
    assert len({*alone}) == 3
    # One of each: two in a step are rounded otherwise than one, and these models are noise.
    assert together == alone


async def test_those_of_one_group_do_not_get_each_others_cells(files, state_dir):
    base, adapters = files
    async with running(base, state_dir, adapters=adapters) as host:
        alone = {name: await text(host, name) for name in NAMES}
        names = ["", "one", "two", "two", ""]
        grouped = await asyncio.gather(*(text(host, name, group=5) for name in names))
    assert grouped == [alone[name] for name in names]


async def test_one_that_is_alone_has_its_adapter_too(files, state_dir):
    base, adapters = files
    async with running(base, state_dir, adapters=adapters) as host:
        one = await text(host, "one")
        assert await text(host, "one", is_alone=True) == one


async def test_the_scale_says_how_much_of_it_is_added(files, state_dir):
    base, adapters = files
    scaled = [Adapter(id=f"{s}", path=adapters[0].path, scale=s) for s in (0.0, 0.5, 1.0)]
    async with running(base, state_dir, adapters=tuple(scaled)) as host:
        none, half, whole = [await text(host, adapter.id) for adapter in scaled]
        assert none == await text(host, "")
    assert len({none, half, whole}) == 3


@pytest.mark.parametrize("kind", ["other width", "other architecture", "no adapter", "no file"])
async def test_one_that_does_not_fit_is_refused_and_the_model_serves_on(
    kind, files, state_dir, tmp_path
):
    base, adapters = files
    path = tmp_path / "bad.gguf"
    match kind:
        case "other width":
            make_tiny_lora(path, width=128)
        case "other architecture":
            make_tiny_lora(path, architecture="gemma3")
        case "no adapter":
            make_tiny_gguf(path)
    bad = Adapter(id="bad", path=str(path))
    async with running(base, state_dir, adapters=(bad, *adapters)) as host:
        with pytest.raises(ModelLoadFailed, match=r"bad: the adapter .*bad.gguf does not fit m: ."):
            await text(host, "bad")
        assert await text(host, "one") != await text(host, "")


async def test_one_that_the_engine_does_not_know_is_refused(files, state_dir):
    async with running(files[0], state_dir) as host:
        with pytest.raises(ModelLoadFailed, match="one: the engine has no such adapter"):
            await text(host, "one")
