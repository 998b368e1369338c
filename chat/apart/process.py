"""Runs throw-away processes, each for one file."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
PASSED_ON = ("PATH", "LD_LIBRARY_PATH")  # not the passwords that an environment may hold


def command_of(module: str) -> tuple[str, ...]:
    """Runs a module of ours, whatever variables and the user's own packages say."""
    return (sys.executable, "-B", "-E", "-s", "-m", module)


async def run(command: Sequence[str], data: bytes, time_limit_s: float) -> bytes:
    """What it makes of the data; nothing if it did not live to say it.

    Whoever is cancelled ends it.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={key: os.environ[key] for key in PASSED_ON if key in os.environ},
        cwd=ROOT,
    )
    about = {"command": " ".join(command), "seconds": time_limit_s}
    try:
        async with asyncio.timeout(time_limit_s):
            output, _ = await process.communicate(data)
    except TimeoutError:
        logger.warning("a file was not read in time", extra=about)
        return b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        logger.warning("a file's reader died", extra={**about, "returncode": process.returncode})
        return b""
    return output
