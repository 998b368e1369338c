"""A running service, seen from outside: its process, its logs, its HTTP."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import psutil
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = float(os.environ.get("PATIENCE_SECONDS", "30"))  # more on a busy machine


def free_port() -> int:
    """Below those that a system gives to whoever connects: a test beside may be the next."""
    while True:
        with socket.socket() as sock, suppress(OSError):
            port = random.SystemRandom().randrange(10_000, 32_000)
            sock.bind(("127.0.0.1", port))
            return port


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def are_gone(processes: list[psutil.Process]) -> bool:
    """Ended, though who has to bury them may not have done it yet."""
    return not any(map(_is_alive, processes))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Server:
    """`manage.py serve` with a data directory, and models given as `id=path of a GGUF`."""

    def __init__(
        self,
        data_dir: Path,
        models: dict[str, Path],
        *,
        settings: str = "tests.live.fake_settings",
        port: int | None = None,
        **environment: str,
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "llmsite.toml").touch()
        available = [{"id": id, "source": path.as_uri()} for id, path in models.items()]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("LLMSITE_")},
            "DJANGO_SETTINGS_MODULE": settings,
            "LLMSITE_CONFIG": str(data_dir / "llmsite.toml"),
            "LLMSITE_DATA_DIR": str(data_dir),
            "LLMSITE_MODELS__AVAILABLE_MODELS": json.dumps(available),
            "LLMSITE_SERVER__LOG_FORMAT": "json",
            "LLMSITE_SERVER__LOG_LEVEL": "debug",
            "LLMSITE_SERVER__PORT": str(self.port),
            **environment,
        }
        self.process: subprocess.Popen[bytes]

    # The process

    def launch(self) -> None:
        with self._file("stdout").open("wb") as out, self._file("stderr").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def start(self, **environment: str) -> "Server":
        """Variables hold from then on."""
        self._environment |= environment
        self.launch()
        eventually(self._is_ready, "the server is ready")
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.stderr
        return "is ready on" in self.stdout

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        """However the test left it, nothing of it stays."""
        family = self.family() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def family(self) -> list[psutil.Process]:
        """Its children, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def engines(self) -> list[psutil.Process]:
        return [p for p in self.family() if "inference.engine.child" in p.cmdline()]

    def manage(self, *arguments: str, patience: float = PATIENCE_SECONDS) -> str:
        """What `manage.py` prints, run beside it on the same data, within so many seconds."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    # What it says

    def _file(self, name: str) -> Path:
        return self.data_dir / f"server.{name}"

    @property
    def stdout(self) -> str:
        return self._file("stdout").read_text()

    @property
    def stderr(self) -> str:
        return self._file("stderr").read_text()

    def log_lines(self, **fields: Any) -> list[dict[str, Any]]:
        """The lines that have these fields."""
        lines = [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]
        return [line for line in lines if fields.items() <= line.items()]

    # Its clients

    def client(self, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(**self._options(options))

    def async_client(self, **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(**self._options(options))

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"base_url": f"{self.url}/v1", "api_key": "none", "max_retries": 0, **options}

    def anthropic_client(self, **options: Any) -> anthropic.Anthropic:
        return anthropic.Anthropic(**self._anthropics(options))

    def async_anthropic_client(self, **options: Any) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(**self._anthropics(options))

    def _anthropics(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"base_url": self.url, "api_key": "none", "max_retries": 0, **options}

    def metric(self, name: str, **labels: str) -> float:
        """The value on /metrics; 0 if it is not there yet."""
        text = httpx.get(f"{self.url}/metrics").text
        samples = (s for family in text_string_to_metric_families(text) for s in family.samples)
        return sum(
            s.value for s in samples if s.name == name and labels.items() <= s.labels.items()
        )

    def is_idle(self) -> bool:
        return (
            self.metric("llmsite_requests_running") == 0 == self.metric("llmsite_requests_waiting")
        )
