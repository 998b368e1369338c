"""A draft model changes how many steps an answer takes, and nothing of it."""

import asyncio

import pytest

from inference.engine import SamplingParams
from inference.engine.config import Draft
from inference.engine.errors import DecodeFailed
from inference.engine.llama.drafting import LlamaDrafter
from tests.engine.test_engine import Bench, counted
from tests.engine.test_llama import read, running
from tests.tiny_gguf import make_tiny_gguf

PROMPT = "a hello in the tale of eight "
FAKE = Draft(id="small", path="")
# With a cache of f16 the attention rounds as its cells lie, which guesses move.
EXACT = {"kv_cache_type": "bf16"}


def lengths(bench):
    """Tokens of each work once the prompts are computed."""
    return [len(work.tokens) for batch in bench.backend.batches[1:] for work in batch]


def drafting(**options):
    return Bench(draft=FAKE, **options)


# With the fake model


def test_what_is_drafted_right_takes_fewer_steps():
    plain, guessing = Bench(), drafting()
    prompt = counted(20)
    texts = []
    for bench in (plain, guessing):
        id = bench.submit(prompt)
        bench.finish()
        texts.append(bench.text(id))
        assert bench.is_empty()

    assert texts[0] == texts[1] == f"{prompt} "
    assert len(guessing.backend.batches) < len(plain.backend.batches) / 3
    assert max(lengths(guessing)) == 5


def test_what_is_drafted_wrong_leaves_nothing_behind():
    bench = drafting()
    prompt = f"{counted(3)} wrong b c wrong d e f hard g"
    id = bench.submit(prompt)

    bench.finish()

    assert bench.text(id) == f"{prompt} "
    assert bench.is_empty()


def test_it_ends_before_what_it_is_unsure_of():
    bench = drafting()
    bench.submit("a b c hard d e f g h")

    bench.finish()

    assert lengths(bench)[:2] == [3, 5]


def test_it_is_not_asked_for_more_than_the_answer_may_have():
    bench = drafting()
    id = bench.submit(counted(9), max_tokens=4)

    bench.finish()

    assert bench.tokens(id) == 4
    assert bench.backend.drafter.asked == [{id: 2}]


def test_one_that_is_always_wrong_is_asked_no_more():
    bench = drafting()
    bench.submit("wrong " * 40, ignore_eos=True, max_tokens=60)

    bench.finish()

    assert len(bench.backend.drafter.asked) == 8


def test_what_the_text_has_said_before_goes_first_once_it_is_known_to_repeat_itself():
    bench = drafting(speculation="on")
    bench.submit("a b c " * 8)

    bench.finish()

    assert len(bench.backend.drafter.asked) == 1


def test_where_the_text_tells_nothing_yet_the_model_is_asked():
    bench = drafting(speculation="on")
    id = bench.submit(counted(20))

    bench.finish()

    assert bench.backend.drafter.asked == [{id: 4}]
    assert lengths(bench)[:3] == [5, 3, 5], "then the text, for few at first"


def test_of_two_that_write_both_are_drafted_at_once():
    bench = drafting()
    ids = [bench.submit(counted(12, name)) for name in "ab"]

    bench.finish()

    assert bench.backend.drafter.asked[0] == dict.fromkeys(ids, 4)


def test_of_three_that_write_none_is():
    bench = drafting(max_sequences=3)
    for name in "abc":
        bench.submit(counted(9, name))
    bench.step(4)

    assert bench.backend.drafter.asked == []
    assert set(lengths(bench)) == {1}


@pytest.mark.parametrize("params", [{"num_logprobs": 0}, {"min_tokens": 9}])
def test_where_a_wrong_guess_would_matter_there_is_none(params):
    bench = drafting()
    bench.submit(counted(12), max_tokens=9, **params)
    bench.finish()

    assert bench.backend.drafter.asked == []


def test_one_that_is_cancelled_amid_its_drafts_leaves_nothing():
    bench = drafting()
    id = bench.submit(counted(30))
    bench.step(3)
    bench.engine.cancel(id)

    bench.finish()

    assert bench.is_empty()


