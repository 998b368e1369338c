"""llama-server: a binary, or the same C++ in the wheel of xllamacpp."""

import json
import os
import shlex
from pathlib import Path
from typing import Any, ClassVar

from .question import Question
from .server import BenchError, HttpServer, inherited
from .setup import ROOT, Setup

BENCH_DIR = ROOT / "var" / "bench"
RIVALS_PYTHON = BENCH_DIR / "venv" / "bin" / "python"
BUILT = BENCH_DIR / "llama-server" / "llama-server"


def find_binary(named: str | None) -> Path | None:
    """The one that is named, or the one that `make bench-llama-server` has built, if any.

    None stands for xllamacpp's, which can be named, too.

    Raises:
        BenchError: there is no such file.
    """
    if named == "xllamacpp":
        return None
    if named:
        path = Path(named).absolute()
        if not path.is_file():
            raise BenchError(f"--llama-server: there is no file {named!r}")
        return path
    return BUILT if BUILT.is_file() else None


class LlamaServer(HttpServer):
    """With a unified cache, and finished prompts kept in RAM.

    `setup.flags` are more of its flags, which win. Owners mean nothing to it.
    """

    name = "llama-server"
    binary: ClassVar[Path | None] = None  # None: xllamacpp's

    def flags(self, port: int) -> list[str]:
        setup: Setup = self.setup
        return [
            *("--model", str(setup.model), "--host", "127.0.0.1", "--port", str(port)),
            *("--ctx-size", str(setup.cells), "--parallel", str(setup.slots)),
            *("--threads", str(setup.threads), "--threads-batch", str(setup.threads)),
            *("--batch-size", "2048", "--ubatch-size", "512", "--flash-attn", "auto"),
            *("--kv-unified", "--cache-ram", "8192"),
            *(() if setup.repack else ("--no-repack",)),
            *(() if setup.device == "cpu" else ("--n-gpu-layers", "999")),
            *shlex.split(setup.flags),
        ]

    def command(self, port: int) -> list[str]:
        if self.binary is not None:
            return [str(self.binary), "--no-webui", *self.flags(port)]
        if not RIVALS_PYTHON.exists():
            raise BenchError("llama-server: no binary, and no venv: `make bench-rivals` makes one")
        script = Path(__file__).with_name("xllamacpp_server.py")
        return [str(RIVALS_PYTHON), str(script), *self.flags(port)]

    def environment(self, port: int) -> dict[str, str]:
        libraries = os.environ.get("LLAMA_CPP_LIB_PATH")
        path = {"LD_LIBRARY_PATH": with_folder(libraries)} if libraries else {}
        return {**inherited(), **path}

    async def is_ready(self) -> bool:
        return json.loads(await self._address.get("/health")).get("status") == "ok"

    def body(self, question: Question) -> dict[str, Any]:
        return {**super().body(question), "cache_prompt": True}


def with_folder(libraries: str) -> str:
    return os.pathsep.join(filter(None, [libraries, os.environ.get("LD_LIBRARY_PATH")]))
