"""What a model thinks, apart from what it answers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.thinking import ThinkingSplitter, split_thinking

PARTS = ["<think>", "</think>", "<thinking>", "</thinking>", "<", "</th", "a", " ", "\n", ">"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("", "", ""),
        ("Hello", "", "Hello"),
        ("<think>why</think>Hello", "why", "Hello"),
        ("<thinking>why</thinking>Hello", "why", "Hello"),
        ("\n <think>\nwhy\n</think>\n\nHello", "\nwhy\n", "\n\nHello"),
        ("<think>why</thinking></think>Hello", "why</thinking>", "Hello"),
        ("<think>why", "why", ""),
        ("<think>why</thi", "why</thi", ""),
        ("<think></think>", "", ""),
        ("<thin", "", "<thin"),
        ("<thinker>a", "", "<thinker>a"),
        ("Use <think>a</think>", "", "Use <think>a</think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        (" <", "", " <"),
    ],
)
def test_only_what_is_tagged_at_the_start_is_reasoning(text, reasoning, answer):
    assert split_thinking(text) == (reasoning, answer)


def test_a_template_may_have_opened_the_tag():
    assert split_thinking("why</think>Hello", has_begun=True) == ("why", "Hello")


@given(TEXTS, st.lists(st.integers(0, 100), max_size=8), st.booleans())
def test_it_does_not_matter_where_the_pieces_are_cut(text, places, has_begun):
    splitter = ThinkingSplitter(has_begun=has_begun)
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})

    fed = [splitter.feed(text[start:end]) for start, end in pairwise(ends)]
    fed.append(splitter.finish())

    reasoning, answer = ("".join(parts) for parts in zip(*fed, strict=True))
    assert (reasoning, answer) == split_thinking(text, has_begun=has_begun)


def test_only_what_may_be_a_tag_is_held_back():
    splitter = ThinkingSplitter()

    fed = [splitter.feed(piece) for piece in ("<th", "ink>a</th", "b</think>", "c</th", "</think>")]

    assert fed == [("", ""), ("a", ""), ("</thb", ""), ("", "c</th"), ("", "</think>")]
