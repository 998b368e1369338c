from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inference.engine.logprobs import LogprobStream, Ranks
from inference.engine.text import TextStream

alphabet = "abé🙂"
texts = st.text(alphabet=alphabet, max_size=24)
stops = st.lists(st.text(alphabet=alphabet, min_size=1, max_size=4), max_size=2)


class Answer:
    """An answer that is written piece by piece, as an engine does it."""

    def __init__(self, stops=(), opening=""):
        self.text = TextStream(stops, opening)
        self.logprobs = LogprobStream(len(opening))
        self.opening, self.sent, self.told = opening, "", []

    def write(self, *pieces):
        """Each with a logprob of its own; the last one ends the answer."""
        for index, piece in enumerate(pieces):
            is_last = index == len(pieces) - 1
            text = self.text.feed(piece)
            if is_last or self.text.stopped:
                text += self.text.finish()
            self.logprobs.add(piece, Ranks(-float(index), []), [], self.text)
            told = self.logprobs.take(text, self.text, is_over=is_last)
            self.sent += text
            self.told += told
            self.check()
            if self.text.stopped:
                break
        return self

    def check(self):
        """No token is told before the whole of its text is, whatever comes next."""
        told = b"".join(token.text for token in self.told).decode(errors="ignore")
        assert self.text.stopped or self.sent.startswith(self.opening + told)


def cut(data, places):
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


@given(texts, stops, st.lists(st.integers(0, 200), max_size=12))
def test_the_tokens_told_are_the_text_and_the_rest_of_the_last_one(text, stops, places):
    answer = Answer(stops).write(*cut(text.encode(), places))

    told = b"".join(token.text for token in answer.told)
    last = answer.told[-1].text if answer.told else b""
    assert told.decode(errors="ignore").startswith(answer.sent)
    assert len(told) - len(answer.sent.encode()) <= len(last)
    assert [token.logprob for token in answer.told] == [-float(i) for i in range(len(answer.told))]


@given(texts, st.lists(st.integers(0, 200), max_size=12), st.text(alphabet, max_size=4))
def test_offsets_say_where_a_tokens_text_begins(text, places, opening):
    answer = Answer(opening=opening).write(*cut(text.encode(), places))

    before = [b"".join(t.text for t in answer.told[:i]) for i in range(len(answer.told))]
    decoded = [opening + data.decode(errors="ignore") for data in before]
    assert [token.offset for token in answer.told] == [len(text) for text in decoded]
    assert answer.sent == opening + text


def test_tokens_wait_with_the_text_that_waits():
    answer = Answer(["bbc"])
    answer.write(b"a", b"b", b"b", b"a", b"a")

    waits = Answer(["bbc"])
    waits.text.feed(b"b")
    waits.logprobs.add(b"b", Ranks(-1.0, []), [], waits.text)

    assert waits.logprobs.take("", waits.text, is_over=False) == []
    assert [token.text for token in answer.told] == [b"a", b"b", b"b", b"a", b"a"]


def test_tokens_within_a_stop_string_are_not_told():
    answer = Answer(["stop"]).write(b"a s", b"to", b"p", b"more")

    assert (answer.sent, [token.text for token in answer.told]) == ("a ", [b"a s"])


def test_a_part_of_a_character_waits_for_the_rest():
    answer = Answer()
    first, rest = "é".encode()[:1], "é".encode()[1:]
    answer.text.feed(first)
    answer.logprobs.add(first, Ranks(-1.0, []), [], answer.text)
    assert answer.logprobs.take("", answer.text, is_over=False) == []

    text = answer.text.feed(rest)
    answer.logprobs.add(rest, Ranks(-2.0, []), [], answer.text)

    told = answer.logprobs.take(text, answer.text, is_over=False)
    assert [(token.text, token.offset) for token in told] == [(first, 0), (rest, 0)]
