"""What clients may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.frames import Send, decode
from inference.runtime import InvalidParameter

UID = "7d1f2a34-0000-4000-8000-000000000001"


def refusal(text):
    with pytest.raises(InvalidParameter) as caught:
        decode(text)
    return caught.value.message


def test_a_frame_of_ours_is_read():
    assert decode('{"type": "send", "text": "Hello", "ref": "1"}') == Send(text="Hello", ref="1")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"type": "shout", "text": "a"}', "'shout'"),
        ('{"type": "send"}', "`text`"),
        ('{"type": "send", "text": 1}', "$.text"),
        ('{"type": "send", "text": "a", "colour": "red"}', "`colour`"),
        ('{"type": "stop", "message": "mine"}', "$.message"),
        (f'{{"type": "resume", "conversation": "{UID}", "seq": "x"}}', "$.seq"),
        (f'{{"type": "resume", "conversation": "{UID}", "seq": -1}}', "$.seq"),
        (f'{{"type": "stop", "message": "{UID}", "ref": "{"x" * 101}"}}', "$.ref"),
        ("hello", "malformed"),
        ("", "truncated"),
        ("[" * 100_000, "frame"),
    ],
)
def test_a_refusal_names_what_is_wrong(text, named):
    assert named in refusal(text)


@given(st.text())
def test_anything_else_is_refused_in_words(text):
    assert refusal(text)
