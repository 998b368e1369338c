from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from inference.engine.pace import Pace

seconds = st.floats(0.01, 1000)


def waits(pace, ages, number):
    return list(islice(pace.waits(ages), number))


def paced(*noted):
    pace = Pace()
    for value in noted:
        pace.note(value)
    return pace


def test_nobody_can_tell_before_somebody_has_left():
    assert waits(paced(), [1.0], 2) == [None, None]


def test_nobody_can_tell_while_no_place_is_taken():
    assert waits(paced(4.0), [], 2) == [None, None]


def test_places_come_free_in_the_order_they_were_taken():
    assert waits(paced(10.0), [2.0, 7.0], 4) == [3.0, 8.0, 13.0, 18.0]


def test_whoever_keeps_a_place_for_longer_than_most_keeps_it_for_a_while_still():
    assert waits(paced(8.0), [100.0], 2) == [2.0, 10.0]


def test_what_was_lately_counts_more_than_what_was_long_ago():
    (wait,) = waits(paced(*[100.0] * 5, *[1.0] * 30), [0.0], 1)
    assert 1.0 < wait < 2.0


@given(st.lists(seconds, min_size=1, max_size=8), seconds, st.integers(1, 20))
def test_who_comes_later_waits_no_less_and_a_round_takes_the_mean_time(ages, mean, number):
    places = len(ages)
    queue = waits(paced(mean), ages, number + places)

    assert queue == sorted(queue)
    assert all(
        abs(later - earlier - mean) <= 1e-6 * later
        for earlier, later in zip(queue, queue[places:], strict=False)
    )
