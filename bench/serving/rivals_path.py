"""Lets the rivals' environment see what ours has installed: the same llama.cpp, compiled once.

    var/bench/venv/bin/python bench/serving/rivals_path.py .venv

What the rivals have of their own comes first on their path.
"""

import sys
import sysconfig
from pathlib import Path

theirs = Path(sysconfig.get_path("purelib"))
ours = Path(sys.argv[1]).resolve() / theirs.relative_to(Path(sys.prefix).resolve())
(theirs / "ours.pth").write_text(f"{ours}\n")
