from hypothesis import given
from hypothesis import strategies as st

from inference.engine.kvcache import KvCache

NUM_CELLS = 20
# (slot, tokens to hold in all), or (slot, None) to release
changes = st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 25)), max_size=30)


def apply(cache, held, slot, num_tokens):
    """Do it to the cache, and to a plain account of who holds what."""
    if num_tokens is None:
        cache.release(slot)
        held.pop(slot, None)
        return True
    fits = sum({**held, slot: num_tokens}.values()) <= NUM_CELLS
    if fits:
        held[slot] = num_tokens
    return cache.try_hold(slot, num_tokens) == fits


@given(changes)
def test_cells_are_held_exactly_while_they_suffice(changes):
    cache, held = KvCache(NUM_CELLS), {}

    for change in changes:
        assert apply(cache, held, *change)
        assert cache.num_used == sum(held.values())
        assert cache.num_free == NUM_CELLS - cache.num_used


def test_all_cells_can_be_held_and_not_one_more():
    cache = KvCache(8)

    assert cache.try_hold(0, 5)
    assert cache.try_hold(1, 3)
    assert not cache.try_hold(1, 4)
    assert (cache.num_used, cache.num_free) == (8, 0)


def test_a_slot_grows_by_the_difference():
    cache = KvCache(8)
    cache.try_hold(0, 5)

    assert cache.try_hold(0, 8)
    assert cache.num_used == 8


def test_a_refusal_changes_nothing():
    cache = KvCache(8)
    cache.try_hold(0, 5)

    assert not cache.try_hold(0, 9)
    assert not cache.try_hold(1, 4)
    assert cache.num_used == 5
    cache.release(0)
    assert cache.num_used == 0


def test_a_released_slot_starts_anew():
    cache = KvCache(8)
    cache.try_hold(0, 8)
    cache.release(0)

    assert cache.try_hold(1, 8)


def test_releasing_what_holds_nothing_does_nothing():
    cache = KvCache(8)
    cache.try_hold(0, 5)

    cache.release(1)

    assert cache.num_used == 5


# Shared cells


def test_shared_cells_are_counted_once():
    cache = KvCache(20)
    cache.try_hold(0, 8)

    cache.share(0, 1, 6)
    assert cache.num_used == 8
    cache.try_hold(1, 9)

    assert cache.num_used == 8 + 3


@given(st.permutations([0, 1, 2]))
def test_shared_cells_are_free_when_the_last_lets_go(order):
    cache = KvCache(20)
    cache.try_hold(0, 8)
    cache.share(0, 1, 6)
    cache.share(1, 2, 6)
    own = {0: 2, 1: 0, 2: 0}

    for slot in order:
        used = cache.num_used
        cache.release(slot)
        is_last = slot == order[-1]
        assert used - cache.num_used == own[slot] + 6 * is_last
    assert cache.num_used == 0


def test_who_is_left_alone_can_share_again():
    cache = KvCache(20)
    cache.try_hold(0, 8)
    cache.share(0, 1, 6)
    cache.release(0)

    cache.share(1, 0, 6)

    assert cache.num_used == 6
