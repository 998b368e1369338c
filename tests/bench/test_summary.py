import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.serving.answer import Answer
from bench.serving.percentile import percentile
from bench.serving.question import Piece, Question
from bench.serving.summary import ratio, summary
from bench.serving.workload import Measured

QUESTION = Question((), 4)


def answer(asked_at, *came_at, tokens=None):
    return Answer(QUESTION, asked_at, "text", list(came_at), tokens)


def measured(answers, seconds=2.0, **facts):
    return Measured(answers, seconds, 3.0, 1.0, 2**20, answers, facts)


def test_percentiles_are_values_that_were_seen():
    values = list(range(1, 101))

    assert [percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]


def test_the_percentiles_of_one_value_are_that_value():
    assert percentile([7.0], 1) == percentile([7.0], 99) == 7.0


def test_there_is_no_percentile_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_at_least_so_many_percent_are_not_above_a_percentile(values, percent):
    found = percentile(values, percent)

    assert found in values
    assert sum(v <= found for v in values) >= len(values) * percent / 100 - 1e-6


def test_rounds_become_one_heap_of_answers_and_a_rate_each():
    first = measured([answer(0.0, 1.0, 1.5, tokens=10)], seconds=1.0)
    second = measured([answer(0.0, 3.0, 3.1, tokens=2)], seconds=3.0)

    found = summary([first, second])

    assert found.rates == [10.0, pytest.approx(2 / 3)]
    assert found.tokens_per_second == 3.0
    assert (found.ttft_p50, found.ttft_p95) == (1.0, 3.0)
    assert found.gap_p95 == 0.5
    assert found.cpu_per_token == 0.5
    assert found.front_per_token == pytest.approx(1 / 6)


def test_the_facts_of_several_rounds_are_their_median():
    rounds = [measured([answer(0.0, 1.0)], idle=x) for x in (1.0, 5.0, 2.0)]

    assert summary(rounds).facts == {"idle": 2.0}


def test_only_timed_answers_say_how_long_the_first_text_takes():
    result = measured([answer(0.0, 9.0), answer(0.0, 1.0)])
    result.timed = result.answers[1:]

    assert summary([result]).ttft_p95 == 1.0


def test_an_answer_without_text_has_no_time_to_it():
    with pytest.raises(ValueError, match="no text"):
        _ = answer(0.0).ttft


def test_tokens_are_those_that_the_server_counts_else_the_pieces():
    left = Answer(QUESTION, 0.0)
    left.take(Piece("a"), 1.0)
    left.take(Piece("b"), 2.0)
    assert left.tokens == 2

    left.take(Piece(tokens=5), 3.0)
    assert (left.tokens, left.text, left.came_at) == (5, "ab", [1.0, 2.0])


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [(1.0, 4.0, 0.25), (None, 1.0, None), (1.0, None, None)]
)
def test_a_ratio_needs_both(ours, theirs, expected):
    assert ratio(ours, theirs) == expected


def test_nothing_is_divided_by_nothing():
    assert ratio(1.0, 0.0) is None
