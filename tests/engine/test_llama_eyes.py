"""llama.cpp reads images for real, in its child process: tiny random models and projectors."""

import asyncio

import pytest

from inference.engine import InvalidParameter, ModelLoadFailed, SamplingParams
from inference.engine.image import Image
from inference.engine.request import FinishReason
from tests.engine import mtmd
from tests.engine.test_llama import GREEDY, running
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_projector import (
    NUM_VECTORS,
    TILE_TOKENS,
    make_png,
    make_stripes,
    make_tiny_projector,
)

RED, BLUE = make_png(20, 10), make_png(20, 10, colour=(0, 0, 255))
WIDE = make_stripes(20, 10)
MARKERS = ["<image-0>", "<image-1>"]
KINDS = ["mlp", "gemma3"]
UNFINISHED = "\ufffd"  # a character whose bytes the last token cut off
QUESTION = f"What is in the hello {MARKERS[0]}? "


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def model(folder):
    return make_tiny_gguf(folder / "tiny.gguf", context_length=512)


@pytest.fixture(scope="session")
def projectors(folder):
    return {kind: str(make_tiny_projector(folder / f"{kind}.gguf", kind)) for kind in KINDS}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
async def host(model, projectors, kind, state_dir):
    async with running(model, state_dir, projector=projectors[kind]) as host:
        yield host


async def submitted(host, *data, question=QUESTION, max_tokens=mtmd.NUM_TOKENS, **fields):
    pairs = enumerate(zip(MARKERS, data, strict=False))
    images = [Image(marker, one, f"messages[0].content[{i}]") for i, (marker, one) in pairs]
    params = SamplingParams(max_tokens=max_tokens, **GREEDY, **fields.pop("params", {}))
    messages = [{"role": "user", "content": question}]
    return await host.submit(params=params, messages=messages, images=images, **fields)


async def ask(host, *data, **fields):
    stream = await submitted(host, *data, **fields)
    return "".join([piece.text async for piece in stream]), stream.finish.usage


async def test_it_writes_what_mtmds_own_helpers_write(
    host, model, projectors, kind, state_dir, tmp_path
):
    (tmp_path / "red.png").write_bytes(RED)
    prompt = QUESTION.replace(MARKERS[0], mtmd.MEDIA)
    prompt = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    files = (model, projectors[kind], state_dir, tmp_path / "red.png")
    expected = await asyncio.to_thread(mtmd.told, *files, prompt)

    text = (await ask(host, RED))[0]
    assert text.rstrip(UNFINISHED) == expected.rstrip(UNFINISHED)


async def test_another_image_is_another_answer_and_the_same_one_is_the_same(host):
    red, blue = await ask(host, RED, owner="a"), await ask(host, BLUE, owner="a")
    assert red[0] != blue[0]
    assert (await ask(host, RED, owner="a"))[0] == red[0]


async def test_its_vectors_are_tokens_of_the_prompt(host, kind):
    _, usage = await ask(host, RED)
    _, bare = await ask(host, question=QUESTION.replace(MARKERS[0], ""))
    marks = len("<start_of_image><end_of_image>") if kind == "gemma3" else 0
    assert usage.prompt_tokens == bare.prompt_tokens + NUM_VECTORS[kind] + marks


async def test_what_was_seen_once_is_in_the_cache_for_its_owner_alone(host, kind):
    fresh = await ask(host, RED, use_cache=False)
    first = await ask(host, RED, owner="alice")
    other = await ask(host, RED, owner="bob")
    again = await ask(host, RED, owner="alice")
    longer = await ask(host, RED, owner="alice", question=QUESTION + "And why?")
    uncached = await ask(host, RED, use_cache=False, question=QUESTION + "And why?")
    blue = await ask(host, BLUE, owner="alice")

    assert fresh[0] == first[0] == other[0] == again[0]
    assert longer[0] == uncached[0]
    assert again[1].cached_tokens == again[1].prompt_tokens - 1
    assert longer[1].cached_tokens > len("<|im_start|>user") + NUM_VECTORS[kind]
    assert first[1].cached_tokens == other[1].cached_tokens == 0
    assert blue[1].cached_tokens < longer[1].cached_tokens - NUM_VECTORS[kind]


