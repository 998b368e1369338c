import itertools
import logging
import os
import stat
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.engine import snapshot_disk, snapshot_file, upkeep
from inference.engine.snapshots import SnapshotStore

PLENTY = 10**9


def make_store(
    directory=None, *, fingerprint="m", ram_bytes=PLENTY, disk_bytes=PLENTY, max_seconds=0
):
    return SnapshotStore(fingerprint, directory, ram_bytes, disk_bytes, max_seconds)


def recall(store, owner, tokens):
    """How much of it is stored, and the state of that."""
    entry = store.find(owner, tokens)
    return entry and (entry.num_tokens, bytes(store.load(entry)))


def files_in(directory):
    return sorted(directory.glob("*/*"), key=lambda path: path.stat().st_mtime)


@pytest.fixture
def kept(tmp_path):
    """A directory with one file in it, the only one's."""
    store = make_store(tmp_path)
    store.put("ann", [1, 2, 3], b"state of 1 2 3")
    store.flush()
    return tmp_path


# What has to go


DAY = 86_400.0


def aged(directory, days):
    """Every file there was last used so long ago."""
    for path in [*directory.glob("*/*"), *directory.glob("*.*")]:
        then = path.stat().st_mtime - days * DAY
        os.utime(path, (then, then))


def test_what_was_not_used_for_too_long_is_not_there_at_the_start(kept):
    aged(kept, 8)
    make_store(kept)
    assert len(files_in(kept)) == 1

    store = make_store(kept, max_seconds=7 * DAY)

    assert store.find("ann", [1, 2, 3]) is None
    assert files_in(kept) == []


def test_nor_later_in_memory_and_on_disk(kept):
    store = make_store(kept, max_seconds=7 * DAY)
    store.put("bob", [4, 5], b"in memory")
    now = time.time()

    store.expire(now + 6 * DAY)
    assert recall(store, "bob", [4, 5])
    assert recall(store, "ann", [1, 2, 3])
    store.expire(now + 8 * DAY)

    assert store.find("bob", [4, 5]) is store.find("ann", [1, 2, 3]) is None
    assert files_in(kept) == []


def test_what_other_models_have_left_goes_too(kept):
    aged(kept, 8)
    make_store(kept, fingerprint="another", max_seconds=7 * DAY)
    assert files_in(kept) == []


def test_one_that_is_forgotten_is_gone_from_the_disk_at_once_and_others_are_not(kept):
    store = make_store(kept, fingerprint="another")
    for owner in ("ann", "lora\0ann", "bob"):
        store.put(owner, [7, 8], b"state")
    store.flush()
    assert len(files_in(kept)) == 4

    upkeep.forget(kept, "ann")

    assert [path.name[:32] for path in files_in(kept)] == [upkeep.owner_digest("bob").hex()]


def test_one_that_is_forgotten_is_gone_from_memory_with_the_next_look(kept):
    marks, store = upkeep.Marks(kept), make_store(kept)
    for owner in ("ann", "lora\0ann", "bob"):
        store.put(owner, [7, 8], b"state")
    upkeep.forget(kept, "ann")

    forgotten = marks.new()
    store.forget(forgotten)

    assert forgotten == {upkeep.owner_digest("ann")}
    assert store.find("ann", [7, 8]) is store.find("lora\0ann", [7, 8]) is None
    assert store.find("ann", [1, 2, 3]) is None
    assert recall(store, "bob", [7, 8]) == (2, b"state")
    assert marks.new() == set(), "it is said once"


def test_who_comes_back_is_remembered_again(kept):
    marks, store = upkeep.Marks(kept), make_store(kept)
    upkeep.forget(kept, "ann")
    store.forget(marks.new())
    store.put("ann", [7, 8], b"state")
    store.forget(marks.new())
    store.flush()

    assert recall(make_store(kept), "ann", [7, 8]) == (2, b"state")


def test_what_a_process_wrote_too_late_goes_with_the_next_start(kept):
    [path] = files_in(kept)
    saved = path.read_bytes()
    upkeep.forget(kept, "ann")
    path.write_bytes(saved)
    os.utime(path, (path.stat().st_mtime - 1, path.stat().st_mtime - 1))

    assert make_store(kept).find("ann", [1, 2, 3]) is None
    assert files_in(kept) == []