def test_one_that_gives_its_cells_back_writes_the_same():
    bench = drafting(cache_tokens=44, context_length=44)
    prompts = [counted(12, name) for name in "ab"]
    ids = [bench.submit(prompt, ignore_eos=True, max_tokens=24) for prompt in prompts]
    alone = []
    for prompt in prompts:
        other = Bench()
        alone.append(other.submit(prompt, ignore_eos=True, max_tokens=24))
        other.finish()
        alone[-1] = other.text(alone[-1])

    bench.finish()

    assert [bench.text(id) for id in ids] == alone
    assert len(bench.backend.begun) > 2  # somebody had to come back
    assert bench.is_empty()


# With llama.cpp


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def tiny(folder):
    return make_tiny_gguf(folder / "tiny.gguf", context_length=1024)


@pytest.fixture(scope="module")
def smaller(folder):
    return make_tiny_gguf(folder / "smaller.gguf", context_length=1024, layers=1, seed=7)


def draft_of(path, **fields):
    """Random models are sure of nothing."""
    return Draft(id="small", path=str(path), **{"min_probability": 0.0, **fields})


async def answers(path, state_dir, prompts, *, num_tokens=60, params=None, **options):
    """The texts, and of each answer how many tokens were drafted and accepted."""
    async with running(path, state_dir, **EXACT, **options) as host:
        fields = {"temperature": 0.0, "ignore_eos": True, **(params or {})}
        asked = SamplingParams(max_tokens=num_tokens, **fields)
        streams = [await host.submit(params=asked, text=prompt) for prompt in prompts]
        texts = await asyncio.gather(*map(read, streams))
        usages = [stream.finish.usage for stream in streams]
        return texts, [(usage.drafted_tokens, usage.accepted_tokens) for usage in usages]


@pytest.mark.parametrize("speculation", ["auto", "on"])
@pytest.mark.parametrize(
    "params", [{}, {"repeat_penalty": 1.3, "repeat_last_n": 64}, {"temperature": 0.9, "seed": 4}]
)
async def test_a_real_model_writes_the_same(params, speculation, tiny, smaller, state_dir):
    prompts = [f"{PROMPT}{name}" for name in ("and", "of")]
    plain, _ = await answers(tiny, state_dir, prompts, params=params)
    for path in (smaller, tiny):
        options = {"draft": draft_of(path), "speculation": speculation}
        texts, drafted = await answers(tiny, state_dir, prompts, params=params, **options)
        assert texts == plain
        assert all(num_drafted > 0 for num_drafted, _ in drafted)


async def test_a_model_that_drafts_for_itself_is_always_right(tiny, state_dir):
    options = {"draft": draft_of(tiny), "num_tokens": 61}
    _, [(drafted, accepted)] = await answers(tiny, state_dir, [PROMPT], **options)

    assert drafted == accepted >= 50


async def test_one_that_is_unsure_drafts_nothing(tiny, smaller, state_dir):
    draft = draft_of(smaller, min_probability=0.75)
    _, drafted = await answers(tiny, state_dir, [PROMPT], draft=draft)

    assert drafted == [(0, 0)]


async def test_a_text_that_is_too_long_for_a_step_is_caught_up_with(tiny, state_dir):
    options = {"draft": draft_of(tiny), "batch_tokens": 32}
    prompts = [PROMPT * 4 + "and"]
    plain, _ = await answers(tiny, state_dir, prompts)
    texts, [(drafted, accepted)] = await answers(tiny, state_dir, prompts, **options)

    assert texts == plain
    assert drafted == accepted > 0


async def test_a_text_beyond_the_draft_models_context_goes_on_without(tiny, folder, state_dir):
    short = make_tiny_gguf(folder / "short.gguf", context_length=64)
    plain, _ = await answers(tiny, state_dir, [PROMPT])
    texts, [(drafted, _)] = await answers(tiny, state_dir, [PROMPT], draft=draft_of(short))

    assert texts == plain
    assert 0 < drafted < 64


@pytest.mark.parametrize("most", [2, 3])
async def test_many_that_come_and_go_write_the_same(most, tiny, smaller, state_dir):
    prompts = [f"{PROMPT * count}{count}" for count in range(1, 7)]
    plain, _ = await answers(tiny, state_dir, prompts, max_sequences=most)
    options = {"draft": draft_of(smaller), "max_sequences": most}

    assert (await answers(tiny, state_dir, prompts, **options))[0] == plain