async def test_who_sees_and_who_writes_at_once_write_what_they_would_alone(host):
    asked = [(RED,), (), (BLUE,), (RED, BLUE)]
    questions = [QUESTION, "hello there", QUESTION, f"{MARKERS[0]} or{MARKERS[1]}{MARKERS[0][:3]}"]
    pairs = list(zip(asked, questions, strict=True))
    alone = [await ask(host, *data, question=q, use_cache=False) for data, q in pairs]
    together = await asyncio.gather(
        *(ask(host, *data, question=q, use_cache=False) for data, q in pairs)
    )
    assert [text for text, _ in together] == [text for text, _ in alone]


async def test_an_image_in_several_steps_is_the_same_image(model, projectors, state_dir):
    answers = []
    for batch_tokens in (64, 6):
        options = {"projector": projectors["mlp"], "batch_tokens": batch_tokens}
        async with running(model, state_dir, max_sequences=2, **options) as host:
            answers.append((await ask(host, RED))[0])
    assert answers[0] == answers[1]


async def test_an_image_that_has_to_be_whole_and_does_not_fit_a_step_is_refused(
    model, projectors, state_dir
):
    options = {"projector": projectors["gemma3"], "batch_tokens": 3, "max_sequences": 2}
    async with running(model, state_dir, **options) as host:
        with pytest.raises(InvalidParameter, match="needs a step of 4 tokens") as caught:
            await ask(host, RED)
    assert caught.value.param == "messages[0].content[0]"


@pytest.mark.parametrize("cut", [40, 8])
async def test_a_damaged_image_is_refused_and_the_engine_lives_on(host, cut):
    before = await ask(host, BLUE)
    damaged = RED[:-cut] + bytes(cut)
    with pytest.raises(InvalidParameter, match=r"damaged|cannot be decoded") as caught:
        await ask(host, BLUE, damaged, question=f"{MARKERS[0]} and {MARKERS[1]}")
    assert caught.value.param == "messages[0].content[1]"
    assert await ask(host, BLUE, use_cache=False) == before


async def test_penalties_forms_and_guesses_get_along_with_images(model, projectors, state_dir):
    options = {"projector": projectors["mlp"], "speculation": "on"}
    params = {"repeat_penalty": 1.3, "dry_multiplier": 0.5, "repeat_last_n": -1, "num_logprobs": 1}
    async with running(model, state_dir, **options) as host:
        plain, guessed = await ask(host, RED, max_tokens=64), await ask(host, RED, params=params)
    async with running(model, state_dir, projector=projectors["mlp"]) as host:
        assert (await ask(host, RED, max_tokens=64))[0] == plain[0]
    assert guessed[1].completion_tokens == mtmd.NUM_TOKENS


async def test_tokens_chosen_in_the_graph_are_those_chosen_on_the_host(
    model, projectors, state_dir
):
    answers = []
    for sampling in ("host", "attached"):
        options = {"projector": projectors["mlp"], "sampling": sampling}
        async with running(model, state_dir, **options) as host:
            asked = [ask(host, RED), ask(host, question="hello"), ask(host, BLUE)]
            answers.append([text for text, _ in await asyncio.gather(*asked)])
    assert answers[0] == answers[1]


async def test_a_conversation_with_an_image_comes_back_from_a_snapshot(
    model, projectors, state_dir, kind
):
    options = {"cache_tokens": 512, "snapshot_memory_bytes": 2**26, "batch_tokens": 128}
    question = QUESTION + "It is a long story. " * 4
    async with running(model, state_dir, projector=projectors[kind], **options) as host:
        first = await ask(host, RED, owner="alice", question=question)
        for owner in ("bob", "charlie", "dora"):
            await ask(host, owner=owner, question=f"{owner} " * 60)
        again = await ask(host, RED, owner="alice", question=question)
    assert again[0] == first[0]
    assert again[1].cached_tokens == again[1].prompt_tokens - 1


async def test_a_cancelled_request_leaves_no_cells(host):
    stream = await submitted(host, RED, max_tokens=400, use_cache=False)
    await anext(aiter(stream))
    stream.cancel()
    async for _ in stream:
        pass
    assert stream.finish.reason is FinishReason.CANCELLED
    await ask(host, BLUE, use_cache=False)
    assert host.load.cells == 0


async def test_a_projector_for_another_model_is_named(folder, model, state_dir):
    other = make_tiny_projector(folder / "wide.gguf", width=128)
    with pytest.raises(ModelLoadFailed, match=r"wide\.gguf does not fit m: .*mismatch"):
        async with running(model, state_dir, projector=str(other)):
            pass


