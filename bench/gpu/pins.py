"""The pins of requirements.lock for another Python than this one, for pack.sh.

PYTHON_VERSION is that one's; of PACKAGES, or if FULL is set of all but those in OMIT.
llama-cpp-python comes in another way.
"""

import os
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"


def pins(
    lock: str, version: str, packages: set[str] | None, omitted: frozenset[str] = frozenset()
) -> list[str]:
    """Those whose markers hold there, on Linux."""
    there = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }
    lines = (line.removesuffix("\\").strip() for line in lock.splitlines() if "==" in line)
    wanted = (Requirement(line) for line in lines if line[:1].isalnum())
    return [
        f"{r.name}{r.specifier}"
        for r in wanted
        if (packages is None or r.name in packages)
        and r.name not in {"llama-cpp-python", *omitted}
        and (r.marker is None or r.marker.evaluate(there))
    ]


if __name__ == "__main__":
    chosen = None if os.environ["FULL"] else set(os.environ["PACKAGES"].split())
    omitted = frozenset(os.environ["OMIT"].split())
    print("\n".join(pins(LOCK.read_text(), os.environ["PYTHON_VERSION"], chosen, omitted)))
