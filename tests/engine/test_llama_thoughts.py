"""Thoughts of a model that computes: what is fed instead of sampled is computed like a prompt."""

import asyncio
import re

import pytest

from inference.engine import FinishReason, Grammar, SamplingParams
from tests.tiny_gguf import make_tiny_gguf

from .test_llama import running, state_dir  # noqa: F401  a fixture

TEMPLATE = "{% for m in messages %}{{ m.content }}\n{% endfor %}<think>"
LETTERS = Grammar("regex", "[a-z]{12}", "guided_regex")
TOPICS = ["cats", "rivers", "music", "bread", "stones", "rain"]


@pytest.fixture
async def host(tmp_path_factory, state_dir):  # noqa: F811
    path = tmp_path_factory.mktemp("m") / "thinking.gguf"
    make_tiny_gguf(path, chat_template=TEMPLATE, context_length=512)
    async with running(path, state_dir) as host:
        yield host


async def ask(host, content=None, text=None, **params):
    messages = [{"role": "user", "content": content}] if content else None
    params = SamplingParams(**{"max_tokens": 60, "ignore_eos": True, **params})
    stream = await host.submit(messages=messages, text=text, params=params)
    said = "".join([piece.text async for piece in stream])
    return said, stream.finish


async def test_a_form_behind_a_budget_is_whole_whatever_was_thought(host):
    hot = {"grammar": LETTERS, "temperature": 1.5, "thinking_budget_tokens": 5}
    answers = await asyncio.gather(*(ask(host, topic, seed=1, **hot) for topic in TOPICS))
    assert {finish.reason for _, finish in answers} == {FinishReason.STOP}
    forms = [said.rpartition("\n</think>")[2] for said, _ in answers]
    assert all(re.fullmatch("[a-z]{12}", form) for form in forms)
    assert len({*forms}) > 1


async def test_an_answer_is_the_one_to_the_same_text_as_a_prompt(host):
    """Of thoughts that are the same tokens when they are read again: plain characters."""
    greedy = {"grammar": LETTERS, "temperature": 0.0}
    num_compared = 0
    for topic in TOPICS:
        said, _ = await ask(host, topic, thinking_budget_tokens=1, **greedy)
        thought, _, form = said.partition("\n</think>")
        if re.fullmatch("[ -~]", thought):
            again, _ = await ask(host, text=f"{topic}\n<think>{thought}\n</think>", **greedy)
            assert form == again
            num_compared += 1
    assert num_compared


async def test_a_budget_of_none_is_closed_in_the_prompt(host):
    said, _ = await ask(host, "cats", thinking_budget_tokens=0, max_tokens=4, temperature=0.0)
    as_text, _ = await ask(
        host, text="cats\n<think>\n\n</think>\n\n", max_tokens=4, temperature=0.0
    )
    assert said == as_text
