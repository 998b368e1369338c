import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.request import Request, Sequence
from inference.engine.sampling import SamplingParams
from inference.engine.stats import Timings, Usage
from inference.engine.text import TextStream

tokens = st.lists(st.integers(0, 9), max_size=10)


def sequence_of(prompt, output=(), *, num_computed=0, min_tokens=0, **facts):
    return Sequence(
        request=Request(id=7, tokens=prompt, params=SamplingParams(min_tokens=min_tokens)),
        prompt_tokens=prompt,
        max_tokens=8,
        text=TextStream(),
        output_tokens=list(output),
        num_computed=num_computed,
        **{"submitted_at": 10.0, **facts},
    )


@given(tokens, tokens, st.integers(0, 20), st.integers(0, 20))
def test_pending_are_the_next_tokens_of_prompt_and_answer(prompt, output, done, limit):
    sequence = sequence_of(prompt, output, num_computed=done)

    assert sequence.pending(limit) == (prompt + output)[done : done + limit]


@given(tokens, tokens, st.integers(1, 5))
def test_taken_piece_by_piece_nothing_is_left_out(prompt, output, limit):
    sequence = sequence_of(prompt, output)
    taken = []
    for _ in range(sequence.num_tokens):
        piece = sequence.pending(limit)
        sequence.num_computed += len(piece)
        taken += piece

    assert taken == prompt + output
    assert sequence.num_pending == 0


def test_a_sequence_decodes_once_only_its_last_token_is_to_be_computed():
    assert not sequence_of([1, 2, 3]).is_decoding
    assert not sequence_of([1, 2, 3], num_computed=2).is_decoding
    assert sequence_of([1, 2, 3], [4], num_computed=3).is_decoding
    assert sequence_of([1, 2, 3], [4, 5], num_computed=4).is_decoding


def test_a_sequence_that_lost_its_place_is_prefilled_again():
    sequence = sequence_of([1, 2, 3], [4, 5])

    assert sequence.num_pending == 5
    assert not sequence.is_decoding


def test_an_answer_may_stop_once_it_has_its_least_tokens():
    assert sequence_of([1]).may_stop
    assert not sequence_of([1], [2], min_tokens=2).may_stop
    assert sequence_of([1], [2, 3], min_tokens=2).may_stop


def test_the_sequence_has_the_id_of_its_request():
    assert sequence_of([1]).id == 7


def test_usage_counts_prompt_and_answer():
    assert sequence_of([1, 2, 3], [4, 5]).usage() == Usage(3, 2)
    assert sequence_of([1, 2, 3], [4, 5]).usage().total_tokens == 5


def test_timings_split_the_time_at_admission_and_first_token():
    sequence = sequence_of([1], admitted_at=11.0, first_token_at=13.0)

    assert sequence.timings(now=17.0) == Timings(queued=1, prefill=2, decode=4)
    assert sequence.timings(now=17.0).total == 7


def test_what_never_was_admitted_only_waited():
    assert sequence_of([1]).timings(now=17.0) == Timings(queued=7, prefill=0, decode=0)


def test_what_never_had_a_token_did_not_decode():
    sequence = sequence_of([1], admitted_at=11.0)

    assert sequence.timings(now=17.0) == Timings(queued=1, prefill=6, decode=0)


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        ({"text": "Hi"}, "prompt"),
        ({"tokens": [1]}, "prompt"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "messages"),
    ],
)
def test_errors_about_the_prompt_name_the_field_it_came_in(prompt, param):
    assert Request(id=1, **prompt).prompt_param == param
