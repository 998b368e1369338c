"""This service, as `make serve` runs it: Daphne, Django, accounts, ledger, engine process."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import msgspec

from inference.engine.config import EngineConfig

from .question import Question
from .server import BenchError, HttpServer, inherited
from .setup import MODEL_ID, ROOT, Setup

KEYS_CODE = """
import json, sys
from accounts.models import ApiKey, User
for name in json.loads({names!r}):
    user, _ = User.objects.get_or_create(username=name)
    print(name, ApiKey.objects.issue(user, "bench")[1])
"""


def engine_options(setup: Setup) -> dict[str, Any]:
    """Fields of the engine's config; `setup.flags` (`name=value,…`) has the last word.

    Raises:
        BenchError: naming a field that the engine does not have.
    """
    options: dict[str, Any] = {
        "threads": setup.threads,
        "max_sequences": setup.slots,
        "context_length": setup.context,
        "cache_tokens": setup.cells,
        "device": setup.device,
    }
    known = {field.name for field in msgspec.structs.fields(EngineConfig)}
    for flag in filter(None, setup.flags.split(",")):
        name, _, value = flag.partition("=")
        if name not in known:
            raise BenchError(f"ours: the engine has no option {name!r}, only {sorted(known)}")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Ours(HttpServer):
    name = "ours"
    has_owners = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._keys: dict[str, str] = {}

    def command(self, port: int) -> list[str]:
        return [sys.executable, "manage.py", "serve"]

    def environment(self, port: int) -> dict[str, str]:
        folder = self.setup.folder
        (folder / "llmsite.toml").touch()
        return {
            **inherited(),
            "DJANGO_SETTINGS_MODULE": "bench.serving.settings",
            "BENCH_ENGINE_OPTIONS": json.dumps(engine_options(self.setup)),
            "LLMSITE_CONFIG": str(folder / "llmsite.toml"),
            "LLMSITE_DATA_DIR": str(folder),
            "LLMSITE_MODELS__AVAILABLE_MODELS": json.dumps(
                [{"id": MODEL_ID, "source": self.setup.model.as_uri()}]
            ),
            "LLMSITE_SECURITY__ENABLE_AUTH": json.dumps(self.setup.has_accounts),
            "LLMSITE_LIMITS__DEFAULT_RATE_LIMIT_PER_MINUTE": "0",
            "LLMSITE_SERVER__PORT": str(port),
            "LLMSITE_SERVER__LOG_LEVEL": "warning",
        }

    async def is_ready(self) -> bool:
        await self._address.get("/health")
        return True

    async def start(self) -> None:
        await super().start()
        if self.setup.has_accounts and not self._keys:
            self._keys = await asyncio.to_thread(self._make_keys, ["alice", "bob"])

    def _make_keys(self, names: list[str]) -> dict[str, str]:
        code = KEYS_CODE.format(names=json.dumps(names))
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=ROOT,
            env=self.environment(self._address.port),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"no keys could be made:\n{done.stderr[-2000:]}")
        lines = (line.split() for line in done.stdout.splitlines())
        return {line[0]: line[1] for line in lines if len(line) == 2 and line[0] in names}

    def headers(self, question: Question) -> dict[str, str]:
        key = self._keys.get(question.owner)
        return {"Authorization": f"Bearer {key}"} if key else {}
