import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from llmsite.secret import secret_key

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_made_once(tmp_path):
    first = secret_key(tmp_path)
    assert len(first) >= 50
    assert secret_key(tmp_path) == first


def test_nobody_else_can_read_it(tmp_path):
    secret_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_nothing_else_is_left_behind(tmp_path):
    secret_key(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["secret_key"]


def test_threads_that_start_together_agree(tmp_path):
    for attempt in range(50):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        together = Barrier(4)

        def start(folder=folder, together=together):
            together.wait()
            return secret_key(folder)

        with ThreadPoolExecutor(4) as threads:
            keys = [f.result() for f in [threads.submit(start) for _ in range(4)]]
        assert set(keys) == {(folder / "secret_key").read_text()}


def test_processes_that_start_together_agree(tmp_path):
    code = (
        "import sys, pathlib, llmsite.secret as s; print(s.secret_key(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, tmp_path]
    children = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    keys = {child.communicate()[0].strip() for child in children}
    assert keys == {secret_key(tmp_path)}
