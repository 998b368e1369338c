"""What a model thinks of a prompt's own tokens."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine import SamplingParams
from inference.engine.request import FinishReason
from inference.engine.scheduler import MOST_SCORED
from inference.engine.scores import offsets
from tests.engine.simulation import Simulation
from tests.engine.slots import tell
from tests.engine.test_llama import GREEDY, running
from tests.tiny_gguf import make_tiny_gguf

PROMPT = "the hello of a tale " * 3
ROUNDING = 0.02  # of other batches, and of a cache of 16 bits
LONG = [*range(40, 200), *range(60, 160)]


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=512)


# Where they stand


@given(st.text("abé🙂", max_size=24), st.lists(st.integers(0, 200), max_size=12))
def test_offsets_count_the_characters_of_the_tokens_before(text, places):
    data = text.encode()
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    pieces = [data[a:b] for a, b in pairwise(bounds)]

    before = [data[:start].decode(errors="ignore") for start in bounds[:-1]]
    assert [*offsets(pieces, pieces, text)] == [len(text) for text in before]


def test_a_token_that_opens_every_prompt_takes_no_place():
    names = [b"<s>", b" a", b" b"]
    assert [*offsets(names, [b"", *names[1:]], "a b")] == [0, 0, 1]


def test_a_control_token_that_was_given_by_name_takes_its_place():
    names = [b"<s>", b"<|x|>", b"a", b"<|x|>", b"b"]
    assert [*offsets(names, [b"", b"", b"a", b"", b"b"], "<|x|>a<|x|>b")] == [0, 0, 5, 6, 11]


def test_no_place_is_beyond_the_end():
    assert [*offsets([b"ab", b"cd", b"e"], [b"ab", b"cd", b"e"], "abc")] == [0, 2, 3]


# The turn


def test_so_many_rows_are_judged_in_a_step_and_no_more():
    simulation = Simulation(1000, batch_tokens=512)
    for start in (0, 500):
        simulation.arrive([*range(start, start + 200)], 1, scores=True)
    simulation.arrive([*range(800, 950)], 1)

    [*works] = simulation.step()

    assert [len(work.tokens) for work in works if work.sequence.request.scores] == [MOST_SCORED]
    assert [len(work.tokens) for work in works if not work.sequence.request.scores] == [150]


def test_nothing_of_a_judged_prompt_is_found_or_kept():
    simulation = Simulation(1000)
    for _ in range(3):
        simulation.arrive([*range(100)], 2, scores=True, group=1)
    simulation.run()
    simulation.arrive([*range(100)], 2)
    simulation.run()

    assert [sequence.num_cached for sequence in simulation.finished] == [0] * 4


# With a model


@pytest.mark.parametrize("sampling", ["host", "attached"])
def test_scores_are_those_of_the_softmax_over_all_tokens(tiny, state_dir, sampling):
    told, same, anew = tell(tiny, state_dir, "judged", sampling=sampling)

    assert len(told) == len(same) == len(anew) == 99
    for (logprob, top), (its, its_top), (another, _) in zip(told, same, anew, strict=True):
        assert logprob == pytest.approx(its, abs=1e-9)
        assert [token for token, _ in top] == [token for token, _ in its_top]
        assert [value for _, value in top] == pytest.approx([v for _, v in its_top], abs=1e-9)
        assert logprob == pytest.approx(another, abs=ROUNDING)


async def judged(host, prompt, *, only_reads=True, max_tokens=1, **fields):
    fields = {"text" if isinstance(prompt, str) else "tokens": prompt, **fields}
    params = SamplingParams(max_tokens=max_tokens, num_logprobs=3, **GREEDY)
    fields |= {"params": params, "echo": True, "scores": True, "only_reads": only_reads}
    stream = await host.submit(**fields)
    pieces = [piece async for piece in stream]
    scores = [score for piece in pieces for score in piece.scores or ()]
    return "".join(piece.text for piece in pieces), scores, stream.finish, pieces


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "mamba"])
async def test_a_prompts_scores_are_an_answers_that_says_the_same(
    architecture, tmp_path, state_dir
):
    path = make_tiny_gguf(tmp_path / "m.gguf", architecture=architecture, context_length=512)
    async with running(path, state_dir) as host:
        params = SamplingParams(max_tokens=30, num_logprobs=3, **GREEDY)
        stream = await host.submit(params=params, tokens=LONG[:50], use_cache=False, is_alone=True)
        said = [token async for piece in stream for token in piece.logprobs or ()]
        trace = stream.finish.trace

        _, scores, _, _ = await judged(host, [*trace.prompt, *trace.output])

    assert len(scores) == 80
    assert [score.text for score in scores[50:]] == [token.text for token in said]
    told = [score.logprob for score in scores[50:]]
    assert told == pytest.approx([token.logprob for token in said], abs=ROUNDING)


async def test_a_prompt_of_several_chunks_is_judged_whole_and_never_from_the_cache(tiny, state_dir):
    async with running(tiny, state_dir) as host:
        stream = await host.submit(params=SamplingParams(max_tokens=1, **GREEDY), tokens=LONG)
        assert [piece async for piece in stream]

        text, scores, finish, _ = await judged(host, LONG)

        assert len(scores) == len(LONG) == 260
        assert scores[0].logprob is None
        assert all(score.logprob < 0 for score in scores[1:])
        assert finish.usage.cached_tokens == 0
        assert (finish.usage.completion_tokens, finish.reason) == (0, FinishReason.LENGTH)
        assert text == b"".join(score.text for score in scores).decode(errors="replace")


async def test_the_answer_goes_on_after_the_prompts_scores(tiny, state_dir):
    async with running(tiny, state_dir) as host:
        text, scores, finish, pieces = await judged(host, PROMPT, only_reads=False, max_tokens=8)

        logprobs = [token for piece in pieces for token in piece.logprobs or ()]
        assert text.startswith(PROMPT)
        assert b"".join(score.text for score in scores).decode() == PROMPT
        assert [PROMPT[s.offset :].startswith(s.text.decode()) for s in scores] == [True] * len(
            scores
        )
        assert len(logprobs) == finish.usage.completion_tokens == 8
        assert logprobs[0].offset == len(PROMPT)


async def test_one_that_lost_its_place_is_judged_once(tiny, state_dir):
    async with running(tiny, state_dir) as host:
        _, alone, _, _ = await judged(host, LONG, only_reads=False, max_tokens=60)
    async with running(tiny, state_dir, context_length=320, cache_tokens=600) as small:
        asked = [judged(small, LONG, only_reads=False, max_tokens=60) for _ in range(2)]
        told = await asyncio.gather(*asked)
    for _, scores, _, _ in told:
        assert len(scores) == len(alone)
        expected = [score.logprob for score in alone[1:]]
        assert [score.logprob for score in scores[1:]] == pytest.approx(expected, abs=ROUNDING)
