"""Whose inputs are computed next."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from inference.engine.embedding import EmbedRequest, Job
from inference.engine.rota import Rota
from inference.engine.waiting import AGEING_SECONDS

sizes = st.lists(st.integers(1, 20), min_size=1, max_size=30)


def job(id, lengths, priority=1, owner="", at=0.0):
    request = EmbedRequest(id=id, priority=priority, owner=owner)
    return Job(request, [[id] * n for n in lengths], at)


def rota_of(*jobs, batch_tokens=10, max_inputs=4):
    rota = Rota(batch_tokens=batch_tokens, max_inputs=max_inputs)
    for one in jobs:
        rota.add(one)
    return rota


def step(rota, now=0.0):
    """The plan as (id, number of inputs), carried out."""
    shares = rota.plan(now)
    for share in shares:
        share.job.num_done += len(share.inputs)
        if share.job.is_done:
            rota.remove(share.job)
    return [(share.job.id, len(share.inputs)) for share in shares]


def steps(rota):
    while rota.jobs:
        yield step(rota)


def test_nobody_there_means_nothing_to_do():
    assert rota_of().plan(0.0) == []


def test_a_small_request_does_not_wait_for_a_large_one():
    rota = rota_of(job(1, [2] * 100))
    step(rota)
    rota.add(job(2, [2]))
    assert (2, 1) in step(rota)


def test_inputs_are_taken_in_turn():
    assert step(rota_of(job(1, [1] * 9), job(2, [1] * 9), job(3, [1] * 9))) == [
        (1, 2),
        (2, 1),
        (3, 1),
    ]


def test_who_was_in_a_step_goes_behind_who_was_not():
    rota = rota_of(job(1, [1] * 9), job(2, [1] * 9), job(3, [1] * 9), max_inputs=2)
    assert [step(rota) for _ in range(3)] == [
        [(1, 1), (2, 1)],
        [(3, 1), (1, 1)],
        [(2, 1), (3, 1)],
    ]


def test_an_input_longer_than_a_step_has_one_alone():
    rota = rota_of(job(1, [3]), job(2, [50]), job(3, [3]))
    assert [*steps(rota)] == [[(1, 1)], [(2, 1)], [(3, 1)]]


def test_what_is_urgent_goes_first_and_leaves_the_rest_to_others():
    assert step(rota_of(job(1, [1] * 9, priority=2), job(2, [1] * 3, priority=0))) == [
        (2, 3),
        (1, 1),
    ]


def test_a_crowd_of_requests_makes_no_larger_share():
    rota = rota_of(*(job(id, [2] * 50, owner="alice") for id in range(20)))
    rota.add(job(99, [2] * 50, owner="bob"))

    inputs = Counter()
    for _ in range(20):
        for id, number in step(rota):
            inputs["bob" if id == 99 else "alice"] += number

    assert inputs["bob"] == inputs["alice"]


def test_who_has_long_inputs_gets_no_more_than_who_has_short_ones():
    rota = rota_of(job(1, [10] * 50, owner="alice"), job(2, [1] * 500, owner="bob"))

    tokens = Counter()
    for _ in range(40):
        for share in rota.plan(0.0):
            share.job.num_done += len(share.inputs)
            tokens[share.job.owner] += sum(map(len, share.inputs))

    assert 0.4 <= tokens["bob"] / tokens.total() <= 0.6


def test_a_lesser_class_has_its_turn_after_a_long_wait():
    background = job(1, [10] * 2, priority=2)
    rota = rota_of(job(2, [10] * 99, priority=0, owner="alice"), background)
    assert step(rota) == [(2, 1)]

    assert step(rota, now=2 * AGEING_SECONDS) == [(1, 1)]
    assert step(rota, now=2 * AGEING_SECONDS) == [(2, 1)], "and then waits anew"


@given(st.lists(st.tuples(sizes, st.integers(0, 2)), min_size=1, max_size=6), st.integers(1, 5))
def test_everything_is_done_once_in_order_and_within_the_step(requests, max_inputs):
    jobs = [job(id, lengths, priority) for id, (lengths, priority) in enumerate(requests)]
    expected = {one.id: one.inputs for one in jobs}
    rota = rota_of(*jobs, max_inputs=max_inputs)
    taken = {one.id: [] for one in jobs}

    while rota.jobs:
        shares = rota.plan(0.0)
        inputs = [tokens for share in shares for tokens in share.inputs]
        assert 1 <= len(inputs) <= max_inputs
        assert len(inputs) == 1 or sum(map(len, inputs)) <= rota.batch_tokens
        for share in shares:
            taken[share.job.id] += share.inputs
            share.job.num_done += len(share.inputs)
            if share.job.is_done:
                rota.remove(share.job)

    assert taken == expected