def test_a_mark_goes_when_nothing_can_be_left(kept):
    upkeep.forget(kept, "ann")
    aged(kept, 8)
    assert len([*upkeep.marks(kept)]) == 1

    make_store(kept, max_seconds=7 * DAY)

    assert [*upkeep.marks(kept)] == []


def test_one_that_has_nothing_on_the_disk_is_forgotten_all_the_same(tmp_path):
    assert upkeep.expire(tmp_path / "kv", 0.0) == 0
    marks = upkeep.Marks(tmp_path / "kv")
    upkeep.forget(tmp_path / "kv", "ann")
    assert marks.new() == {upkeep.owner_digest("ann")}


# Whose they are


def test_what_an_adapter_computed_is_nobodys_who_computes_without_it(tmp_path):
    store = make_store(tmp_path)
    store.put("ann", [1, 2, 3], b"bare")
    store.put("lora\0ann", [1, 2, 3, 4], b"of lora")
    store.flush()

    for again in (store, make_store(tmp_path)):
        assert recall(again, "ann", [1, 2, 3, 4]) == (3, b"bare")
        assert recall(again, "lora\0ann", [1, 2, 3, 4]) == (4, b"of lora")
        assert again.find("other\0ann", [1, 2, 3]) is None
        assert again.find("lora\0bob", [1, 2, 3]) is None


# What is found


def test_what_was_put_is_found_by_what_goes_on_from_it():
    store = make_store()
    store.put("ann", [1, 2, 3], b"state")

    assert recall(store, "ann", [1, 2, 3, 4]) == (3, b"state")


def test_a_snapshot_of_which_a_part_matches_counts_as_far_as_it_does():
    store = make_store()
    store.put("ann", [1, 2, 3, 4], b"state")

    assert recall(store, "ann", [1, 2, 9]) == (2, b"state")
    assert store.find("ann", [9, 2, 3, 4]) is None


def test_the_longest_match_is_found():
    store = make_store()
    store.put("ann", [1, 2, 3], b"one")
    store.put("ann", [1, 2, 7, 8], b"other")

    assert recall(store, "ann", [1, 2, 7, 9]) == (3, b"other")
    assert recall(store, "ann", [1, 2, 3, 9]) == (3, b"one")


def test_of_equal_matches_the_one_in_memory_is_found(tmp_path):
    store = make_store(tmp_path)
    store.put("ann", [1, 2, 3], b"disk")
    store.flush()
    store.put("ann", [1, 2, 4], b"ram")

    assert recall(store, "ann", [1, 2]) == (2, b"ram")


@pytest.mark.parametrize("tokens", [[], [5]])
def test_nothing_in_common_is_nothing(tokens):
    store = make_store()
    store.put("ann", [1], b"state")

    assert store.find("ann", tokens) is None


def test_nobody_finds_what_another_put(tmp_path):
    store = make_store(tmp_path)
    store.put("ann", [1, 2, 3], b"of ann")
    store.put("bob", [1, 2], b"of bob")
    store.flush()

    for again in (store, make_store(tmp_path)):
        assert recall(again, "bob", [1, 2, 3]) == (2, b"of bob")
        assert again.find("eve", [1, 2, 3]) is None
        assert again.find("", [1, 2, 3]) is None


def test_a_longer_one_replaces_what_it_begins_with(tmp_path):
    store = make_store(tmp_path)
    store.put("ann", [1, 2], b"short")
    store.flush()
    store.put("ann", [1, 2, 3], b"long")
    store.flush()

    assert recall(store, "ann", [1, 2]) == (2, b"long")
    assert len(files_in(tmp_path)) == 1


def test_one_that_is_covered_is_not_kept():
    store = make_store(ram_bytes=16)
    store.put("ann", [1, 2, 3], b"long")
    store.put("ann", [1, 2], b"short")

    assert recall(store, "ann", [1, 2]) == (2, b"long")


def test_what_is_discarded_is_not_found_again(tmp_path):
    store = make_store(tmp_path)
    store.put("ann", [1, 2], b"state")
    store.flush()

    entry = store.find("ann", [1, 2])
    store.discard(entry)
    store.discard(entry)

    assert store.find("ann", [1, 2]) is None
    assert files_in(tmp_path) == []


