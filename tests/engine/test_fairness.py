"""Who gets how much, and whose turn is when."""

from collections import Counter

import pytest

from inference.engine.fairness import Shares
from inference.engine.tempo import LARGEST_CHANGE, LEAST_TOKENS, Tempo
from inference.engine.waiting import AGEING_SECONDS
from tests.engine.simulation import Simulation, answer_of


def ids(sequences):
    return [sequence.id for sequence in sequences]


def owners(sequences):
    return Counter(sequence.owner for sequence in sequences)


def computed(simulation, steps):
    """Tokens of each owner in so many steps."""
    tokens = Counter()
    for _ in range(steps):
        for work in simulation.step():
            tokens[work.sequence.owner] += len(work.tokens)
    return tokens


@pytest.mark.parametrize(
    ("alice", "bob"),
    [((4, 20), (4, 20)), ((4, 40), (4, 5)), ((30, 4), (2, 20)), ((2, 60), (40, 2))],
    ids=["alike", "long and short answers", "long prompts and answers", "answers and prompts"],
)
def test_two_who_saturate_an_engine_get_half_of_it_each(alice, bob):
    simulation = Simulation(num_cells=2000, max_sequences=8, batch_tokens=64)
    for number in range(400):
        for owner, (prompt, answer) in {"alice": alice, "bob": bob}.items():
            first = 1000 * number + (owner == "bob")
            simulation.arrive([first] * prompt, answer, owner=owner)

    tokens = computed(simulation, 600)

    assert min(tokens.values()) / sum(tokens.values()) >= 0.45


def test_many_requests_do_not_make_a_larger_share():
    simulation = Simulation(num_cells=2000, max_sequences=8, batch_tokens=64)
    for number in range(200):
        simulation.arrive([number] * 4, 20, owner="alice")
    for _ in range(30):
        simulation.step()
    for number in range(20):
        simulation.arrive([number] * 4, 20, owner="bob")

    tokens = computed(simulation, 40)

    assert 0.45 <= tokens["bob"] / sum(tokens.values()) <= 0.55


def test_one_among_many_enters_at_once():
    simulation = Simulation(num_cells=2000, max_sequences=8, batch_tokens=64)
    for number in range(40):
        simulation.arrive([number] * 4, 50, owner="alice")
    for _ in range(10):
        simulation.step()

    single = simulation.arrive([7] * 4, 5, owner="bob")
    simulation.step()

    assert single in simulation.scheduler.running
    assert owners(simulation.scheduler.running) == {"alice": 7, "bob": 1}


def test_who_is_paused_for_another_loses_nothing():
    simulation = Simulation(num_cells=2000, max_sequences=2, batch_tokens=64)
    first = [simulation.arrive([number] * 4, 20, owner="alice") for number in range(2)]
    for _ in range(5):
        simulation.step()
    computed_before = simulation.num_computed
    simulation.arrive([7] * 4, 5, owner="bob")

    simulation.run()

    assert [s.output_tokens for s in first] == [answer_of([n] * 4, 20) for n in range(2)]
    needed = 2 * (4 + 19) + 4 + 4
    assert simulation.num_computed == needed > computed_before


def test_who_has_been_away_is_owed_nothing():
    shares = Shares()
    shares.arrive("alice")
    shares.charge("alice", 1000)

    shares.arrive("bob")

    assert shares.served("bob") == shares.served("alice")


def test_leaving_does_not_wipe_out_what_was_had():
    shares = Shares()
    shares.arrive("alice")
    shares.arrive("bob")
    shares.charge("alice", 1000)
    shares.leave("alice", 1000)

    shares.arrive("alice")

    assert shares.served("alice") == 1000
    assert shares.served("bob") == 0


def test_nobody_is_remembered_who_could_not_be_told_from_a_newcomer():
    shares = Shares()
    for number in range(1000):
        shares.arrive(f"owner {number}")
        shares.charge(f"owner {number}", 10)
        shares.leave(f"owner {number}", 10)
    shares.arrive("alice")

    assert len(shares._served) <= 2


# Classes


