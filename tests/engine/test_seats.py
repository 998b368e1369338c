"""How many requests are taken at a time, and of whom."""

from inference.engine.seats import Seats


def taken(seats, owner, number):
    """How many of so many tries are successful."""
    return sum(seats.take(owner) for _ in range(number))


def test_one_owner_may_have_all_of_them_and_no_more():
    seats = Seats(8)
    assert taken(seats, "alice", 9) == 8

    seats.give_back("alice")
    assert taken(seats, "alice", 2) == 1


def test_a_crowd_has_nobody_else_refused():
    seats = Seats(8)
    taken(seats, "alice", 8)

    assert taken(seats, "bob", 9) == 4, "an equal share of two"
    assert taken(seats, "alice", 1) == 0
    assert taken(seats, "carol", 9) == 2, "and of three"


def test_there_are_never_more_than_twice_as_many():
    seats = Seats(8)
    taken(seats, "alice", 8)
    for number in range(40):
        taken(seats, f"owner {number}", 9)

    assert seats.num_taken <= 16


def test_who_is_refused_is_nobody_among_whom_the_seats_are_shared():
    seats = Seats(2)
    taken(seats, "alice", 2)
    taken(seats, "bob", 1)
    for number in range(9):
        assert not seats.take(f"owner {number}")

    for owner in ("alice", "alice", "bob"):
        seats.give_back(owner)
    assert seats.num_taken == 0


def test_where_there_are_none_nobody_gets_one():
    assert taken(Seats(0), "alice", 1) == 0
