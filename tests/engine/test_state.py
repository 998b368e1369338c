"""States of sequences, saved and restored by llama.cpp and by its stand-in."""

import pytest

from inference.engine.config import EngineConfig
from inference.engine.fake import FakeBackend
from tests.engine.slots import tell
from tests.tiny_gguf import make_tiny_gguf


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    """Keeps what the probe found, so that it runs once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=512)


@pytest.mark.parametrize("cache", ["f16", "q8_0"])
@pytest.mark.parametrize("story", ["resumed", "cut"])
def test_what_is_restored_writes_on_as_if_undisturbed(tiny, state_dir, story, cache):
    told, again, is_there = tell(tiny, state_dir, story, kv_cache_type=cache)

    assert is_there
    assert again == told
    assert len(set(told)) > 1


def test_a_state_that_is_refused_leaves_the_slot_empty(tiny, state_dir):
    told, again, answers = tell(tiny, state_dir, "refused")

    assert answers == [False] * 4
    assert again == told


def test_a_state_without_cells_for_it_waits_until_there_are(tiny, state_dir):
    told, again, answers = tell(
        tiny, state_dir, "full", context_length=256, cache_tokens=256, max_sequences=3
    )

    assert answers == [False, True]
    assert again == told


def test_an_empty_slot_has_an_empty_state(tiny, state_dir):
    some, none = tell(tiny, state_dir, "sizes")

    assert some > 100 * 64
    assert none < 100


# The stand-in


@pytest.fixture
def fake():
    return FakeBackend(EngineConfig(model_id="m", path="", backend="fake"))


def test_the_stand_ins_state_names_its_tokens(fake):
    fake.cells[1] = [5, 6, 7]

    assert fake.restore(2, fake.save(1), 2)
    assert fake.cells[2] == [5, 6]
    assert (fake.saved, fake.restored) == ([1], [(2, 2)])


@pytest.mark.parametrize("saved", [b"", b"[5, 6", b"[5]"])
def test_the_stand_in_refuses_what_is_no_state_of_so_many_tokens(fake, saved):
    assert not fake.restore(2, saved, 2)
    assert 2 not in fake.cells
