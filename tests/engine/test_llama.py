"""llama.cpp for real, in its child process: tiny random models, and the default one."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from inference.engine import (
    ContextPolicy,
    EngineConfig,
    FinishReason,
    InvalidParameter,
    ModelLoadFailed,
    OutOfMemory,
    PromptTooLong,
    SamplingParams,
    Unsupported,
)
from inference.engine.host import EngineHost
from inference.engine.wire import Detokenize, Tokenize
from tests.tiny_gguf import END_OF_TEXT, IM_END, make_tiny_gguf, vocabulary

GREEDY = {"temperature": 0.0, "ignore_eos": True}
PROMPTS = ["a tale", "of eight", "prompts", "that share", "a batch", "of tokens", "and end", "well"]


@asynccontextmanager
async def running(path, state_dir, **options: Any) -> AsyncIterator[EngineHost]:
    # One thread: two that wait for each other on a busy machine take ten times as long.
    options = {"model_id": "m", "threads": 1, **options}
    config = EngineConfig(path=str(path), state_dir=str(state_dir), **options)
    host = EngineHost(config)
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
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=512)


@pytest.fixture
async def host(tiny, state_dir):
    async with running(tiny, state_dir) as host:
        yield host


async def ask(host, prompt="a tale", max_tokens=24, **params):
    fields = {"tokens": prompt} if isinstance(prompt, list) else {"text": prompt}
    stream = await host.submit(params=SamplingParams(max_tokens=max_tokens, **params), **fields)
    return "".join([piece.text async for piece in stream]), stream.finish


async def text(host, prompt="a tale", **params):
    return (await ask(host, prompt, **params))[0]


async def test_a_batch_writes_what_each_would_write_alone(host):
    alone = [await text(host, prompt, **GREEDY) for prompt in PROMPTS]
    assert await asyncio.gather(*(text(host, prompt, **GREEDY) for prompt in PROMPTS)) == alone
    assert len(set(alone)) > 1


async def test_a_sequence_that_lost_its_place_writes_the_same(tiny, state_dir, host):
    prompts = [f"{prompt} {'and on ' * 10}" for prompt in PROMPTS[:4]]
    alone = [await text(host, prompt, max_tokens=80, **GREEDY) for prompt in prompts]
    async with running(tiny, state_dir, context_length=256, cache_tokens=512) as small:
        answers = await asyncio.gather(*(ask(small, p, max_tokens=80, **GREEDY) for p in prompts))
        assert sum(finish.usage.total_tokens for _, finish in answers) > small.info.cache_tokens
    assert [answer for answer, _ in answers] == alone


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "mamba"])
async def test_a_slot_forgets_who_had_it_before(architecture, tmp_path, state_dir):
    path = make_tiny_gguf(
        tmp_path / "m.gguf", architecture=architecture, context_length=1024, window=32
    )
    async with running(path, state_dir, max_sequences=1, batch_tokens=64) as host:
        first = await text(host, "once more " * 30, **GREEDY)
        assert await text(host, "something else", **GREEDY) != first
        assert await text(host, "once more " * 30, **GREEDY) == first


async def conversation(host, owner="", **fields):
    """Three turns, each of which goes on from the last; texts, and tokens that were cached."""
    prompt, texts, cached = "once upon a time there was " * 4, [], []
    for turn in ("and then", "what else", "the end"):
        prompt += turn
        params = SamplingParams(max_tokens=12, **GREEDY)
        stream = await host.submit(params=params, text=prompt, owner=owner, **fields)
        texts.append(await read(stream))
        cached.append(stream.finish.usage.cached_tokens)
        prompt += texts[-1]
    return texts, cached


@pytest.mark.parametrize(
    ("architecture", "shares"), [("llama", True), ("gemma3", False), ("mamba", False)]
)
async def test_a_conversation_goes_on_from_what_the_cache_has(
    architecture, shares, tmp_path, state_dir
):
    path = make_tiny_gguf(
        tmp_path / "m.gguf", architecture=architecture, context_length=1024, window=32
    )
    async with running(path, state_dir, max_sequences=2, batch_tokens=64) as host:
        anew, none = await conversation(host, use_cache=False)
        texts, cached = await conversation(host)
    assert texts == anew
    assert none == [0, 0, 0]
    assert cached[0] == 0
    assert all((number > 40) is shares for number in cached[1:])


async def test_nobody_finds_what_was_computed_for_another_owner(host):
    _, alice = await conversation(host, "alice")
    _, bob = await conversation(host, "bob")
    assert bob == alice
    assert (await conversation(host, "bob"))[1][0] > 0


async def test_what_is_paused_for_another_goes_on_as_if_nothing_had_been(tiny, state_dir, host):
    prompts = [f"{prompt} and on" for prompt in PROMPTS[:3]]
    alone = [await text(host, prompt, max_tokens=60, **GREEDY) for prompt in prompts]
    async with running(tiny, state_dir, max_sequences=2) as small:
        params = SamplingParams(max_tokens=60, **GREEDY)
        streams = [
            await small.submit(params=params, text=prompt, owner=owner)
            for prompt, owner in zip(prompts, ["alice", "alice", "bob"], strict=True)
        ]
        assert await asyncio.gather(*map(read, streams)) == alone


async def ask_together(host, prompt, number, **params):
    """Answers to one prompt."""
    fields = {"text": prompt, "params": SamplingParams(**params), "group": 7}
    streams = await asyncio.gather(*(host.submit(**fields) for _ in range(number)))
    return await asyncio.gather(*map(read, streams))


async def read(stream):
    return "".join([piece.text async for piece in stream])


@pytest.mark.parametrize(
    ("architecture", "shares"), [("llama", True), ("gemma3", False), ("mamba", False)]
)
async def test_several_greedy_answers_are_the_single_one(architecture, shares, tmp_path, state_dir):
    path = make_tiny_gguf(
        tmp_path / "m.gguf", architecture=architecture, context_length=1024, window=32
    )
    async with running(path, state_dir, max_sequences=4, batch_tokens=64) as host:
        prompt = "once more " * 30
        alone = await text(host, prompt, max_tokens=40, **GREEDY)
        answers = await ask_together(host, prompt, 6, max_tokens=40, **GREEDY)
        assert answers == [alone] * 6
        assert host.info.can_share is shares


async def test_several_answers_that_lose_their_places_are_still_the_single_one(tiny, state_dir):
    prompt = "and on " * 12
    async with running(tiny, state_dir, context_length=256, cache_tokens=300) as host:
        alone = await text(host, prompt, max_tokens=120, **GREEDY)
        assert await ask_together(host, prompt, 5, max_tokens=120, **GREEDY) == [alone] * 5


async def test_the_same_seed_writes_the_same_text(host):
    one = await text(host, temperature=2.0, seed=7, ignore_eos=True)
    assert await text(host, temperature=2.0, seed=7, ignore_eos=True) == one
    assert await text(host, temperature=2.0, seed=8, ignore_eos=True) != one


@pytest.mark.parametrize(
    "params",
    [
        {"top_p": 0.1},
        {"top_k": 1},
        {"min_p": 1.0},
        {"typical_p": 0.01},
        {"repeat_penalty": 10.0, "repeat_last_n": -1},
        {"presence_penalty": 2.0, "repeat_last_n": -1},
        {"frequency_penalty": 2.0, "repeat_last_n": -1},
        {"logit_bias": {100: 10.0}},
        {"dry_multiplier": 100.0, "dry_allowed_length": 0, "dry_sequence_breakers": ()},
        {"xtc_probability": 1.0, "xtc_threshold": 0.0},
        {"mirostat": 1, "mirostat_tau": 1.0},
        {"mirostat": 2, "mirostat_tau": 1.0},
    ],
    ids=str,
)
async def test_each_sampling_parameter_reaches_the_sampler(host, params):
    neutral = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 2.0, "seed": 1}
    plain = await text(host, ignore_eos=True, max_tokens=60, **neutral)
    assert await text(host, ignore_eos=True, max_tokens=60, **{**neutral, **params}) != plain


async def test_no_run_of_the_prompt_is_repeated_where_that_costs(host):
    """The prompt ends in a run that it has had before, with one token after it."""
    *_, after = told = list(range(40, 60))
    prompt = [*told, *told[:-1]]
    likely = {"logit_bias": {after: 30.0}, "temperature": 0.0, "max_tokens": 1, "num_logprobs": 0}

    async def first_token(**dry):
        params = SamplingParams(**likely, **dry)
        stream = await host.submit(tokens=prompt, params=params)
        return [token.text async for piece in stream for token in piece.logprobs or ()]

    plain = await first_token()
    assert await first_token(dry_multiplier=1.0) != plain
    assert await first_token(dry_multiplier=1.0, dry_penalty_last_n=0) == plain


async def test_a_strong_bias_decides_every_token(host):
    _, finish = await ask(host, logit_bias={90: 100.0}, max_tokens=5, **GREEDY)
    assert await text(host, logit_bias={90: 100.0}, max_tokens=5, **GREEDY) == 5 * await text(
        host, logit_bias={90: 100.0}, max_tokens=1, **GREEDY
    )
    assert finish.reason is FinishReason.LENGTH


async def test_a_huge_penalty_window_is_no_longer_than_the_context(host):
    whole = {"repeat_penalty": 1.5, "temperature": 0.0, "ignore_eos": True}
    everything = await text(host, repeat_last_n=-1, **whole)
    assert await text(host, repeat_last_n=2**31 - 1, **whole) == everything


async def logprobs_of(host, prompt="a tale", **params):
    # Computed anew each time: what the cache has comes of another batch, a rounding off.
    fields = {"text": prompt, "use_cache": False}
    stream = await host.submit(params=SamplingParams(**params), **fields)
    return [token async for piece in stream for token in piece.logprobs or ()]


async def test_a_greedy_token_is_the_first_of_the_likeliest(host):
    told = await logprobs_of(host, num_logprobs=5, max_tokens=12, **GREEDY)
    assert len(told) == 12
    assert all(token.top[0] == (token.text, token.logprob) for token in told)
    assert all(token.top == sorted(token.top, key=lambda one: -one[1]) for token in told)
    assert {len(token.top) for token in told} == {5}


async def test_logprobs_are_the_models_own_whatever_chooses(host):
    [plain] = await logprobs_of(host, num_logprobs=20, max_tokens=1, **GREEDY)
    chooses = {"logit_bias": {90: 100.0}, "repeat_penalty": 2.0, "min_tokens": 1}
    [biased] = await logprobs_of(host, num_logprobs=20, max_tokens=1, temperature=0.1, **chooses)
    assert biased.top == plain.top
    assert biased.logprob < plain.logprob == plain.top[0][1]


async def test_the_probabilities_of_all_tokens_are_one(host):
    at_a_time = asyncio.Semaphore(50)  # more than 256 may not wait

    async def forced(token):
        async with at_a_time:
            fields = {"max_tokens": 1, "temperature": 0, "logit_bias": {token: 100}}
            return await logprobs_of(host, num_logprobs=0, **fields)

    tokens = await asyncio.gather(*map(forced, range(len(vocabulary()))))
    told = [token.logprob for [token] in filter(None, tokens)]
    assert 0.95 < sum(map(math.exp, told)) <= 1.001  # the ends tell none


async def test_who_does_not_ask_gets_none(host):
    stream = await host.submit(params=SamplingParams(max_tokens=3, **GREEDY), text="a tale")
    assert {piece.logprobs async for piece in stream} == {None}


async def test_min_tokens_keeps_the_model_from_ending(host):
    ends = dict.fromkeys((END_OF_TEXT, IM_END), 100.0)
    _, early = await ask(host, logit_bias=ends, temperature=0.0)
    _, late = await ask(host, logit_bias=ends, temperature=0.0, min_tokens=20)
    assert early.reason is late.reason is FinishReason.STOP
    assert early.usage.completion_tokens < 20 < late.usage.completion_tokens


async def test_an_answer_fills_the_context_and_no_more(host):
    _, finish = await ask(host, "word", max_tokens=None, **GREEDY)
    assert finish.reason is FinishReason.LENGTH
    assert finish.usage.total_tokens == host.info.context_length == 512


async def test_a_prompt_that_does_not_fit_is_refused(host):
    with pytest.raises(PromptTooLong, match="512"):
        await ask(host, "long " * 600)


@pytest.mark.parametrize("token", [-1, 10**6])
async def test_a_token_of_another_vocabulary_is_refused(host, token):
    with pytest.raises(InvalidParameter, match=str(token)):
        await ask(host, [5, token])


@pytest.mark.parametrize("prompt", ["", "<|im_end|>", [END_OF_TEXT, IM_END]])
async def test_a_prompt_without_text_is_refused(host, prompt):
    with pytest.raises(InvalidParameter, match="no tokens but special ones"):
        await ask(host, prompt)


async def test_options_that_do_not_go_together_are_no_lack_of_memory(tiny, state_dir):
    with pytest.raises(ValueError, match="flash_attention must not be off"):
        async with running(tiny, state_dir, kv_cache_type="q8_0", flash_attention="off"):
            pass


async def test_a_file_without_a_chat_template_gets_chatml(tmp_path, state_dir):
    path = make_tiny_gguf(tmp_path / "plain.gguf", chat_template=None)
    async with running(path, state_dir) as host:
        stream = await host.submit(messages=[{"role": "user", "content": "hi"}])
        chatml = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        assert not host.info.has_chat_template
        assert stream.prompt_tokens == (await host.submit(text=chatml)).prompt_tokens


async def test_a_broken_template_breaks_chats_only(tmp_path, state_dir):
    path = make_tiny_gguf(tmp_path / "broken.gguf", chat_template="{% for %}")
    async with running(path, state_dir) as host:
        assert await text(host, **GREEDY)
        with pytest.raises(Exception, match="template") as failure:
            await host.submit(messages=[{"role": "user", "content": "hi"}])
        assert failure.value.code == "template_error"


async def test_a_truncated_file_is_named(tiny, tmp_path, state_dir):
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny.read_bytes()[:-5000])
    with pytest.raises(ModelLoadFailed, match=str(path)):
        async with running(path, state_dir):
            pass


@pytest.mark.parametrize("device", ["cuda", "metal"])
async def test_a_device_that_is_not_there_is_named(tiny, state_dir, device):
    with pytest.raises(ModelLoadFailed, match=f"device: '{device}'"):
        async with running(tiny, state_dir, device=device):
            pass


async def test_a_context_that_was_asked_for_is_not_made_smaller(tiny, state_dir):
    with pytest.raises(OutOfMemory, match="1000000000 tokens"):
        async with running(tiny, state_dir, context_length=10**9):
            pass


async def test_an_automatic_context_is_as_large_as_memory_allows(smollm2, state_dir):
    limit = 98 * 10**6 + 256 * 2**20 + 30 * 10**6  # the weights, the overhead, some cells
    async with running(smollm2, state_dir, memory_limit=limit) as host:
        assert 512 <= host.info.context_length < 8192


async def test_a_cpu_keeps_few_idle_cells_of_what_comes_back_from_memory(tiny, state_dir):
    prompt, more = [5, 6, 7] * 50, [5, 6, 7] * 60
    async with running(tiny, state_dir, snapshot_memory_bytes=2**26) as host:
        assert host.info.idle_tokens < 100
        await ask(host, prompt, max_tokens=1, **GREEDY)
        assert (await ask(host, more, max_tokens=1, **GREEDY))[1].usage.cached_tokens >= 149
    async with running(tiny, state_dir) as host:
        assert host.info.idle_tokens == host.info.cache_tokens


@pytest.mark.model
async def test_the_default_model_knows_its_sums(smollm2, state_dir):
    async with running(smollm2, state_dir) as host:
        params = SamplingParams(temperature=0.0, max_tokens=40)
        question = [{"role": "user", "content": "What is 2+2?"}]
        stream = await host.submit(messages=question, params=params)
        answer = "".join([piece.text async for piece in stream])
    assert "4" in answer
    assert stream.finish.reason is FinishReason.STOP
    assert stream.finish.timings.decode > 0


# Filling in


async def test_a_suffix_and_its_marks_become_a_part_of_the_prompt(tmp_path, state_dir):
    marks = (len(vocabulary()) - 3, len(vocabulary()) - 2, len(vocabulary()) - 1)
    path = make_tiny_gguf(tmp_path / "m.gguf", infill=marks)
    async with running(path, state_dir) as host:
        head, tail = await host.count(texts=["a tale", "of eight"])
        params = SamplingParams(max_tokens=8, **GREEDY)
        stream = await host.submit(text="a tale", suffix="of eight", params=params)
        assert stream.prompt_tokens == head + tail + 3
        assert await read(stream) != await text(host, "a taleof eight", max_tokens=8, **GREEDY)


async def test_without_tokens_for_it_a_suffix_is_refused(host):
    with pytest.raises(Unsupported, match="has none") as refusal:
        await host.submit(text="a tale", suffix="of eight")
    assert refusal.value.param == "suffix"


async def test_an_echo_is_the_prompt_as_it_was(host):
    stream = await host.submit(text="a tale", echo=True, params=SamplingParams(**GREEDY))
    assert (await read(stream)).startswith("a tale")


# Conversations


def talk(*contents):
    """What a user and an assistant write in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]


