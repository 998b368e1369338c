"""One model, one loop: plan, run, settle."""

import logging
import queue
import time
from collections.abc import Callable

from .backend import Backend
from .errors import EngineError, EngineStopped
from .intake import OUR_FAULT, Intake
from .kvcache import KvCache
from .logprobs import TokenLogprob
from .pace import Pace
from .reporter import Reporter
from .request import FinishReason, Request, Sequence
from .scheduler import Scheduler, Work
from .stats import Load
from .wire import Delta, Failure, Finish, FromEngine, Step

logger = logging.getLogger(__name__)


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
            KvCache(info.cache_tokens),
            max_sequences=info.max_sequences,
            batch_tokens=info.batch_tokens,
            prefill_chunk_tokens=info.prefill_chunk_tokens,
            can_share=info.can_share,
        )
        self._pace = Pace()
        self._reporter = Reporter(self.scheduler, self._pace)
        self._send = send
        self._clock = clock
        self._inbox: queue.SimpleQueue[Sequence | int | None] = queue.SimpleQueue()
        self.intake = Intake(backend, send, self._inbox.put, clock, backend.constraint)
        self._sequences: dict[int, Sequence] = {}
        self._is_stopping = False
        self._deltas: list[Delta] = []
        self._finished: list[Finish] = []

    # From other threads

    def submit(self, request: Request) -> None:
        """Queue the request, or refuse it. Either way `send` is called before this returns."""
        if self.intake.reserve(request):
            self.intake.prepare(request)

    def cancel(self, id: int) -> None:
        """Drop the request before the next step. Unknown ids have just finished."""
        if not self.intake.withdraw(id):
            self._inbox.put(id)

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
        for sequence in self.scheduler.sequences():
            self._fail(sequence, EngineStopped("The model was unloaded before the end."))
        self.intake.close()
        self.backend.close()

    def step(self) -> None:
        """Compute one batch and send out what it brought."""
        works = self._plan()
        self._report()  # before the step, which may take long
        if works:
            self._settle(works, self.backend.forward(works))
        if works or self._finished:
            self._flush()

    def _receive(self, block: bool) -> None:
        while block or not self._inbox.empty():
            match self._inbox.get():
                case Sequence() as sequence:
                    self._sequences[sequence.id] = sequence
                    self.scheduler.add(sequence)
                    self._reporter.hurry()
                case int(id):
                    self._cancel(id)
                case None:
                    self._is_stopping = True
            block = False

    def _plan(self) -> list[Work]:
        for slot in self.scheduler.make_room():
            self.backend.forget(slot)
        for sequence in self.scheduler.admit(self._clock()):
            if sequence.source is not None:
                assert sequence.slot is not None
                self.backend.copy(sequence.source, sequence.slot, sequence.num_computed)
            self.backend.begin(sequence)
            self._reporter.hurry()
        return self.scheduler.plan()

    def _report(self) -> None:
        if progress := self._reporter.report(self._clock()):
            self._send(Step([], [], progress=progress))

    def _settle(self, works: list[Work], tokens: list[int]) -> None:
        now = self._clock()
        for work in works:
            work.sequence.num_computed += len(work.tokens)
        sampled = (work.sequence for work in works if work.samples)
        for sequence, token in zip(sampled, tokens, strict=True):
            if sequence.first_token_at is None:
                sequence.first_token_at = now
            self._accept(sequence, token)

    def _accept(self, sequence: Sequence, token: int) -> None:
        params, constraint = sequence.request.params, sequence.constraint
        may_stop = sequence.may_stop
        sequence.output_tokens.append(token)
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
        piece = b"" if is_end else self.backend.piece(token)
        text = sequence.text.feed(piece, may_stop=may_stop)
        is_stopped = is_end or is_complete or sequence.text.stopped
        is_over = is_stopped or is_last
        if is_over:
            text += sequence.text.finish()
        logprobs = self._logprobs(sequence, piece, text, is_end, is_over)
        self._deltas.append(Delta(sequence.id, text, 1, logprobs))
        if is_stopped:
            self._finish(sequence, FinishReason.STOP)
        elif is_last:
            self._finish(sequence, FinishReason.LENGTH)

    def _logprobs(
        self, sequence: Sequence, piece: bytes, sent: str, is_end: bool, is_over: bool
    ) -> list[TokenLogprob] | None:
        """Those that go out with the text; the end itself has none."""
        stream, ranks = sequence.logprobs, sequence.ranks
        if stream is None or ranks is None:
            return None
        if not is_end:
            top = [(self.backend.name(token), logprob) for token, logprob in ranks.top]
            stream.add(piece, ranks, top, sequence.text)
        return stream.take(sent, sequence.text, is_over=is_over)

    def _cancel(self, id: int) -> None:
        if sequence := self._sequences.get(id):
            self._finish(sequence, FinishReason.CANCELLED)

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        self._release(sequence)
        now = self._clock()
        if sequence.admitted_at is not None:
            self._pace.note(sequence.age(now))
        usage, timings = sequence.usage(), sequence.timings(now)
        self._finished.append(Finish(sequence.id, reason, usage, timings, sequence.text.matched))

    def _fail_running(self, error: EngineError) -> None:
        """After a failed step nothing in the KV cache is to be trusted."""
        for sequence in list(self.scheduler.running):
            self._fail(sequence, error)
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
        slot = self.scheduler.remove(sequence)
        if slot is not None:
            self.backend.forget(slot)
        self.backend.end(sequence)
        del self._sequences[sequence.id]
        self.intake.leave()

    def _flush(self) -> None:
        self._send(Step(self._deltas, self._finished, self.load))
        self._deltas, self._finished = [], []

    @property
    def load(self) -> Load:
        scheduler = self.scheduler
        return Load(len(scheduler.running), len(scheduler.waiting), scheduler.cache.num_used)
