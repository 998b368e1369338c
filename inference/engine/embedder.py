"""One model that makes vectors, one loop: plan, run, settle."""

import logging
import queue
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import EmbedBackend
from .embedding import EmbedRequest, Job
from .errors import DecodeFailed, EngineError, EngineStopped, InvalidParameter
from .inputs import InputReader
from .intake import OUR_FAULT, Intake
from .prompt import Prompt
from .request import FinishReason
from .rota import Rota, Share
from .stats import Load
from .wire import Embedded, Failure, Finish, FromEngine, Part, Step

logger = logging.getLogger(__name__)

MAX_INPUTS = 64  # of one step: sequences that a llama_context is made for

Vector = np.ndarray[Any, Any]


class EmbedIntake(Intake):
    """Makes jobs of what is asked."""

    def __init__(self, backend: EmbedBackend, *others: Any) -> None:
        super().__init__(backend, *others)
        self._inputs = InputReader(backend)
        self._size = backend.info.embedding_length

    def _made(self, request: Any) -> tuple[Job, Prompt]:
        assert isinstance(request, EmbedRequest)
        if request.dimensions > self._size:
            why = f"is more than the {self._size} that this model makes"
            raise InvalidParameter("dimensions", request.dimensions, why)
        return Job(request, self._inputs.read(request), self._clock()), Prompt([], [])


class Embedder:
    """Owns a backend, and drives it on the thread that calls `run`.

    The counterpart of Engine, for requests that are done once their inputs have been
    read: there is no cache to plan, and nothing to sample.
    """

    def __init__(
        self,
        backend: EmbedBackend,
        send: Callable[[FromEngine], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backend = backend
        self._send = send
        self._clock = clock
        self._rota = Rota(batch_tokens=backend.info.batch_tokens, max_inputs=MAX_INPUTS)
        self._inbox: queue.SimpleQueue[Job | int | None] = queue.SimpleQueue()
        self.intake = EmbedIntake(backend, send, self._inbox.put, clock)
        self._jobs: dict[int, Job] = {}
        self._is_stopping = False

    # From other threads

    def submit(self, request: EmbedRequest) -> None:
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
            self._receive(block=not self._jobs)
            self.step()
        for job in [*self._jobs.values()]:
            self._fail(job, EngineStopped("The model was unloaded before the end."))
        self.intake.close()
        self.backend.close()

    def step(self) -> None:
        """Compute one batch and send out what it brought; if it fails, so does who was in it."""
        shares = self._plan()
        try:
            if shares:
                self._settle(shares, self._vectors(shares))
        except EngineError as error:
            self._fail_all(shares, error)
        except Exception:
            logger.exception("step failed")
            self._fail_all(shares, EngineError(OUR_FAULT))

    def _receive(self, block: bool) -> None:
        while block or not self._inbox.empty():
            match self._inbox.get():
                case Job() as job:
                    self._jobs[job.id] = job
                    self._rota.add(job)
                case int(id):
                    self._cancel(id)
                case None:
                    self._is_stopping = True
            block = False

    def _plan(self) -> list[Share]:
        now = self._clock()
        shares = self._rota.plan(now)
        for share in shares:
            if share.job.started_at is None:
                share.job.started_at = now
        return shares

    def _vectors(self, shares: list[Share]) -> list[Vector]:
        vectors = self.backend.embed([tokens for share in shares for tokens in share.inputs])
        if not all(np.isfinite(vector).all() for vector in vectors):
            raise DecodeFailed("The model made a vector with numbers that are not finite.")
        return vectors

    def _settle(self, shares: list[Share], vectors: list[Vector]) -> None:
        made, parts = iter(vectors), []
        for share in shares:
            share.job.num_done += len(share.inputs)
            request = share.job.request
            parts.append(Part(share.job.id, [packed(request, next(made)) for _ in share.inputs]))
        self._send(Embedded(parts))
        done = [share.job for share in shares if share.job.is_done]
        self._finish(done, FinishReason.STOP)

    def _cancel(self, id: int) -> None:
        if job := self._jobs.get(id):
            self._finish([job], FinishReason.CANCELLED)

    def _finish(self, jobs: list[Job], reason: FinishReason) -> None:
        now = self._clock()
        for job in jobs:
            self._release(job)
        finished = [Finish(job.id, reason, job.usage(), job.timings(now)) for job in jobs]
        self._send(Step([], finished, Load(running=len(self._jobs))))

    def _fail_all(self, shares: list[Share], error: EngineError) -> None:
        for share in shares:
            self._fail(share.job, error)

    def _fail(self, job: Job, error: EngineError) -> None:
        logger.error("request failed: %s", error, extra={"request_id": job.request.request_id})
        self._release(job)
        self._send(Failure.of(error, job.id))

    def _release(self, job: Job) -> None:
        self._rota.remove(job)
        del self._jobs[job.id]
        self.intake.leave(job.owner)


def packed(request: EmbedRequest, vector: Vector) -> bytes:
    """As it travels: of unit length, unless it is a relevance."""
    if request.query is None:
        vector = vector[: request.dimensions or None]
        vector = vector / (np.linalg.norm(vector) or 1)
    return vector.astype("<f4").tobytes()
