"""llama-cpp-python's own server. It computes one answer at a time; others wait."""

import shlex
from pathlib import Path
from typing import Any

from .llama_server import RIVALS_PYTHON
from .question import Question
from .server import BenchError, HttpServer, inherited


class LlamaCppPython(HttpServer):
    name = "llama-cpp-python"
    is_batching = False

    def command(self, port: int) -> list[str]:
        if not RIVALS_PYTHON.exists():
            raise BenchError("llama-cpp-python: no venv of the rivals: `make bench-rivals`")
        setup = self.setup
        script = Path(__file__).with_name("llama_cpp_server.py")
        return [
            *(str(RIVALS_PYTHON), str(script), *(() if setup.repack else ("--no-repack",))),
            *("--model", str(setup.model), "--host", "127.0.0.1", "--port", str(port)),
            *("--n_ctx", str(setup.context), "--n_batch", "512"),
            *("--n_threads", str(setup.threads), "--n_threads_batch", str(setup.threads)),
            *("--n_gpu_layers", "0" if setup.device == "cpu" else "-1"),
            # Else a new request ends the one before it.
            *("--interrupt_requests", "false", "--verbose", "false"),
            *shlex.split(setup.flags),
        ]

    def environment(self, port: int) -> dict[str, str]:
        return inherited()

    async def is_ready(self) -> bool:
        return bool(await self._address.get("/v1/models"))

    def body(self, question: Question) -> dict[str, Any]:
        """It does not know `ignore_eos`: llama_cpp_server.py forbids the ends."""
        body = super().body(question)
        return {k: v for k, v in body.items() if k not in ("ignore_eos", "stream_options")}