async def test_those_that_give_their_cells_back_write_the_same(tiny, smaller, state_dir):
    prompts = [f"{PROMPT}{name}" for name in ("and", "of")]
    plain, _ = await answers(tiny, state_dir, prompts, num_tokens=150)
    room = {"cache_tokens": 256, "context_length": 256}  # for one and a half
    for path in (smaller, tiny):
        options = {"draft": draft_of(path), "num_tokens": 150, **room}
        texts, drafted = await answers(tiny, state_dir, prompts, **options)
        assert texts == plain
        assert all(num_drafted > 0 for num_drafted, _ in drafted)


async def test_a_conversation_goes_on_from_what_was_drafted(tiny, state_dir):
    async def turns(**options):
        async with running(tiny, state_dir, **EXACT, **options) as host:
            prompt, texts = PROMPT, []
            for turn in (" and ", " so "):
                params = SamplingParams(max_tokens=40, temperature=0.0, ignore_eos=True)
                stream = await host.submit(params=params, text=prompt + turn)
                texts.append(await read(stream))
                prompt += turn + texts[-1]
            return texts, stream.finish.usage.cached_tokens

    assert await turns(draft=draft_of(tiny)) == await turns()


async def test_one_that_is_cancelled_makes_room_for_the_next(tiny, state_dir):
    async with running(tiny, state_dir, draft=draft_of(tiny), max_sequences=1) as host:
        params = SamplingParams(max_tokens=60, temperature=0.0, ignore_eos=True)
        for _ in range(4):
            stream = await host.submit(params=params, text=PROMPT)
            await anext(aiter(stream))
            stream.cancel()
        stream = await host.submit(params=params, text=PROMPT)
        await read(stream)

    assert stream.finish.usage.drafted_tokens == stream.finish.usage.accepted_tokens > 0


# One that cannot be used


def test_one_that_fails_is_not_asked_again(caplog):
    class Failing(LlamaDrafter):
        _is_broken = False

        def __init__(self):
            self.num_asked = 0

        def _draft(self, wanted):
            self.num_asked += 1
            raise DecodeFailed("the draft model could not compute")

    drafter = Failing()

    assert [drafter.draft({}), drafter.draft({})] == [{}, {}]
    assert drafter.num_asked == 1
    assert "nothing is drafted any more" in caplog.text


@pytest.fixture
def missing(folder):
    return folder / "missing.gguf"


@pytest.fixture
def foreign(folder, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr("tests.tiny_gguf.SPECIAL", ["<|endoftext|>", "<|im_start|>", "<|over|>"])
        return make_tiny_gguf(folder / "foreign.gguf")


@pytest.fixture
def uncut(folder):
    return make_tiny_gguf(folder / "uncut.gguf", architecture="mamba")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing", "missing.gguf: there is no such file"),
        ("foreign", "foreign.gguf has another vocabulary: its token 2 is '<|over|>', not '<|im_en"),
        ("uncut", "uncut.gguf cannot take back tokens that were wrong"),
    ],
)
async def test_without_a_fitting_one_the_model_serves_and_says_why(
    name, why, tiny, state_dir, request
):
    draft = draft_of(request.getfixturevalue(name))
    async with running(tiny, state_dir, draft=draft) as host:
        problem = host.info.draft_problem
        stream = await host.submit(params=SamplingParams(max_tokens=4), text=PROMPT)
        await read(stream)

    assert "the draft model small is not used: " in problem
    assert why in problem
    assert stream.finish.usage.drafted_tokens == 0


@pytest.mark.parametrize("architecture", ["mamba", "gemma3"])
async def test_a_model_whose_cache_cannot_be_cut_has_none(architecture, folder, tiny, state_dir):
    path = make_tiny_gguf(folder / f"{architecture}.gguf", architecture=architecture)
    plain, _ = await answers(path, state_dir, [PROMPT])
    async with running(path, state_dir, draft=draft_of(tiny)) as host:
        assert "m cannot take back tokens that were wrong" in host.info.draft_problem
    texts, drafted = await answers(path, state_dir, [PROMPT], draft=draft_of(tiny))

    assert (texts, drafted) == (plain, [(0, 0)])


async def test_where_nothing_is_to_be_guessed_it_is_not_loaded(tiny, smaller, state_dir):
    async def loaded(**options):
        async with running(tiny, state_dir, **options) as host:
            return host.info.memory_bytes, host.info.draft_problem

    plain, _ = await loaded()
    draft = draft_of(smaller)
    assert await loaded(draft=draft, speculation="off") == (plain, "")
    memory, problem = await loaded(draft=draft)
    assert memory > plain + smaller.stat().st_size / 2
    assert problem == ""