# Memory


def test_memory_lets_go_of_what_was_used_least_recently():
    store = make_store(ram_bytes=40)  # 30 of them are for what stays
    for token in (1, 2, 3):
        store.put("ann", [token], bytes(10))
    store.load(store.find("ann", [1]))
    store.put("ann", [4], bytes(10))

    assert [store.find("ann", [token]) is not None for token in (1, 2, 3, 4)] == [
        *(True, False, True, True)
    ]


def test_without_a_directory_what_does_not_fit_into_memory_is_gone():
    store = make_store(ram_bytes=10)
    store.put("ann", [1], bytes(11))
    store.flush()

    assert store.find("ann", [1]) is None


def test_what_leaves_memory_goes_to_the_disk(tmp_path):
    store = make_store(tmp_path, ram_bytes=40)
    for token in range(6):
        store.put("ann", [token], bytes([token]) * 10)
        store.flush()

    assert [recall(store, "ann", [token]) for token in range(6)] == [
        (1, bytes([token]) * 10) for token in range(6)
    ]


@pytest.fixture
def slow_disk(monkeypatch):
    """Writes wait until it is set."""
    may_write, write = threading.Event(), snapshot_file.write
    monkeypatch.setattr(snapshot_file, "write", lambda *args: may_write.wait(30) and write(*args))
    yield may_write
    may_write.set()


def test_what_is_being_written_is_still_in_memory(tmp_path, slow_disk):
    store = make_store(tmp_path, ram_bytes=0)
    store.put("ann", [1], b"state")

    assert recall(store, "ann", [1]) == (1, b"state")
    slow_disk.set()
    store.flush()
    assert recall(store, "ann", [1]) == (1, b"state")


def test_a_disk_that_is_behind_loses_states_and_delays_nobody(tmp_path, slow_disk):
    store = make_store(tmp_path, ram_bytes=0)
    store.put("ann", [1], b"state")
    store.put("ann", [2], b"state")
    assert store.find("ann", [2]) is None
    slow_disk.set()
    store.flush()
    store.put("ann", [3], b"state")

    assert [bool(store.find("ann", [token])) for token in (1, 2, 3)] == [True, False, True]


def test_what_is_discarded_while_it_is_written_leaves_no_file(tmp_path, slow_disk):
    store = make_store(tmp_path, ram_bytes=0)
    store.put("ann", [1], b"state")
    store.discard(store.find("ann", [1]))
    slow_disk.set()
    store.flush()

    assert store.find("ann", [1]) is None
    assert files_in(tmp_path) == []


# Disk


def test_a_restart_loses_nothing_that_was_flushed(kept):
    assert recall(make_store(kept), "ann", [1, 2, 3, 4]) == (3, b"state of 1 2 3")


def test_a_flush_that_has_no_time_writes_nothing_and_says_so(tmp_path, caplog):
    store = make_store(tmp_path)
    store.put("ann", [1], b"state")
    store.flush(max_seconds=-1)

    assert "1 idle conversations are not kept" in caplog.text
    assert files_in(tmp_path) == []
    assert recall(store, "ann", [1]) == (1, b"state")


def test_the_index_is_made_without_the_states(kept, monkeypatch):
    monkeypatch.setattr(snapshot_file, "read_state", None)

    assert make_store(kept).find("ann", [1, 2, 3]).num_tokens == 3


def test_files_are_for_the_service_alone_and_name_nobody(kept):
    [file] = files_in(kept)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"ann" not in file.read_bytes()


def test_another_fingerprint_finds_nothing(kept):
    assert make_store(kept, fingerprint="other").find("ann", [1, 2, 3]) is None
    assert make_store(kept).find("ann", [1, 2, 3])


def test_a_file_in_another_models_folder_is_not_used(kept):
    [file] = files_in(kept)
    other = make_store(kept, fingerprint="other")
    other.put("ann", [7], b"state")
    other.flush()
    [folder] = {path.parent for path in files_in(kept)} - {file.parent}
    file.rename(folder / file.name)

    again = make_store(kept, fingerprint="other")

    assert again.find("ann", [1, 2, 3]) is None
    assert recall(again, "ann", [7]) == (1, b"state")