def test_a_better_class_takes_the_place_of_a_lesser_one():
    simulation = Simulation(num_cells=100, max_sequences=1)
    background = simulation.arrive([1, 2], 20, priority=2)
    simulation.step()
    simulation.step()

    interactive = simulation.arrive([3, 4], 3, priority=0)
    simulation.step()
    assert ids(simulation.scheduler.running) == [interactive.id]
    simulation.run()

    assert ids(simulation.finished) == [interactive.id, background.id]
    assert background.output_tokens == answer_of([1, 2], 20)


def test_a_long_wait_is_as_good_as_a_class():
    simulation = Simulation(num_cells=100, max_sequences=1)
    simulation.arrive([1, 2], 20)
    simulation.step()
    background = simulation.arrive([3], 3, priority=2)
    simulation.now += 2 * AGEING_SECONDS
    interactive = simulation.arrive([4], 3, priority=0)

    assert ids(simulation.scheduler.queue(simulation.now)) == [background.id, interactive.id]


def test_a_model_that_would_have_to_compute_again_pauses_nobody():
    simulation = Simulation(num_cells=100, max_sequences=1, can_share=False)
    background = simulation.arrive([1, 2], 20, priority=2)
    simulation.step()
    simulation.arrive([3, 4], 3, priority=0)

    simulation.step()

    assert ids(simulation.scheduler.running) == [background.id]


def test_a_crowd_does_not_age_while_its_owner_is_served():
    simulation = Simulation(num_cells=200, max_sequences=1)
    for number in range(3):
        simulation.arrive([1 + number], 12, owner="alice", priority=2)
    while not simulation.finished:
        simulation.now += AGEING_SECONDS / 4
        simulation.step()
    simulation.step()
    interactive = simulation.arrive([9], 3, owner="bob", priority=0)

    simulation.step()

    assert ids(simulation.scheduler.running) == [interactive.id]


def test_a_better_class_takes_cells_of_a_lesser_one():
    simulation = Simulation(num_cells=40, max_sequences=4)
    background = simulation.arrive([1] * 24, 10, priority=2)
    simulation.step()
    small = simulation.arrive([2], 10, priority=2)
    simulation.step()
    interactive = simulation.arrive([3] * 20, 3, priority=0)

    simulation.step()

    assert ids(simulation.scheduler.running) == [small.id, interactive.id], "no more than it takes"
    simulation.run()
    assert background.output_tokens == answer_of([1] * 24, 10)


def test_nobody_is_paused_for_one_that_would_not_fit_even_then():
    simulation = Simulation(num_cells=40, max_sequences=2)
    simulation.arrive([1] * 24, 10, priority=0)
    simulation.step()
    simulation.arrive([2], 10, priority=2)
    simulation.step()
    simulation.arrive([3] * 20, 3, priority=0)

    simulation.step()

    assert ids(simulation.scheduler.running) == [1, 2]


def test_who_has_just_entered_is_not_paused_for_the_next():
    simulation = Simulation(num_cells=100, max_sequences=3)
    simulation.arrive([1] * 60, 20, owner="bob")
    simulation.step()
    for first in (2, 3):
        simulation.arrive([first] * 60, 1, owner="alice")  # they do not fit
    for first in (4, 5):
        simulation.arrive([first], 20, owner="bob")
    simulation.arrive([6], 1, owner="alice")

    entered = simulation.scheduler.admit(0)

    assert entered
    assert all(sequence in simulation.scheduler.running for sequence in entered)


def test_nobody_waits_for_what_a_lesser_class_computes():
    simulation = Simulation(num_cells=400, batch_tokens=8)
    prompt = list(range(100))
    simulation.arrive(prompt, 1, priority=2)
    simulation.step()

    interactive = simulation.arrive([*prompt, 7], 1, priority=0)
    simulation.step()

    assert interactive in simulation.scheduler.running


def test_what_is_not_to_be_kept_is_paused_with_all_it_has_and_then_gone():
    simulation = Simulation(num_cells=200, max_sequences=1, batch_tokens=64)
    uncached = simulation.arrive([1] * 40, 8, priority=2, use_cache=False)
    simulation.step()
    simulation.arrive([2] * 4, 2, priority=0)

    simulation.run()

    assert uncached.output_tokens == answer_of([1] * 40, 8)
    assert simulation.num_computed == 40 + 7 + 4 + 1
    assert [path.tokens[0] for _, path in simulation.scheduler.cache.idle()] == [2]


