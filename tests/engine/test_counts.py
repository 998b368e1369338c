import pytest

from inference.engine.counts import Counts
from inference.engine.errors import EngineRestarting


def death():
    return EngineRestarting("It died.")


async def test_an_answer_comes_to_whoever_asked():
    counts = Counts()
    with counts.waiting(1) as first, counts.waiting(2) as second:
        counts.answer(2, [5])
        counts.answer(1, [3, 4])
        assert (await first, await second) == ([3, 4], [5])


async def test_whoever_has_left_is_not_known_any_more():
    counts = Counts()
    with counts.waiting(1):
        assert 1 in counts
    assert 1 not in counts
    counts.answer(1, [3])
    counts.fail(1, death())


async def test_only_the_first_answer_counts():
    counts = Counts()
    with counts.waiting(1) as asked:
        counts.answer(1, [3])
        counts.answer(1, [4])
        counts.fail(1, death())
        assert await asked == [3]


async def test_all_fail_together_each_with_an_error_of_its_own():
    counts = Counts()
    with counts.waiting(1) as first, counts.waiting(2) as second:
        counts.fail_all(death)
        with pytest.raises(EngineRestarting) as one:
            await first
        with pytest.raises(EngineRestarting) as other:
            await second
    assert one.value is not other.value
