"""Our engine through pool and process, without the web: for machines that have no Django."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import psutil

from inference.engine import EngineConfig, EngineError, EnginePool, ModelSpec, PoolLimits
from inference.engine.sampling import SamplingParams

from .meter import family
from .ours import engine_options
from .question import Piece, Question
from .server import BenchError, Server
from .setup import MODEL_ID

MEMORY_BYTES = 1 << 40  # no limit: one model, on a machine for this alone


class InProcess(Server):
    """Its front process is the one that measures, so that has the clients' CPU time too."""

    name = "engine"

    async def start(self) -> None:
        self.setup.folder.mkdir(parents=True, exist_ok=True)
        options = {**engine_options(self.setup), "max_waiting": 1000}
        config = msgspec.convert(
            {
                "model_id": MODEL_ID,
                "path": str(self.setup.model),
                "state_dir": str(self.setup.folder),
                **options,
            },
            EngineConfig,
        )
        self._spec = ModelSpec(config, self.setup.model.stat().st_size, idle_timeout=0)
        self._pool = EnginePool(PoolLimits(max_models=1, memory_bytes=MEMORY_BYTES))
        try:
            await self._pool.load(self._spec)
        except EngineError as error:
            await self._pool.close()
            raise BenchError(f"engine: {error.message}") from None

    async def stop(self) -> None:
        await self._pool.close()
        await asyncio.sleep(0)

    def processes(self) -> list[psutil.Process]:
        return family(psutil.Process().pid)

    async def ask(self, question: Question) -> AsyncIterator[Piece]:
        params = SamplingParams(
            max_tokens=question.max_tokens,
            temperature=question.temperature,
            seed=question.seed,
            ignore_eos=True,
        )
        try:
            stream = await self._pool.submit(
                self._spec, messages=list(question.messages), params=params
            )
            try:
                async for piece in stream:
                    yield Piece(piece.text)
            finally:
                stream.cancel()
        except EngineError as error:
            raise BenchError(f"engine: {error.message}") from None
        usage = stream.finish.usage
        yield Piece(tokens=usage.completion_tokens, cached=usage.cached_tokens)