def test_what_leaves_while_it_is_paused_is_not_kept_either():
    simulation = Simulation(num_cells=200, max_sequences=1, batch_tokens=64)
    uncached = simulation.arrive([1] * 40, 8, priority=2, use_cache=False)
    simulation.step()
    simulation.send_back(uncached)

    simulation.remove(uncached)

    assert simulation.slots.num_used == 0


def test_who_never_ran_says_nothing_of_what_requests_cost():
    simulation = Simulation(num_cells=100, max_sequences=1)
    simulation.arrive([1], 4)
    simulation.step()
    before = simulation.scheduler.shares.mean_cost
    for number in range(9):
        simulation.remove(simulation.arrive([number], 4))

    assert simulation.scheduler.shares.mean_cost == before


# Caps


def test_what_is_over_a_cap_waits_and_holds_up_nobody():
    simulation = Simulation(num_cells=100)
    for number in range(3):
        simulation.arrive([number], 9, owner="alice", caps={"key 1": 2})
    simulation.arrive([3], 9, owner="alice")

    simulation.step()

    assert ids(simulation.scheduler.running) == [1, 2, 4]
    simulation.run()
    assert len(simulation.finished) == 4


# Chunks


def test_chunks_shrink_until_a_step_takes_what_it_may():
    tempo = Tempo(64, most=512, target_seconds=0.2)
    for _ in range(20):
        tempo.note(tempo.chunk_tokens, tempo.chunk_tokens / 100)

    assert tempo.chunk_tokens in (19, 20)


def test_chunks_grow_with_a_fast_machine_up_to_a_batch():
    tempo = Tempo(64, most=512, target_seconds=0.2)
    for _ in range(20):
        tempo.note(tempo.chunk_tokens, tempo.chunk_tokens / 100_000)

    assert tempo.chunk_tokens == 512


def test_one_slow_step_does_not_stop_prompts():
    tempo = Tempo(64, most=512, target_seconds=0.2)
    tempo.note(64, 100.0)
    assert tempo.chunk_tokens >= 64 / LARGEST_CHANGE - 1

    for _ in range(50):
        tempo.note(tempo.chunk_tokens, 100.0)
    assert tempo.chunk_tokens == LEAST_TOKENS


def test_a_part_of_a_chunk_says_nothing():
    tempo = Tempo(64, most=512, target_seconds=0.2)

    tempo.note(10, 0.001)

    assert tempo.chunk_tokens == 64


def test_a_part_of_a_chunk_that_takes_too_long_makes_chunks_smaller():
    tempo = Tempo(64, most=512, target_seconds=0.2)

    tempo.note(60, 0.24)
    assert tempo.chunk_tokens == 50

    tempo.note(2, 0.3)
    assert tempo.chunk_tokens == int(50 / LARGEST_CHANGE), "a single slow step says little"


def test_a_prompt_that_was_computed_at_once_says_nothing():
    tempo = Tempo(64, most=512, target_seconds=0.2)

    tempo.note(200, 5.0)

    assert tempo.chunk_tokens == 64


@pytest.mark.parametrize(
    ("num_answers", "chunk"), [(1, 62), (7, 56), (47, 16), (48, 64), (63, 64), (200, 64)]
)
def test_prompts_fill_what_a_step_may_mix_unless_that_is_too_little(num_answers, chunk):
    tempo = Tempo(64, most=512, target_seconds=0.2, most_mixed=63)

    assert tempo.beside(num_answers) == chunk
    assert Tempo(64, most=512, target_seconds=0.2).beside(num_answers) == 64
    assert Tempo(20, most=512, target_seconds=0.2, most_mixed=63).beside(1) == 20


def test_what_was_chosen_stays():
    tempo = Tempo(64, most=512, target_seconds=0.0)

    tempo.note(64, 5.0)

    assert tempo.chunk_tokens == 64
