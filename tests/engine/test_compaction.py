"""What is left of a crowd is laid together again, where cells that nobody uses cost time."""

import msgspec
import pytest

from inference.engine import scheduler as scheduling
from inference.engine.engine import Engine
from tests.engine.simulation import Simulation, answer_of

from .test_engine import Bench
from .test_speech import AsyncBackend, texts


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(scheduling, "LEAST_SPREAD", 64)
    monkeypatch.setattr(scheduling, "LEAST_SPARSENESS", 4)
    monkeypatch.setattr(scheduling, "MOST_MOVED", 32)


def crowded(**fields):
    """One that goes on for long, and a large one that has just left."""
    simulation = Simulation(num_cells=200, batch_tokens=100, max_idle_cells=0)
    lasting = simulation.arrive([1, 2, 3], 20, **fields)
    simulation.arrive([2] * 90, 1)
    simulation.step()
    return simulation, lasting


def test_what_is_left_of_a_crowd_is_sparse_and_then_is_not():
    simulation, lasting = crowded()
    assert simulation.scheduler.cache.num_spread >= 93
    assert simulation.scheduler.is_sparse

    simulation.compact()
    assert not simulation.scheduler.is_sparse
    simulation.run()

    assert lasting.output_tokens == answer_of([1, 2, 3], 20)
    assert simulation.scheduler.cache.num_spread < 64


def test_a_crowd_is_not():
    simulation = Simulation(num_cells=200, batch_tokens=100)
    simulation.arrive([2] * 90, 2)
    simulation.step()
    assert not simulation.scheduler.is_sparse


def test_nobody_is_moved_whose_place_another_waits_for():
    simulation, _ = crowded()
    simulation.arrive([1], 1)
    assert not simulation.scheduler.is_sparse


@pytest.mark.parametrize("fields", [{"use_cache": False}, {"is_alone": True}])
def test_nobody_is_moved_who_would_have_to_be_computed_again(fields):
    simulation, lasting = crowded(**fields)
    if lasting.is_alone:  # the other one came after it
        simulation.scheduler.cache._num_spread = 100
    assert not simulation.scheduler.is_sparse


class TestEngine:
    def bench(self, monkeypatch, *, is_async):
        class Backend(AsyncBackend):
            def __init__(self, config):
                super().__init__(config)
                self.info = msgspec.structs.replace(self.info, is_async=is_async, idle_tokens=0)

        monkeypatch.setattr("tests.engine.test_engine.Backend", Backend)
        return Bench(snapshot_memory_bytes=2**20)

    @pytest.mark.parametrize("is_async", [True, False])
    def test_moves_by_way_of_snapshots(self, monkeypatch, is_async):
        monkeypatch.setattr("inference.engine.archive.LEAST_RESTORED_TOKENS", 1)
        monkeypatch.setattr("inference.engine.kvcache.LEAST_SAVED_TOKENS", 1)
        monkeypatch.setattr("inference.engine.archive.LEAST_SAVED_TOKENS", 1)
        bench = self.bench(monkeypatch, is_async=is_async)
        assert isinstance(bench.engine, Engine)
        lasting = bench.submit(text="a b c", max_tokens=20, ignore_eos=True)
        bench.submit(text="x " * 90, max_tokens=1)
        bench.finish()

        assert texts(bench)[lasting] == "a b c " * 6 + "a b "
        assert len(bench.backend.restored) == is_async
        cost = sum(len(w.tokens) for b in bench.backend.batches for w in b)
        assert cost == 3 + 90 + 19, "nothing is computed again"
