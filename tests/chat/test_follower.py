"""What one socket is told of one answer: all of it, once, in order."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chat.follower import MOST_AT_ONCE, Follower

IDS = {"conversation": "c", "message": "m"}


def piece(text, seq, type="delta"):
    return {"type": type, "seq": seq, "text": text, **IDS}


def pieces_of(text, cuts):
    """The text cut at those places, as its writer tells it."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [piece(text[a:b], b) for a, b in pairwise(places)]


def told(frames, type="delta"):
    return "".join(frame["text"] for frame in frames if frame["type"] == type)


def test_a_piece_that_follows_is_passed_on():
    assert Follower(IDS).take(piece("one", 3)) == [piece("one", 3)]


def test_a_piece_that_was_heard_before_is_not_heard_again():
    some = Follower(IDS, seq=3)
    assert some.take(piece("one", 3)) == []
    assert some.take(piece("e two", 7)) == [piece(" two", 7)]


def test_a_gap_is_noticed_and_nothing_is_passed_on_before_it_is_filled():
    some = Follower(IDS)
    some.take(piece("one", 3))

    assert some.take(piece(" three", 13)) == []
    assert some.is_behind
    assert some.take(piece(" four", 18)) == []
    assert some.catch_up("", "one two three four") == [piece(" two three four", 18)]
    assert not some.is_behind


def test_reasoning_has_a_length_of_its_own():
    some = Follower(IDS)
    some.take(piece("Hm", 2, "reasoning"))
    some.take(piece("Yes", 3))

    assert some.seqs == (2, 3)


@given(
    text=st.text(),
    cuts=st.lists(st.integers(0, 1000)),
    lost=st.sets(st.integers(0, 20)),
    has=st.integers(0, 1000),
)
def test_whatever_is_lost_the_text_is_told_once_and_in_order(text, cuts, lost, has):
    start = has % (len(text) + 1)
    some, frames = Follower(IDS, seq=start), []
    for number, one in enumerate(pieces_of(text, cuts)):
        if number not in lost:
            frames += some.take(one)
        if some.is_behind:
            frames += some.catch_up("", text[: one["seq"]])
    frames += some.catch_up("", text)

    assert text[:start] + told(frames) == text


def test_a_socket_that_has_more_than_there_is_is_told_how_much():
    some = Follower(IDS, seq=9, reasoning_seq=1)

    assert some.cut(2, 3) == [{"type": "cut", "seq": 3, "reasoning_seq": 1, **IDS}]
    assert some.cut(2, 3) == []
    assert some.catch_up("Hm", "one two") == [piece("m", 2, "reasoning"), piece(" two", 7)]


def test_a_long_rest_comes_in_frames_that_can_be_sent():
    text = "x" * (2 * MOST_AT_ONCE + 1)
    frames = Follower(IDS).catch_up("", text)

    assert told(frames) == text
    assert [frame["seq"] for frame in frames] == [MOST_AT_ONCE, 2 * MOST_AT_ONCE, len(text)]
