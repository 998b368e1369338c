"""Loaded before Django: tests see neither this machine's settings nor its data."""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

# pytest-xdist's workers, each a process; without it this is the first and only one.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def own_redis(url: str) -> str:
    """Of Redis's numbered databases every worker has one, counted from that of the address."""
    parts = urlsplit(url)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + WORKER}").geturl()


for name in list(os.environ):
    if name.startswith("LLMSITE_") or name in ("DATABASE_URL", "REDIS_URL"):
        del os.environ[name]

POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgres://root@127.0.0.1:5432/postgres")
REDIS = own_redis(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9"))

# The suite, or a part of it, on real servers: TEST_DATABASE_URL=postgres://… pytest …
if "TEST_DATABASE_URL" in os.environ:
    os.environ["DATABASE_URL"] = POSTGRES
if "TEST_REDIS_URL" in os.environ:
    os.environ["REDIS_URL"] = REDIS

_folder = tempfile.TemporaryDirectory(prefix="llmsite-tests-")  # lives as long as the process
DATA_DIR = Path(_folder.name)
(DATA_DIR / "llmsite.toml").touch()
os.environ["LLMSITE_DATA_DIR"] = str(DATA_DIR)
os.environ["LLMSITE_CONFIG"] = str(DATA_DIR / "llmsite.toml")
