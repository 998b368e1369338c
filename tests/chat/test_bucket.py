"""How often something may happen."""

from hypothesis import given
from hypothesis import strategies as st

from chat.bucket import Bucket


def test_what_is_there_can_be_taken_at_once_and_comes_back_with_time():
    bucket = Bucket(2, 10, now=0.0)

    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0)] == [True, True, False]
    assert [bucket.take(0.1), bucket.take(0.1)] == [True, False]


@given(st.lists(st.floats(0, 5), max_size=200))
def test_no_more_is_taken_than_there_ever_was(pauses):
    bucket, now, taken = Bucket(3, 2, now=0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)

    assert taken <= 3 + 2 * now + 1e-6