def test_the_disk_keeps_what_was_used_last_of_all_models(tmp_path):
    size = 300  # of a file: 180 bytes of head, 4 of the token, the state
    old, new = (make_store(tmp_path, fingerprint=name, disk_bytes=2 * size) for name in "mn")
    for number, (store, token) in enumerate([(old, 1), (old, 2), (new, 3)]):
        store.put("ann", [token], bytes(size - 184))
        store.flush()
        os.utime(files_in(tmp_path)[-1], (number, number))

    old, new = (make_store(tmp_path, fingerprint=name, disk_bytes=2 * size) for name in "mn")

    assert old.find("ann", [1]) is None
    assert old.find("ann", [2])
    assert new.find("ann", [3])


def test_use_counts_across_restarts(tmp_path):
    store = make_store(tmp_path)
    for number, token in enumerate([1, 2]):
        store.put("ann", [token], bytes(100))
        store.flush()
        os.utime(files_in(tmp_path)[-1], (number, number))
    store = make_store(tmp_path)
    store.load(store.find("ann", [1]))

    store = make_store(tmp_path, disk_bytes=300)

    assert store.find("ann", [1])
    assert store.find("ann", [2]) is None


def test_a_limit_of_none_empties_the_disk(kept):
    make_store(kept, disk_bytes=0)

    assert files_in(kept) == []


def test_a_file_that_another_process_removed_is_gone_and_no_more(kept, caplog):
    store = make_store(kept)
    entry = store.find("ann", [1, 2, 3])
    files_in(kept)[0].unlink()

    assert store.load(entry) is None
    assert store.find("ann", [1, 2, 3]) is None
    assert caplog.records == []


def test_what_is_there_twice_is_kept_once(kept):
    [file] = files_in(kept)
    file.with_stem("0" * 32).write_bytes(file.read_bytes())

    assert recall(make_store(kept), "ann", [1, 2, 3]) == (3, b"state of 1 2 3")
    assert len(files_in(kept)) == 1


def test_what_a_dead_process_left_unfinished_is_swept_away(kept):
    [file] = files_in(kept)
    old, new = (file.with_name(f"{name}{snapshot_disk.UNFINISHED}") for name in ("a", "b"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))

    make_store(kept)

    assert not old.exists()
    assert new.exists()  # its writer may live


def test_a_disk_that_refuses_is_reported_once_and_memory_serves_on(tmp_path, caplog, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot_file, "write", refuse)
    store = make_store(tmp_path, ram_bytes=40)
    for token in range(9):
        store.put("ann", [token], bytes(10))
        store.flush() if token == 5 else None

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    assert recall(store, "ann", [8]) == (1, bytes(10))
    assert files_in(tmp_path) == []


def test_a_directory_that_cannot_be_made_is_reported_once(tmp_path, caplog):
    (tmp_path / "kv").write_text("a file")
    store = make_store(tmp_path / "kv", ram_bytes=0)
    for token in range(3):
        store.put("ann", [token], b"state")
        store.flush()

    assert len(caplog.records) == 1
    assert store.find("ann", [1]) is None


# Damage


@pytest.mark.parametrize(
    ("place", "why"),
    [(0, "format"), (8, "format"), (12, "length"), (30, "head"), (170, "head"), (182, "head")],
)
def test_a_damaged_head_is_found_at_the_start(kept, caplog, place, why):
    [file] = files_in(kept)
    raw = bytearray(file.read_bytes())
    raw[place] ^= 1
    file.write_bytes(raw)

    assert make_store(kept).find("ann", [1, 2, 3]) is None
    assert why in caplog.text
    assert files_in(kept) == []


