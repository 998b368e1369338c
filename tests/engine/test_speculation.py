"""Guessing what comes next changes how many steps an answer takes, and nothing of it."""

import asyncio

import pytest

from inference.engine import SamplingParams
from tests.engine.test_engine import Bench, counted
from tests.engine.test_llama import read, running
from tests.tiny_gguf import make_tiny_gguf

REPEATED = "the other in the hello " * 12


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=1024)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


def lengths(bench):
    return [len(work.tokens) for batch in bench.backend.batches for work in batch]


def test_what_is_guessed_right_takes_fewer_steps():
    prompt = "a b c d e " * 6
    plain, guessing = Bench(), Bench(speculation="on")
    texts = []
    for bench in (plain, guessing):
        id = bench.submit(prompt, max_tokens=25)
        bench.finish()
        texts.append(bench.text(id))
        assert bench.tokens(id) == 25
        assert bench.is_empty()

    assert texts[0] == texts[1]
    assert len(guessing.backend.batches) < len(plain.backend.batches) / 2
    assert max(lengths(guessing)[1:]) == 5


def test_what_is_guessed_wrong_leaves_nothing_behind():
    bench = Bench(speculation="on")
    prompt = "a b a c a b a d a b a e"
    id = bench.submit(prompt)

    bench.finish()

    assert bench.text(id) == f"{prompt} "
    assert bench.is_empty()


def test_guesses_have_no_more_room_than_a_step_has():
    bench = Bench(speculation="on", batch_tokens=5, max_sequences=2)
    ids = [bench.submit("a b c d " * 6, max_tokens=20) for _ in range(2)]

    bench.finish()

    assert [bench.tokens(id) for id in ids] == [20, 20]
    sizes = [sum(len(work.tokens) for work in batch) for batch in bench.backend.batches]
    assert max(sizes) <= 5
    assert any(work.num_drafted for batch in bench.backend.batches for work in batch)


def test_an_answer_ends_where_it_has_to_however_much_was_guessed():
    bench = Bench(speculation="on")
    prompt = "a b c " * 8
    limited = bench.submit(prompt, max_tokens=7)
    stopped = bench.submit(prompt, stop=("b c a b",))

    bench.finish()

    assert bench.tokens(limited) == 7
    assert bench.text(stopped) == "a "


def test_many_together_do_not_guess():
    bench = Bench(speculation="on", max_sequences=8)
    for name in "abcdefgh":
        bench.submit(counted(2, name) * 6, max_tokens=12)
    bench.step()
    bench.step(3)

    assert {len(w.tokens) for w in bench.backend.batches[-1]} == {1}


@pytest.mark.parametrize("params", [{}, {"repeat_penalty": 1.3, "repeat_last_n": 64}])
async def test_a_real_model_writes_the_same(params, tiny, state_dir):
    async def texts(speculation):
        async with running(tiny, state_dir, speculation=speculation) as host:
            fields = SamplingParams(max_tokens=80, temperature=0.0, ignore_eos=True, **params)
            prompts = [f"{REPEATED}{name}" for name in ("and", "of", "in")]
            streams = [await host.submit(params=fields, text=prompt) for prompt in prompts]
            return await asyncio.gather(*map(read, streams))

    assert await texts("on") == await texts("off")


async def test_guesses_and_attached_samplers_leave_each_other_alone(tiny, state_dir):
    async def texts(**options):
        async with running(tiny, state_dir, max_sequences=8, **options) as host:
            params = SamplingParams(max_tokens=30, temperature=0.0, ignore_eos=True)
            prompts = [f"{REPEATED}{name}" for name in ("and", "of", "in", "an", "a", "on")]
            streams = [await host.submit(params=params, text=prompt) for prompt in prompts]
            together = await asyncio.gather(*map(read, streams))
            alone = await read(await host.submit(params=params, text=prompts[0]))
            return together, alone

    assert await texts(speculation="on", sampling="attached") == await texts(speculation="off")


async def test_a_conversation_goes_on_from_what_was_guessed(tiny, state_dir):
    async def turns(speculation):
        async with running(tiny, state_dir, speculation=speculation) as host:
            prompt, texts = REPEATED, []
            for turn in (" and ", " so "):
                params = SamplingParams(max_tokens=40, temperature=0.0, ignore_eos=True)
                stream = await host.submit(params=params, text=prompt + turn)
                texts.append(await read(stream))
                prompt += turn + texts[-1]
            return texts, stream.finish.usage.cached_tokens

    texts, cached = await turns("on")
    assert texts == (await turns("off"))[0]
    assert cached > 80


async def test_guesses_have_the_cells_of_what_is_idle(tiny, state_dir):
    """They are free by the books before they are in llama.cpp."""

    async def texts(**options):
        async with running(tiny, state_dir, **options) as host:
            params = SamplingParams(max_tokens=100, temperature=0.0, ignore_eos=True)
            prompts = [f"{name}{REPEATED[:72]}" for name in "abcdef"]
            return [await read(await host.submit(params=params, text=p)) for p in prompts]

    room = {"cache_tokens": 256, "context_length": 256, "kv_cache_type": "bf16"}
    assert await texts(speculation="on", **room) == await texts(speculation="off", **room)