async def test_a_conversation_that_outgrew_its_context_loses_its_oldest_turns(tiny, state_dir):
    async with running(tiny, state_dir, context_length=512) as host:
        system = {"role": "system", "content": "be kind"}
        messages = [system, *talk("a tale " * 80, "of eight " * 20, "and", "well", "so")]
        policy = ContextPolicy.DROP_OLDEST
        whole, *_ = await host.count(messages=messages)
        kept, *_ = await host.count(messages=[system, *messages[3:]])

        stream = await host.submit(
            messages=messages, context_policy=policy, params=SamplingParams(max_tokens=4)
        )
        text = "".join([piece.text async for piece in stream])

    assert (stream.dropped, stream.prompt_tokens) == ([1, 2], kept)
    assert kept < 512 < whole
    assert text


async def test_texts_are_counted_as_they_stand_in_a_prompt(host):
    together, tale, nothing = await host.count(texts=["a tale of eight", "a tale", ""])

    stream = await host.submit(text="a tale of eight", params=SamplingParams(max_tokens=1))
    assert 0 < tale < together <= stream.prompt_tokens
    assert nothing == 0
    stream.cancel()


async def test_a_long_prompt_tells_how_far_it_is(tiny, state_dir):
    async with running(tiny, state_dir, batch_tokens=64) as host:
        params = SamplingParams(max_tokens=1)
        stream = await host.submit(text="a tale " * 60, params=params, with_progress=True)
        first = await anext(piece.progress async for piece in stream if piece.progress)

    assert (first.kind, first.done, first.total) == ("prefill", 0, stream.prompt_tokens)


async def test_a_text_becomes_tokens_and_the_same_text_again(tiny, state_dir):
    text = "<|im_start|>user\na tale of eight €<|im_end|>"
    async with running(tiny, state_dir) as host:
        told = await host.ask(Tokenize, text=text, add_special=False)
        with_opening = await host.ask(Tokenize, text=text)
        written = await host.ask(Detokenize, tokens=told.tokens)
    assert written.text == text
    assert told.names[-1] == "<|im_end|>"
    assert with_opening.tokens[-len(told.tokens) :] == told.tokens
