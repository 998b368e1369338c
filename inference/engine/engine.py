"""One model, one loop: plan, run, settle."""

import logging
import queue
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from .archive import Archive, make_store
from .backend import Backend, nothing
from .config import EngineConfig, EngineInfo
from .errors import EngineError, EngineStopped
from .intake import OUR_FAULT, Intake
from .kvcache import Copy, Cut, KvCache, Move, Save
from .pace import Pace
from .reporter import Reporter
from .request import FinishReason, Request, Sequence, Status
from .scheduler import Scheduler, Work
from .speculation import Speculation
from .speech import Note, Speech
from .stats import Load
from .tempo import Tempo
from .thoughts import Place
from .upkeep import FOLDER, Marks, owner_digest, owner_of
from .wire import Delta, Failure, Finish, FromEngine, Step

logger = logging.getLogger(__name__)

REST_SECONDS = 0.5  # without a request, before idle conversations are saved
LEAST_TIMED_TOKENS = 64  # of prompts in a step, to say what one costs


class Tidy(Enum):
    """A note for the engine's own thread."""

    TIDY = auto()


class Engine:
    """Owns a backend, and drives it on the thread that calls `run`.

    Other threads call `submit` (or both halves of it, in `intake`), `cancel` and
    `stop`, which put notes into the inbox. All that happens to a request leaves
    through `send`: one Accepted or Failure, Steps, and at the end one Finish or
    Failure.
    """

    def __init__(
        self,
        backend: Backend,
        send: Callable[[FromEngine], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        info = backend.info
        assert info.context_length <= info.cache_tokens, "a request would never fit"
        self.backend = backend
        self.scheduler = Scheduler(
            KvCache(
                info.cache_tokens,
                info.max_sequences,
                num_idle_slots=info.num_slots - info.max_sequences,
                can_share=info.can_share,
                max_idle_cells=info.idle_tokens,
            ),
            max_sequences=info.max_sequences,
            batch_tokens=info.batch_tokens,
            tempo=make_tempo(backend.config, info),
            speculation=Speculation(info.draft_tokens, backend.drafter),
        )
        self._marks = Marks(Path(backend.config.state_dir) / FOLDER)
        store = make_store(backend.config, info)
        self._archive = store and Archive(backend, self.scheduler.cache, store, self._do, clock)
        self._pace = Pace()
        self._reporter = Reporter(self.scheduler, self._pace)
        self._send = send
        self._clock = clock
        self._inbox: queue.SimpleQueue[Sequence | int | Tidy | None] = queue.SimpleQueue()
        checks = (backend.constraint, backend.check_adapter)
        self.intake = Intake(backend, send, self._inbox.put, clock, *checks)
        self._sequences: dict[int, Sequence] = {}
        self._is_stopping = False
        self._speech = Speech(backend)
        self._notes: list[Note] = []  # of tokens whose text nobody knows yet
        self._deltas: list[Delta] = []
        self._finished: list[Finish] = []
        self._has_news = False  # somebody's first token, or last

    # From other threads

    def submit(self, request: Request) -> None:
        """Queue the request, or refuse it. Either way `send` is called before this returns."""
        if self.intake.reserve(request):
            self.intake.prepare(request)

    def cancel(self, id: int) -> None:
        """Drop the request before the next step. Unknown ids have just finished."""
        if not self.intake.withdraw(id):
            self._inbox.put(id)

    def tidy(self) -> None:
        """Let go what is kept of sequences that are over, and should not be any more."""
        self._inbox.put(Tidy.TIDY)

    def stop(self) -> None:
        self._inbox.put(None)

    # On the engine's own thread

    def run(self) -> None:
        """Work until `stop`; then fail what is left. Nobody keeps waiting."""
        while not self._is_stopping:
            self._receive(block=self.scheduler.is_idle)
            try:
                self.step()
            except EngineError as error:
                self._fail_running(error)
            except Exception:
                logger.exception("step failed")
                self._fail_running(EngineError(OUR_FAULT))
        if self._notes:
            self._flush()
        for sequence in self.scheduler.sequences():
            self._fail(sequence, EngineStopped("The model was unloaded before the end."))
        self.intake.close()
        self._tidy()
        if self._archive:
            self._archive.close()
        self.backend.close()

    def step(self) -> None:
        """Compute one batch and send out what it brought."""
        works = self._plan()
        self._report()  # before the step, which may take long
        if works:
            self._settle(works, self._forward(works))
        if works and not self._is_urgent:
            return  # it is told while the next one is computed
        if works or self._notes or self._finished:
            self._flush()

    @property
    def _is_urgent(self) -> bool:
        """Whether somebody waits for what the step has brought more than for what it says next."""
        return not self.backend.info.is_async or self._has_news or self.scheduler.is_idle

    def _next_note(self) -> Sequence | int | Tidy | None:
        """Wait for it; if that takes long, do what would disturb those at work."""
        rest = REST_SECONDS
        while True:
            try:
                return self._inbox.get(timeout=rest)
            except queue.Empty:
                rest = 0.0
                if not self._archive or not self._archive.keep_one():
                    return self._inbox.get()

    def _receive(self, block: bool) -> None:
        while block or not self._inbox.empty():
            match self._next_note():
                case Sequence() as sequence:
                    self._sequences[sequence.id] = sequence
                    self.scheduler.add(sequence)
                    self._reporter.hurry()
                case int(id):
                    self._cancel(id)
                case Tidy.TIDY:
                    self._tidy()
                case None:
                    self._is_stopping = True
            block = False

    def _tidy(self) -> None:
        """Let go what is kept of owners that are to be forgotten, and what is too old."""
        forgotten = self._marks.new()
        if forgotten:
            self._move()  # what has to be saved before
            cache = self.scheduler.cache
            cache.drop_idle(lambda path: owner_digest(owner_of(path.owner)) in forgotten)
            self._move()
        if self._archive:
            self._archive.tidy(forgotten, time.time())

    def _plan(self) -> list[Work]:
        now = self._clock()
        self.scheduler.make_room(now)
        if self.backend.info.is_async and self.scheduler.is_sparse:
            self.scheduler.compact(now)  # a GPU's attention pays for cells that nobody uses
        entered = self.scheduler.admit(now)
        self._move()
        if any(sequence.is_alone for sequence in entered):
            self.backend.clear()  # where its cells are must not depend on who was here
        for sequence in entered:
            if self._archive:
                self._archive.restore(sequence)
            self.backend.begin(sequence)
            self._reporter.hurry()
        works = self.scheduler.plan()
        self._move()  # guesses may have taken the cells of what was idle
        return works

    def _move(self) -> None:
        for move in self.scheduler.cache.take_moves():
            self._do(move)

    def _do(self, move: Move) -> None:
        match move:
            case Save(slot, path) if self._archive:
                self._archive.save(slot, path)
            case Copy(source, slot, start, end):
                self.backend.copy(source, slot, start, end)
            case Cut(slot, start, end):
                self.backend.cut(slot, start, end)

    def _forward(self, works: list[Work]) -> list[list[int]]:
        started = self._clock()
        meanwhile = self._flush if self.backend.info.is_async else nothing
        tokens = self.backend.forward(works, meanwhile)
        num_prompt = sum(len(work.tokens) for work in works if not work.sequence.is_decoding)
        took = self._clock() - started
        if num_prompt and len(works) > 1:
            self.scheduler.tempo.note(num_prompt, took)
        if num_prompt >= LEAST_TIMED_TOKENS and self._archive:
            self._archive.note_computed(num_prompt, took)
        return tokens

    def _report(self) -> None:
        if progress := self._reporter.report(self._clock()):
            self._send(Step([], [], progress=progress))

    def _settle(self, works: list[Work], outputs: list[list[int]]) -> None:
        now = self._clock()
        sampled = list(zip((work for work in works if work.samples), outputs, strict=True))
        wrong = {w.sequence: w.num_drafted + 1 - len(tokens) for w, tokens in sampled}
        self.scheduler.settle(works, wrong)
        for work, tokens in sampled:
            sequence = work.sequence
            if sequence.first_token_at is None:
                sequence.first_token_at = now
                self._has_news = True
                self._open(sequence)
            if sequence.guesses:
                sequence.guesses.judge(work.num_drafted, len(tokens) - 1)
            for token in tokens:
                self._accept(sequence, token)

    def _open(self, sequence: Sequence) -> None:
        """The prompt has been computed; that may be all."""
        is_all = not sequence.max_tokens
        if is_all or sequence.request.scores:
            self._deltas.append(self._speech.opening(sequence, is_over=is_all))
        if is_all:
            self._finish(sequence, FinishReason.LENGTH)

    def _accept(self, sequence: Sequence, token: int) -> None:
        """A token has been chosen: take it, and what follows without a choice.

        It may have ended with one that was drafted before.
        """
        if sequence.status is Status.FINISHED:
            return
        thoughts = sequence.thoughts
        if thoughts is None:
            self._append(sequence, token)
            return
        taken = thoughts.take(token, is_end=self.backend.is_end(token))
        if taken.stands:
            self._append(sequence, token)
        for fed in taken.fed:
            self._feed(sequence, fed)
        for fed in taken.silent:
            self._feed(sequence, fed, is_silent=True)
        sequence.constraint = thoughts.constraint
        if thoughts.place is Place.BEHIND:
            sequence.thoughts = None

    def _feed(self, sequence: Sequence, token: int, *, is_silent: bool = False) -> None:
        """A token that nobody chose; it is computed with the next step, like a prompt's."""
        if sequence.status is Status.FINISHED:
            return
        sequence.output_tokens.append(token)
        is_last = len(sequence.output_tokens) >= sequence.max_tokens
        note = Note(
            sequence, token, is_over=is_last, may_stop=False, is_fed=True, is_silent=is_silent
        )
        self._say(note)
        if is_last:
            self._finish(sequence, FinishReason.LENGTH)

    def _append(self, sequence: Sequence, token: int) -> None:
        params, constraint = sequence.request.params, sequence.constraint
        may_stop = sequence.may_stop
        sequence.output_tokens.append(token)
        if sequence.guesses:
            sequence.guesses.append(token)
        if constraint:
            constraint.accept(token)
            if constraint.error:
                self._fail(sequence, constraint.error)
                return
        is_complete = constraint is not None and constraint.is_complete
        is_last = len(sequence.output_tokens) >= sequence.max_tokens
        ends = token in params.stop_token_ids or (
            self.backend.is_end(token) and (is_complete or not params.ignore_eos)
        )
        is_end = ends and (may_stop or is_complete)
        is_over = is_end or is_complete or is_last
        facts = sequence.ranks, sequence.so_far(self._clock())
        self._say(Note(sequence, token, is_end, is_over, may_stop, False, False, *facts))
        if is_end or is_complete or sequence.text.stopped:
            self._finish(sequence, FinishReason.STOP)
        elif is_last:
            self._finish(sequence, FinishReason.LENGTH)

    def _say(self, note: Note) -> None:
        """At once where the text decides whether the answer goes on; else with all others."""
        if note.sequence.request.params.stop:
            self._deltas.append(self._speech.delta(note))
        else:
            self._notes.append(note)

    def _cancel(self, id: int) -> None:
        if sequence := self._sequences.get(id):
            self._finish(sequence, FinishReason.CANCELLED)

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        self._release(sequence)
        now = self._clock()
        if sequence.admitted_at is not None:
            self._pace.note(sequence.age(now))
        usage, timings = sequence.usage(), sequence.timings(now)
        matched, trace = sequence.text.matched, sequence.trace()
        self._has_news = True
        self._finished.append(Finish(sequence.id, reason, usage, timings, matched, trace))

    def _fail_running(self, error: EngineError) -> None:
        """After a failed step nothing in the KV cache is to be trusted."""
        if self._notes:  # what was written before it
            self._flush()
        for sequence in list(self.scheduler.running):
            self._fail(sequence, error)
        self.scheduler.cache.clear()
        self.backend.clear()
        self._flush()

    def _fail(self, sequence: Sequence, error: EngineError) -> None:
        logger.error(
            "request failed: %s",
            error,
            extra={"request_id": sequence.request.request_id},
        )
        self._release(sequence)
        self._send(Failure.of(error, sequence.id))

    def _release(self, sequence: Sequence) -> None:
        self.scheduler.remove(sequence)
        self.backend.end(sequence)
        del self._sequences[sequence.id]
        self.intake.leave(sequence.owner)

    def _flush(self) -> None:
        self._deltas += map(self._speech.delta, self._notes)
        self._notes = []
        self._send(Step(self._deltas, self._finished, self.load))
        self._deltas, self._finished, self._has_news = [], [], False

    @property
    def load(self) -> Load:
        scheduler, cache = self.scheduler, self.scheduler.cache
        num_live = cache.num_cells - cache.num_free
        return Load(len(scheduler.running), len(scheduler.waiting), num_live)


def make_tempo(config: EngineConfig, info: EngineInfo) -> Tempo:
    """What the row says holds; otherwise the engine finds out what its steps may take."""
    target = 0.0 if config.prefill_chunk_tokens else config.target_step_seconds
    return Tempo(
        info.prefill_chunk_tokens,
        most=info.batch_tokens,
        target_seconds=target,
        most_mixed=0 if config.prefill_chunk_tokens else info.mixed_tokens,
    )
