from hypothesis import given
from hypothesis import strategies as st

from inference.engine import lookup
from inference.engine.lookup import Lookup, Trust

texts = st.lists(st.integers(0, 3), max_size=40)


def draft_of(tokens, max_tokens=4):
    return Lookup(tokens).draft(max_tokens)


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
    found = Lookup(prompt)
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


def judged(*shares, trust=None):
    trust = trust or Trust()
    for drafted, accepted in shares:
        trust.note(drafted, accepted)
    return trust


def test_drafts_that_are_wrong_stop_after_a_few():
    found = Lookup([1, 2, 1, 2])
    for _ in range(lookup.TRIAL_DRAFTS):
        assert found.draft(4)
        found.judge(4, 0)

    assert found.draft(4) == []


def fail(trust):
    """Until there are no drafts; then how many tokens are without."""
    while trust.is_on:
        trust.note(4, 0)
    passed = 0
    while not trust.is_on:
        trust.pass_token()
        passed += 1
    return passed


def test_they_are_tried_again_after_a_while_and_then_later():
    trust = Trust()

    assert [fail(trust) for _ in range(6)] == [64, 128, 256, 512, 1024, 1024]


def test_a_trial_that_goes_well_forgets_how_long_the_pauses_were():
    trust = Trust()
    assert [fail(trust), fail(trust)] == [64, 128]
    trust.note(4, 4)

    assert fail(trust) == 64


@given(st.lists(st.sampled_from([(4, 1), (4, 2), (4, 4), (8, 2)]), max_size=60))
def test_drafts_of_which_a_quarter_is_right_go_on(shares):
    assert judged(*shares).is_on


def test_no_draft_is_no_judgement():
    found = Lookup([1, 2, 1, 2])
    for _ in range(10):
        found.judge(0, 0)

    assert found.draft(1) == [1]


def test_one_draft_does_not_decide():
    assert judged((8, 0)).is_on
