"""The shape of a conversation."""

from hypothesis import given
from hypothesis import strategies as st

from chat.tree import Tree

#   1 ── 2 ── 3
#     └─ 4 ── 5
#          └─ 6
#   7
PARENTS = {1: None, 2: 1, 3: 2, 4: 1, 5: 4, 6: 4, 7: None}


def test_a_path_leads_from_the_first_message_to_the_last():
    assert Tree(PARENTS).path(6) == [1, 4, 6]


def test_nothing_leads_nowhere():
    assert Tree({}).path(None) == []


def test_siblings_answer_the_same_message():
    assert Tree(PARENTS).siblings(4) == [2, 4]
    assert Tree(PARENTS).siblings(7) == [1, 7]


def test_a_branch_is_left_at_its_latest_message():
    assert Tree(PARENTS).newest_leaf(1) == 6
    assert Tree(PARENTS).newest_leaf(2) == 3
    assert Tree(PARENTS).newest_leaf(5) == 5


@st.composite
def parents(draw):
    keys = range(1, draw(st.integers(1, 30)) + 1)
    return {key: draw(st.sampled_from([None, *range(1, key)])) for key in keys}


@given(parents())
def test_the_newest_leaf_has_no_children_and_lies_below(parents):
    tree = Tree(parents)
    for key in parents:
        leaf = tree.newest_leaf(key)
        assert leaf not in parents.values()
        assert key in tree.path(leaf)


@given(parents())
def test_each_message_is_the_last_of_its_own_path_once(parents):
    tree = Tree(parents)
    for key in parents:
        path = tree.path(key)
        assert path[-1] == key
        assert len({*path}) == len(path)
        assert key in tree.siblings(key)
