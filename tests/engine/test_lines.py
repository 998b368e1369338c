"""A queue in which everybody has a line of their own."""

from inference.engine.lines import Lines


def test_owners_take_turns_and_what_is_of_one_comes_as_it_went():
    lines = Lines()
    for number in range(3):
        lines.put("alice", f"alice {number}")
    lines.put("bob", "bob 0")
    first = lines.get()
    lines.put("carol", "carol 0")

    rest = [lines.get() for _ in range(4)]

    assert [first, *rest] == ["alice 0", "bob 0", "alice 1", "carol 0", "alice 2"]
