"""Samplers in the model's graph choose what those on the host choose."""

import pytest

from tests.engine.slots import tell
from tests.tiny_gguf import make_tiny_gguf


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    """Keeps what the probe found, so that it runs once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context_length=512)


@pytest.mark.parametrize("story", ["likeliest", "dice", "biased", "mixed", "moved", "crowd"])
def test_the_same_text_is_written_on_both_paths(tiny, state_dir, story):
    on_host, attached = (tell(tiny, state_dir, story, sampling=s) for s in ("host", "attached"))

    assert attached == on_host
    assert len({*map(tuple, on_host)}) > 1


def test_the_host_chooses_among_the_likeliest_as_it_would_among_all(tiny, state_dir):
    seen = tell(tiny, state_dir, "quick")

    assert len(seen["chosen"]) == 14 * 20, "wherever that is known to be right, and nowhere else"
    assert all(few == among_all for few, among_all in seen["chosen"])
    assert len({few for few, _ in seen["chosen"]}) > 100
    assert seen["most_left"] <= 8


def test_logits_that_are_alike_or_no_numbers_are_left_to_the_chain(tiny, state_dir):
    assert tell(tiny, state_dir, "doubtful") == [True] * 4


def test_who_loses_a_slot_takes_its_dice_along(tiny, state_dir):
    moved, _ = tell(tiny, state_dir, "moved", sampling="attached")

    assert [moved] == tell(tiny, state_dir, "alone", sampling="attached")


def test_the_graph_chooses_by_a_chain_that_stays_for_those_who_want_the_same(tiny, state_dir):
    assert tell(tiny, state_dir, "used", sampling="attached") == [True, True, 0]


@pytest.fixture(scope="module")
def counted(tiny, state_dir):
    """How many are attached when 1, 2, 3 and so on sample, and then fewer again."""
    return tell(tiny, state_dir, "counted", max_sequences=5)


def test_few_sample_on_the_host_and_many_attached(counted):
    assert counted == {"up": [0, 0, 0, 4, 5], "down": [4, 3, 0, 0]}


def test_nobody_is_attached_for_a_first_token_and_what_nobody_uses_goes(tiny, state_dir):
    seen = tell(tiny, state_dir, "patient", max_sequences=5)

    crowd, rest = seen["chains"][:8], seen["chains"][8:]
    assert crowd == [0, 0, 0, 0, 0, 0, 5, 5], "once six steps had no prompt"
    assert rest == [5] * 10, "chains stay for who comes next"
    assert seen["newcomer"], "at once, since its slot has one"
    assert seen["left"] == 0


def test_what_needs_the_hosts_logits_is_not_attached(tiny, state_dir):
    assert tell(tiny, state_dir, "able") == [True] * 3 + [False] * 10
