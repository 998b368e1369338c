"""Loaded before Django: tests see neither this machine's settings nor its data."""

import os
import tempfile
from pathlib import Path

for name in list(os.environ):
    if name.startswith("LLMSITE_") or name in ("DATABASE_URL", "REDIS_URL"):
        del os.environ[name]

# The suite, or a part of it, on real servers: TEST_DATABASE_URL=postgres://… pytest …
for name in ("DATABASE_URL", "REDIS_URL"):
    if url := os.environ.get(f"TEST_{name}"):
        os.environ[name] = url

_folder = tempfile.TemporaryDirectory(prefix="llmsite-tests-")  # lives as long as the process
DATA_DIR = Path(_folder.name)
(DATA_DIR / "llmsite.toml").touch()
os.environ["LLMSITE_DATA_DIR"] = str(DATA_DIR)
os.environ["LLMSITE_CONFIG"] = str(DATA_DIR / "llmsite.toml")
