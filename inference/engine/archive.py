"""What has to leave the KV cache, kept elsewhere until its conversation goes on."""

from collections.abc import Callable
from pathlib import Path as FilePath

from .backend import Backend
from .config import EngineConfig, EngineInfo
from .kvcache import LEAST_SAVED_TOKENS, KvCache, Move, Save
from .radix import Path
from .request import Sequence
from .snapshots import SnapshotStore
from .upkeep import FOLDER

WORTH = 0.25  # how often a conversation goes on before its snapshot is forgotten, a guess
NEWEST_SHARE = 0.3  # of what things cost
LEAST_RESTORED_TOKENS = 64  # fewer are computed as soon as read
FLUSH_SECONDS = 4.0  # when the model is unloaded; the process has ten to go


class Cost:
    """Seconds a token, lately."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, num_tokens: int, seconds: float) -> None:
        new = seconds / num_tokens
        self.seconds += (NEWEST_SHARE if self.seconds else 1.0) * (new - self.seconds)


class Archive:
    """Between the cache of one backend and a store of snapshots. For the engine's thread.

    `do` does one thing that the cache wants of the backend.

    While somebody is at work, a state is saved only if that costs less than computing it
    again, as often as it will be: a GPU computes an 8B model's tokens as fast as it hands out
    their state. What is idle, or was to leave next, is then saved when nobody is at work.
    """

    def __init__(
        self,
        backend: Backend,
        cache: KvCache,
        store: SnapshotStore,
        do: Callable[[Move], None],
        clock: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._cache = cache
        self._store = store
        self._do = do
        self._clock = clock
        # Whose tokens, and how many, each idle slot had when it was looked at last.
        self._tried: dict[int, tuple[str, int]] = {}
        self._cost_of_saving = Cost()
        self._cost_of_computing = Cost()

    def note_computed(self, num_tokens: int, seconds: float) -> None:
        """A step with so many tokens of prompts took so long."""
        self._cost_of_computing.note(num_tokens, seconds)

    @property
    def is_worth_it(self) -> bool:
        """Whether to save while others wait for it; as long as that is not known, yes."""
        saving, computing = self._cost_of_saving.seconds, self._cost_of_computing.seconds
        return not saving or not computing or saving < WORTH * computing

    def save(self, slot: int, path: Path) -> None:
        """Keep what the slot is about to lose: these tokens."""
        if self.is_worth_it and not self._is_kept(path):
            self._save(slot, path)

    def keep_one(self) -> bool:
        """While nobody is at work, save what is about to leave, or an idle slot of those that
        are not saved when they are given up; False: there is none.
        """
        if self._keep_leaving():
            return True
        if self.is_worth_it:
            return False
        for slot, path in self._cache.idle():
            held = path.owner, len(path.tokens)
            if len(path.tokens) < LEAST_SAVED_TOKENS or self._tried.get(slot) == held:
                continue
            self._tried[slot] = held  # once: if there is no room for it, there is none
            if not self._is_kept(path):
                self._save(slot, path)
                return True
        return False

    def _keep_leaving(self) -> bool:
        """Save the first that is about to leave: what is larger than all idle cells does so the
        moment it is idle. False: there is none, and idle slots have what the cache says.
        """
        while move := self._cache.take_move():
            if not isinstance(move, Save):
                self._do(move)
            elif not self._is_kept(move.path):
                self._save(move.slot, move.path)
                return True
        return False

    def _move(self) -> None:
        for move in self._cache.take_moves():
            self._do(move)

    def _is_kept(self, path: Path) -> bool:
        """What is public is computed soon enough, and what is passing is not to be kept."""
        if path.is_passing or path.num_public >= len(path.tokens):
            return True
        entry = self._store.find(path.owner, path.tokens)
        return entry is not None and entry.num_tokens == len(path.tokens)

    def _save(self, slot: int, path: Path) -> None:
        started = self._clock()
        state = self._backend.save(slot)
        if state:
            self._store.put(path.owner, path.tokens, state)
        self._cost_of_saving.note(len(path.tokens), self._clock() - started)

    def restore(self, sequence: Sequence) -> None:
        """Fill a slot that has just been entered, if that brings more than the cache had."""
        slot, path, num_cached = sequence.slot, sequence.path, sequence.num_computed
        assert slot is not None
        if not sequence.is_cached or len(path.tokens) - num_cached <= LEAST_RESTORED_TOKENS:
            return
        entry = self._store.find(path.owner, path.tokens[:-1])
        if entry is None or entry.num_tokens - num_cached < LEAST_RESTORED_TOKENS:
            return
        if not self._cache.can_refill(slot, len(entry.stored.label.tokens)):
            return
        self._move()
        state = self._store.load(entry)
        if state is None:
            return
        self._backend.cut(slot, 0, None)
        if self._backend.restore(slot, state, entry.num_tokens):
            sequence.num_computed = entry.num_tokens
            if not sequence.cost:  # else it has computed that itself, before it was paused
                sequence.num_cached = entry.num_tokens
        else:
            self._store.discard(entry)
        self._cache.refill(slot)
        self._cache.note_computed(slot, path, sequence.num_computed)
        self._move()

    def tidy(self, forgotten: set[bytes], now: float) -> None:
        """Let go what is of these owners, given by their digests, and what is too old; `now` is
        in seconds since 1970.
        """
        self._store.forget(forgotten)
        self._store.expire(now)

    def close(self) -> None:
        """Keep all that is idle."""
        while self._keep_leaving():
            pass
        for slot, path in self._cache.idle():
            if len(path.tokens) >= LEAST_SAVED_TOKENS and not self._is_kept(path):
                self._save(slot, path)
        self._store.flush(FLUSH_SECONDS)


def make_store(config: EngineConfig, info: EngineInfo) -> SnapshotStore | None:
    """None where snapshots are not wanted, or cannot be used."""
    if not info.can_share or not config.snapshot_memory_bytes:
        return None
    names_file = config.sha256 and config.snapshot_disk_bytes
    directory = FilePath(config.state_dir) / FOLDER if names_file else None
    facts = (config.sha256, config.kv_cache_type, config.flash_attention, info.device, info.build)
    return SnapshotStore(
        "\n".join(facts),
        directory,
        config.snapshot_memory_bytes,
        config.snapshot_disk_bytes,
        config.snapshot_seconds,
    )
