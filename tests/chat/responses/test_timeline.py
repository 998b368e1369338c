"""Events are numbered by what is said alone, in whatever pieces it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.api.responses.bodies import check_storable
from chat.api.responses.timeline import Timeline, pieces
from chat.models import Message
from chat.reading import Thought, Written
from inference.api.refusals import ApiError
from inference.tools import Begun, More, Text

texts = st.text(st.sampled_from("ab \n界"), max_size=40)
said = st.lists(
    st.one_of(st.builds(Text, texts), st.builds(lambda t: (Begun(0, "f"), More(0, t)), texts)),
    max_size=6,
)


def told(thoughts, events, *, at_once):
    timeline, written, heard = Timeline(Message(uid=UID)), Written(), []
    flat = [Thought(thoughts), *(e for one in events for e in (one if _is_call(one) else [one]))]
    for event in flat:
        written.take(event)
        if isinstance(event, Begun):
            written.calls[-1]["id"] = f"call_{len(written.calls)}"
        heard += [] if at_once else timeline.grow(written)
    heard += timeline.grow(written, is_over=True, status="completed")
    return heard, written


def _is_call(one):
    return not isinstance(one, Text)


UID = Message().uid


@given(texts, said)
def test_it_does_not_matter_when_it_was_looked_at(thoughts, events):
    one_by_one, written = told(thoughts, events, at_once=False)
    at_once, _ = told(thoughts, events, at_once=True)

    assert one_by_one == at_once
    assert [event["sequence_number"] for event in at_once] == [*range(len(at_once))]
    deltas = {"reasoning_text": "", "output_text": "", "function_call_arguments": ""}
    for event in at_once:
        if "delta" in event:
            deltas[event["type"].split(".")[1]] += event["delta"]
    arguments = "".join(call["arguments"] for call in written.calls)
    assert [*deltas.values()] == [written.reasoning, written.text, arguments]


@given(texts, st.integers(0, 40))
def test_a_text_is_cut_where_it_would_be_if_there_were_more(text, length):
    first = [*pieces(text[:length], 0, is_whole=False)]
    whole = [*pieces(text, 0, is_whole=True)]

    assert "".join(whole) == text
    assert whole[: len(first)] == first


def test_words_are_told_once_they_end():
    assert [*pieces("one two", 0, is_whole=False)] == ["one"]
    assert [*pieces("one two ", 0, is_whole=False)] == ["one", " two"]
    assert [*pieces("internationally", 0, is_whole=False)] == ["internat"]


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ({"a": [{"b": "\0"}]}, "a[0].b"),
        ({"a": {"\0": 1}}, "a"),
    ],
)
def test_a_nul_is_named_where_it_is(value, param):
    with pytest.raises(ApiError) as refused:
        check_storable(value)
    assert refused.value.param == param