def test_a_damaged_state_is_found_when_it_is_read(kept, caplog):
    [file] = files_in(kept)
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    store = make_store(kept)

    assert store.load(store.find("ann", [1, 2, 3])) is None
    assert store.find("ann", [1, 2, 3]) is None
    assert "its state has changed" in caplog.text
    assert files_in(kept) == []


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 30])
def test_a_state_of_several_parts_comes_back_unless_any_of_them_has_changed(
    kept, monkeypatch, size
):
    monkeypatch.setattr(snapshot_file, "PART_BYTES", 8)
    path, label = kept / "state", snapshot_file.Label(b"m" * 32, b"a" * 32, np.arange(3))
    state = bytes(range(size))
    snapshot_file.write(path, label, state)
    whole = path.read_bytes()

    assert bytes(snapshot_file.read_state(path, label)) == state
    for place in range(len(whole) - size, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(snapshot_file.Damaged, match="its state has changed"):
            snapshot_file.read_state(path, label)


def test_a_file_that_became_anothers_is_not_read(kept, caplog):
    store = make_store(kept)
    [anns] = files_in(kept)
    store.put("bob", [1, 2, 3], b"state of bob!!")
    store.flush()
    [bobs] = {*files_in(kept)} - {anns}
    bobs.replace(anns)

    assert store.load(store.find("ann", [1, 2, 3])) is None
    assert "another state's" in caplog.text


damages = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 10**6), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.integers(0, 10**6), st.just(0)),
    st.tuples(st.just("grow"), st.integers(1, 40), st.integers(0, 255)),
)


def damage(path, kind, place, value):
    raw = bytearray(path.read_bytes())
    match kind:
        case "flip":
            raw[place % len(raw)] ^= value
        case "cut":
            del raw[place % len(raw) :]
        case "grow":
            raw += bytes([value]) * place
    path.write_bytes(raw)


@given(damages, st.booleans())
def test_a_damaged_file_never_gives_a_state(damaged, is_restarted):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = make_store(directory)
        store.put("ann", [1, 2, 3], b"state of 1 2 3")
        store.flush()
        damage(*files_in(directory), *damaged)
        store = make_store(directory) if is_restarted else store

        entry = store.find("ann", [1, 2, 3])

        assert entry is None or store.load(entry) is None
        assert files_in(directory) == []


# Against a plain account of what was put

owners = st.sampled_from(["ann", "bob", "eve"])
token_lists = st.lists(st.integers(0, 2), min_size=1, max_size=5)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("put"), owners, token_lists),
        st.tuples(st.just("discard"), owners, token_lists),
        st.tuples(st.sampled_from(["flush", "restart"]), st.just(""), st.just([])),
    ),
    max_size=25,
)


def num_common(one, other):
    pairs = zip(one, other, strict=False)
    return len([*itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)])


def state_of(owner, tokens):
    return f"{owner} {tokens}".encode()


@settings(deadline=None)
@given(actions, st.sampled_from([0, 60, PLENTY]), st.sampled_from([0, 700, PLENTY]))
def test_a_state_is_its_owners_and_of_tokens_that_match(actions, ram_bytes, disk_bytes):
    sizes = {"ram_bytes": ram_bytes, "disk_bytes": disk_bytes}
    with tempfile.TemporaryDirectory() as name:
        store, known = make_store(Path(name), **sizes), []
        for action, owner, tokens in actions:
            match action:
                case "put":
                    store.put(owner, tokens, state_of(owner, tokens))
                    known.append((owner, tokens))
                case "discard":
                    if entry := store.find(owner, tokens):
                        store.discard(entry)
                case "flush":
                    store.flush()
                case "restart":
                    store.flush()
                    store = make_store(Path(name), **sizes)
            for asker in ("ann", "bob", "eve"):
                check(store, known, asker, tokens)
        store.flush()
        sizes_on_disk = [path.stat().st_size for path in files_in(Path(name))]
        assert sum(sizes_on_disk) <= disk_bytes


def check(store, known, owner, tokens):
    entry = store.find(owner, tokens)
    state = entry and store.load(entry)
    if state is not None:
        fitting = [
            state_of(owner, theirs)
            for asker, theirs in known
            if asker == owner and num_common(theirs, tokens) == entry.num_tokens
        ]
        assert bytes(state) in fitting


@given(st.lists(st.tuples(owners, token_lists), max_size=20), owners, token_lists)
def test_with_room_for_all_the_longest_match_is_found(puts, owner, wanted):
    store = make_store()
    for asker, tokens in puts:
        store.put(asker, tokens, state_of(asker, tokens))

    matches = [num_common(tokens, wanted) for asker, tokens in puts if asker == owner]
    entry = store.find(owner, wanted)

    assert (entry.num_tokens if entry else 0) == max(matches, default=0)
