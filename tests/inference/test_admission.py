"""What a reply tells besides its text."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from accounts.callers import Caller
from inference import admission
from inference.admission import Asker
from inference.runtime import ContextPolicy, Progress, PromptTooLong, SamplingParams
from inference.validation import validators

ASKER = Asker(Caller("user:1", "alice"), "chat")
ENDLESS = SamplingParams(ignore_eos=True)
DEADLINE = 20.0


@pytest.fixture(autouse=True)
async def _engine(fake_model, settings):
    """One that does one request at a time, slowly."""
    settings.ENGINE_OPTIONS = {"max_sequences": 1, "fake_step_seconds": 0.01}
    yield
    await admission.shutdown()
    await sync_to_async(connections.close_all)()


async def asked(text, params=ENDLESS, **more):
    async with asyncio.timeout(DEADLINE):
        return await admission.generate(ASKER, "fake", params, text=text, **more)


async def first_progress(reply):
    async with asyncio.timeout(DEADLINE):
        return await anext(piece.progress async for piece in reply if piece.progress)


async def test_a_reply_that_waits_is_there_at_once_and_knows_its_place():
    running = await asked("a")
    waiting = await asked("b", with_progress=True)

    assert await first_progress(waiting) == Progress("queued", position=0)
    assert waiting.progress == Progress("queued", position=0)
    running.cancel()


async def test_a_reply_tells_how_far_its_prompt_is():
    reply = await asked("a b c", with_progress=True)

    assert await first_progress(reply) == Progress("prefill", done=0, total=3)
    reply.cancel()


async def test_progress_passes_the_checks_of_a_site(settings):
    security = settings.CONFIG.security.model_copy(update={"redacted_patterns": ["secret"]})
    settings.CONFIG = settings.CONFIG.model_copy(update={"security": security})
    assert validators().has_answer_checks

    reply = await asked("a b c", with_progress=True)

    assert await first_progress(reply) == Progress("prefill", done=0, total=3)
    reply.cancel()


async def test_a_reply_without_progress_has_pieces_of_text_only():
    reply = await asked("a b c", SamplingParams())

    assert {piece.progress async for piece in reply} == {None}
    assert reply.progress is None


TALK = [{"role": "user", "content": word * 3} for word in ("a ", "b ", "c ")]


@pytest.fixture
def small_context(settings):
    settings.ENGINE_OPTIONS = {**settings.ENGINE_OPTIONS, "context_length": 8}


async def talked(**more):
    return await admission.generate(ASKER, "fake", SamplingParams(), messages=TALK, **more)


async def test_a_reply_tells_how_much_of_the_context_its_prompt_takes(small_context):
    reply = await asked("a b c", SamplingParams())

    assert (reply.prompt_tokens, reply.context_length, reply.dropped) == (3, 8, [])
    reply.cancel()


@pytest.mark.parametrize(
    ("row", "if_too_long", "dropped"),
    [
        ("", ContextPolicy.DROP_OLDEST, [0]),
        ("", ContextPolicy.MIDDLE_OUT, [1]),
        ("middle_out", ContextPolicy.DROP_OLDEST, [1]),
        ("drop_oldest", ContextPolicy.ERROR, [0]),
    ],
)
async def test_a_row_without_a_policy_leaves_it_to_who_asks(
    small_context, fake_model, row, if_too_long, dropped
):
    fake_model.context_policy = row
    await fake_model.asave()

    reply = await talked(if_too_long=if_too_long)

    assert (reply.dropped, reply.prompt_tokens) == (dropped, 6)
    reply.cancel()


async def test_a_model_that_says_error_refuses_whoever_asks(small_context, fake_model):
    fake_model.context_policy = "error"
    await fake_model.asave()

    with pytest.raises(PromptTooLong):
        await talked(if_too_long=ContextPolicy.DROP_OLDEST)