async def test_a_projector_that_is_no_projector_is_named(model, state_dir):
    with pytest.raises(ModelLoadFailed, match=r"the projector .*tiny\.gguf does not fit"):
        async with running(model, state_dir, projector=str(model)):
            pass


async def test_a_projector_that_is_not_there_is_named(model, state_dir):
    with pytest.raises(ModelLoadFailed, match=r"no\.gguf: there is no such file"):
        async with running(model, state_dir, projector="no.gguf"):
            pass


# Tiles: an image in several parts, with tokens between them


@pytest.mark.parametrize("more_tokens", [TILE_TOKENS, []])
async def test_an_image_in_tiles_is_what_mtmd_makes_of_it(folder, state_dir, tmp_path, more_tokens):
    model, projector = folder / f"tiles-{len(more_tokens)}.gguf", folder / "idefics3.gguf"
    make_tiny_gguf(model, context_length=512, more_tokens=more_tokens)
    make_tiny_projector(projector, "idefics3")
    (tmp_path / "wide.png").write_bytes(WIDE)
    async with running(model, state_dir, projector=str(projector)) as host:
        (text, usage), again = [await ask(host, WIDE, owner="a") for _ in range(2)]
        other = await ask(host, make_png(20, 10, (9, 9, 9)), owner="a")

    assert text == again[0] != other[0]
    assert again[1].cached_tokens == usage.prompt_tokens - 1
    if more_tokens:  # mtmd itself would compute tokens that are none
        prompt = QUESTION.replace(MARKERS[0], mtmd.MEDIA)
        prompt = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        files = (model, projector, state_dir, tmp_path / "wide.png")
        expected = await asyncio.to_thread(mtmd.told, *files, prompt)
        assert text.rstrip(UNFINISHED) == expected.rstrip(UNFINISHED)


# M-RoPE: all of an image at one time, in two more dimensions


@pytest.fixture(scope="session")
def wide_model(folder):
    path = folder / "qwen2vl.gguf"
    return make_tiny_gguf(path, architecture="qwen2vl", context_length=512)


@pytest.fixture
async def wide_host(wide_model, projectors, state_dir):
    options = {"projector": projectors["mlp"], "batch_tokens": 64, "speculation": "on"}
    async with running(wide_model, state_dir, **options) as host:
        yield host


async def test_positions_of_several_dimensions_are_those_of_mtmd(
    wide_host, wide_model, projectors, state_dir, tmp_path
):
    (tmp_path / "red.png").write_bytes(RED)
    prompt = QUESTION.replace(MARKERS[0], mtmd.MEDIA)
    prompt = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    files = (wide_model, projectors["mlp"], state_dir, tmp_path / "red.png")
    expected = await asyncio.to_thread(mtmd.told, *files, prompt)

    text = (await ask(wide_host, RED))[0]
    assert text.rstrip(UNFINISHED) == expected.rstrip(UNFINISHED)


async def test_with_several_dimensions_what_comes_before_an_image_is_in_the_cache(wide_host):
    story = "It was a long day. " * 5
    question = f"{story}{MARKERS[0]} and {MARKERS[1]}?"
    fresh = await ask(wide_host, RED, BLUE, question=question, use_cache=False)
    first = await ask(wide_host, RED, BLUE, question=question, owner="alice")
    again = await ask(wide_host, RED, BLUE, question=question, owner="alice")
    plain = await ask(wide_host, question=f"{story} And then?", owner="alice")
    bare = await ask(wide_host, question=f"{story} And then?", use_cache=False)

    assert fresh[0] == first[0] == again[0]
    assert 60 < again[1].cached_tokens < again[1].prompt_tokens - 2 * NUM_VECTORS["mlp"]
    assert (plain[0], plain[1].cached_tokens > 60) == (bare[0], True)


async def test_with_several_dimensions_and_small_steps_it_is_the_same(
    wide_host, wide_model, projectors, state_dir
):
    options = {"projector": projectors["mlp"], "batch_tokens": 6, "max_sequences": 2}
    async with running(wide_model, state_dir, **options) as small:
        assert (await ask(small, RED, max_tokens=64))[0] == (
            await ask(wide_host, RED, max_tokens=64)
        )[0]
