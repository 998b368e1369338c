import codecs
from itertools import accumulate, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.engine.text import TextStream

# Two characters, of one and three bytes: matches overlap and nest, and begin in vain.
texts = st.text("a€", max_size=30)
stops = st.lists(st.text("a€", min_size=1, max_size=8), max_size=3)
cuts = st.lists(st.integers(0, 100), max_size=30)
broken = st.lists(
    st.sampled_from(
        [b"a", "é".encode(), "😀".encode(), b"\xf0", b"\x9f", b"\xe2", b"\xed", b"\xff"]
    ),
    max_size=20,
).map(b"".join)


def pieces_of(data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def up_to_stop(text, stops):
    """The plainest way to say it: read on until the text ends in a stop string."""
    seen = (text[:end] for end in range(len(text) + 1))
    found = ((part, [stop for stop in stops if part.endswith(stop)]) for part in seen)
    return next((part.removesuffix(max(done, key=len)) for part, done in found if done), text)


def texts_from(stream, pieces):
    return [*(stream.feed(piece) for piece in pieces), stream.finish()]


@given(texts, stops, cuts)
def test_any_pieces_give_the_text_up_to_the_first_stop_string(text, stops, cuts):
    stream = TextStream(stops)

    sent = "".join(texts_from(stream, pieces_of(text.encode(), cuts)))

    assert sent == up_to_stop(text, stops)
    assert stream.stopped == any(stop in text for stop in stops)


@given(texts, stops, cuts)
def test_nothing_sent_ever_has_to_be_taken_back(text, stops, cuts):
    final = up_to_stop(text, stops)

    for sent in accumulate(texts_from(TextStream(stops), pieces_of(text.encode(), cuts))):
        assert final.startswith(sent)


@given(texts, stops, cuts)
def test_only_what_could_begin_a_stop_string_is_held_back(text, stops, cuts):
    pieces = pieces_of(text.encode(), cuts)
    stream = TextStream(stops)

    sent = "".join(stream.feed(piece, may_stop=False) for piece in pieces)
    held = stream.finish()

    assert sent + held == text
    assert held in {"", *(stop[:end] for stop in stops for end in range(len(stop)))}


@given(texts, st.text("a€", min_size=1, max_size=8), cuts)
def test_one_stop_string_cuts_where_it_is_first_found(text, stop, cuts):
    sent = "".join(texts_from(TextStream([stop]), pieces_of(text.encode(), cuts)))

    assert sent == text.partition(stop)[0]


@given(texts, texts, stops, cuts)
def test_stop_strings_that_end_too_early_are_text(early, late, stops, cuts):
    stream = TextStream(stops)
    first = "".join(stream.feed(piece, may_stop=False) for piece in pieces_of(early.encode(), cuts))

    sent = first + "".join(texts_from(stream, pieces_of(late.encode(), cuts)))

    text = early + late
    ends = (end for end in range(len(early) + 1, len(text) + 1) if text[:end].endswith((*stops,)))
    end = next(ends, None)
    matches = [stop for stop in stops if end and text[:end].endswith(stop)]
    assert sent == text[:end].removesuffix(max(matches, key=len, default=""))


@given(st.one_of(st.binary(max_size=30), broken), cuts)
def test_any_bytes_become_what_python_makes_of_them_but_for_a_cut_character(data, cuts):
    sent = "".join(texts_from(TextStream(), pieces_of(data, cuts)))

    assert sent == codecs.utf_8_decode(data, "replace", False)[0]
    assert data.decode(errors="replace") in (sent, sent + "\N{REPLACEMENT CHARACTER}")


@settings(max_examples=25)
@given(st.binary(max_size=20), stops, cuts)
def test_any_bytes_pass_through_stop_strings_too(data, stops, cuts):
    sent = "".join(texts_from(TextStream(stops), pieces_of(data, cuts)))

    assert sent == up_to_stop(codecs.utf_8_decode(data, "replace", False)[0], stops)


@pytest.mark.parametrize("size", range(1, 7))
def test_a_stop_string_is_found_whatever_begins_or_ends_like_it(size):
    for stop in map("".join, product("ab", repeat=size)):
        for end, start in product(range(size + 1), repeat=2):
            text = stop[:end] + stop[start:]
            stream = TextStream([stop])
            assert "".join(texts_from(stream, [text.encode()])) == text.partition(stop)[0]
            assert stream.stopped == (stop in text)


def test_a_character_waits_for_its_last_byte():
    stream = TextStream()

    assert [stream.feed(bytes([byte])) for byte in "€😀".encode()] == [
        "",
        "",
        "€",
        "",
        "",
        "",
        "😀",
    ]


def test_a_wrong_byte_shows_as_soon_as_it_is_known():
    stream = TextStream()

    assert stream.feed(b"a\xff") == "a\N{REPLACEMENT CHARACTER}"
    assert stream.feed(b"\xe2") == ""
    assert stream.feed(b"b") == "\N{REPLACEMENT CHARACTER}b"


def test_half_a_character_at_the_end_is_dropped():
    stream = TextStream(["stop"])

    assert stream.feed(b"a\xf0\x9f\x98") == "a"
    assert stream.finish() == ""


def test_a_stop_string_is_held_back_and_never_seen():
    stream = TextStream(["\nUser:"])

    assert [stream.feed(p) for p in (b"Hi\n", b"Us", b"er", b": and more")] == ["Hi", "", "", ""]
    assert stream.matched == "\nUser:"
    assert stream.finish() == ""


def test_what_only_began_like_a_stop_string_comes_out():
    stream = TextStream(["\nUser:"])

    assert [stream.feed(p) for p in (b"Hi\nU", b"se it")] == ["Hi", "\nUse it"]
    assert not stream.stopped


def test_what_is_held_back_comes_out_at_the_end_of_the_answer():
    stream = TextStream(["</end>"])

    assert stream.feed(b"1 </") == "1 "
    assert stream.finish() == "</"
    assert stream.finish() == ""


def test_nothing_comes_out_after_a_stop_string():
    stream = TextStream(["."])
    stream.feed(b"a.b")

    assert stream.feed(b"c") == ""
    assert stream.finish() == ""


def test_a_stop_string_inside_another_ends_the_text_first():
    stream = TextStream(["abcd", "bc"])

    assert stream.feed(b"abcd") == "a"
    assert stream.matched == "bc"


def test_of_stop_strings_that_complete_together_the_longest_is_cut():
    stream = TextStream(["User:", "\n\nUser:", ":"])

    assert stream.feed(b"Hi\n\nUser:") == "Hi"
    assert stream.matched == "\n\nUser:"


def test_a_stop_string_that_was_ignored_may_begin_the_next_one():
    stream = TextStream(["abab"])

    assert stream.feed(b"abab", may_stop=False) == "ab"
    assert stream.feed(b"ab") == ""
    assert stream.stopped


def test_a_piece_that_may_not_stop_can_begin_a_stop_string():
    stream = TextStream(["ab"])

    assert stream.feed(b"xa", may_stop=False) == "x"
    assert stream.feed(b"b") == ""
    assert stream.matched == "ab"


@pytest.mark.parametrize("piece", [b"", b"text"])
def test_without_stop_strings_text_passes_at_once(piece):
    assert TextStream().feed(piece) == piece.decode()


def test_an_empty_stop_string_is_a_mistake_of_ours():
    with pytest.raises(AssertionError):
        TextStream([""])


def test_an_opening_comes_out_first_and_holds_no_stop_string():
    stream = TextStream(["b"], opening="abc")

    assert stream.feed(b"a") == "abca"
    assert stream.feed(b"b") == ""
    assert stream.stopped


def test_an_opening_comes_out_though_nothing_follows():
    stream = TextStream(["b"], opening="abc")

    assert stream.feed(b"b") + stream.finish() == "abc"
