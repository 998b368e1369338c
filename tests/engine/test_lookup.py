from hypothesis import given
from hypothesis import strategies as st

from inference.engine.lookup import Lookup

texts = st.lists(st.integers(0, 3), max_size=40)


def paying(tokens):
    """Its guesses have been right."""
    found = Lookup(tokens)
    found._pays = True
    for _ in range(3):
        found.judge(1, 1)
    return found


def draft_of(tokens, max_tokens=4):
    return paying(tokens).draft(max_tokens)


def expected(tokens, max_tokens):
    """Plainly: the last place where the last tokens stood before, and what came after it."""
    for length in (3, 2):
        for end in range(len(tokens) - 1, length - 1, -1):
            if tokens[end - length : end] == tokens[-length:]:
                text = list(tokens)
                while len(text) < end + max_tokens:
                    text.append(text[end + len(text) - len(tokens)])
                return text[end : end + max_tokens]
    return []


@given(texts, texts, st.integers(0, 12))
def test_a_draft_is_what_followed_the_last_time(prompt, answer, max_tokens):
    found = paying(prompt)
    for token in answer:
        found.append(token)

    assert found.draft(max_tokens) == expected([*prompt, *answer], max_tokens)


def test_three_tokens_tell_more_than_two():
    assert draft_of([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3]) == [7, 9, 2, 3]


def test_the_last_place_counts():
    assert draft_of([1, 2, 7, 1, 2, 8, 1, 2], 1) == [8]


def test_what_repeats_itself_goes_on_to():
    assert draft_of([5, 6, 5, 6], 5) == [5, 6, 5, 6, 5]
    assert draft_of([5, 5, 5], 3) == [5, 5, 5]


def test_a_text_without_repetition_has_no_draft():
    assert draft_of([1, 2, 3, 4, 5]) == draft_of([]) == draft_of([1, 1]) == []


def test_nothing_is_drafted_where_there_is_no_room():
    assert draft_of([1, 2, 1, 2], 0) == draft_of([1, 2, 1, 2], -1) == []


# Whether it pays


def test_nothing_is_drafted_before_three_guesses_would_have_been_right_as_often_as_not():
    found = Lookup([1, 2, 3, 4, 5, 6, 7])
    drafts = [found.draft(1)]
    for token in (1, 2, 3, 4, 5):
        found.append(token)
        drafts.append(found.draft(1))

    assert drafts == [[], [], [], [], [], [6]]


def test_what_seldom_comes_as_before_is_never_drafted():
    found = Lookup([1, 2])
    for number in range(10, 100):
        for token in (1, 2, number):
            found.append(token)
            assert found.draft(4) == []


def test_drafts_that_are_wrong_stop_until_they_would_have_been_right():
    found = paying([1, 2, 3, 4, 5, 6] * 3)
    num_wrong = 0
    while found.draft(4):
        found.judge(4, 0)
        num_wrong += 1
    assert num_wrong <= 6

    for token in (1, 2):
        found.append(token)
        assert found.draft(4) == []
    found.append(3)
    assert found.draft(4) == [4, 5, 6, 1]


@given(st.lists(st.sampled_from([(4, 1), (4, 2), (4, 4), (8, 2)]), max_size=60))
def test_drafts_of_which_a_quarter_is_right_go_on(shares):
    found = paying([1, 2, 3] * 3)
    for num_drafted, num_accepted in shares:
        found.judge(num_drafted, num_accepted)

    assert found.draft(1) == [1]


def test_no_draft_is_no_judgement():
    found = paying([1, 2, 1, 2])
    for _ in range(10):
        found.judge(0, 0)

    assert found.draft(1) == [1]


def test_one_draft_does_not_decide():
    found = paying([1, 2] * 9)
    found.judge(2, 0)

    assert found.draft(1) == [1]
