import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from inference.engine.errors import BackendUnusable
from inference.engine.probe import CHILD, LoadOptions, safe_load_options

ROOT = Path(__file__).resolve().parents[2]

# Children for the shell: `$0` is the mode.
WORKS = ("/bin/sh", "-c", "exit 0")
DIES = ("/bin/sh", "-c", "kill -SEGV $$")
DIES_WITH_EXTRA = ("/bin/sh", "-c", "test $0 = plain || kill -SEGV $$")
HANGS = ("/bin/sh", "-c", "exec sleep 60")
HANGS_WITH_EXTRA = ("/bin/sh", "-c", "test $0 = plain || exec sleep 60")
FAILS = ("/bin/sh", "-c", "echo some trouble >&2; echo no such library >&2; exit 3")


def real_child(mode: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*CHILD, mode, folder / "probe.gguf"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


# --- the real child, on the machine that runs the tests


def test_it_finds_what_works_here(tmp_path):
    options = safe_load_options(tmp_path)
    mode = "extra" if options.use_extra_bufts else "plain"
    assert real_child(mode, tmp_path).returncode == 0


def test_its_model_makes_ggml_use_its_special_kernels(tmp_path):
    """Otherwise a decode would prove nothing: they are what the trap is in."""
    assert re.search("(AMX|CPU_REPACK) model buffer", real_child("extra", tmp_path).stderr)
    assert not re.search("AMX|REPACK", real_child("plain", tmp_path).stderr)


def test_it_works_from_another_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    safe_load_options(tmp_path)


def test_a_crash_dumps_no_core(tmp_path):
    code = (
        "import pathlib, resource, sys; from inference.engine import probe;"
        "probe._decode = lambda *_, **__: print(resource.getrlimit(resource.RLIMIT_CORE));"
        "probe._run_child('extra', pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, tmp_path / "probe.gguf"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(0, 0)"


# --- what a child's end means


def test_a_child_that_works_allows_everything(tmp_path):
    assert safe_load_options(tmp_path, child=WORKS) == LoadOptions(use_extra_bufts=True)


@pytest.mark.parametrize("child", [DIES_WITH_EXTRA, HANGS_WITH_EXTRA])
def test_extra_buffers_are_off_where_they_kill(tmp_path, child):
    options = safe_load_options(tmp_path, child=child, time_limit_s=0.5)
    assert options == LoadOptions(use_extra_bufts=False)


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (DIES, "died of signal 11 (Segmentation fault)"),
        (HANGS, "did not end within 0.5 s"),
        (FAILS, "failed with status 3 (no such library)"),
    ],
)
def test_a_build_that_never_works_is_an_error_that_says_why(tmp_path, child, reason):
    with pytest.raises(BackendUnusable, match=re.escape(reason)):
        safe_load_options(tmp_path, child=child, time_limit_s=0.5)


def test_the_finding_is_logged_once(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        safe_load_options(tmp_path, child=DIES_WITH_EXTRA)
        safe_load_options(tmp_path, child=DIES_WITH_EXTRA)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("inference.engine.probe", "WARNING")
    assert "signal 11" in record.getMessage()


# --- what is remembered


@pytest.mark.parametrize("child", [WORKS, DIES_WITH_EXTRA])
def test_a_known_answer_needs_no_child(tmp_path, child):
    first = safe_load_options(tmp_path, child=child)
    assert safe_load_options(tmp_path, child=DIES) == first


def test_only_the_answer_is_left_behind(tmp_path):
    safe_load_options(tmp_path / "state", child=WORKS)
    assert [p.name for p in tmp_path.rglob("*")] == ["state", "probe.json"]


def test_an_unusable_build_is_tried_again(tmp_path):
    with pytest.raises(BackendUnusable):
        safe_load_options(tmp_path, child=DIES)
    assert safe_load_options(tmp_path, child=WORKS).use_extra_bufts


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"null", b"[true]", b'"text"', b'{"other": {"a": 1}}']
)
def test_a_broken_or_foreign_file_is_made_anew(tmp_path, content):
    cache = tmp_path / "probe.json"
    cache.write_bytes(content)
    assert not safe_load_options(tmp_path, child=DIES_WITH_EXTRA).use_extra_bufts
    assert list(json.loads(cache.read_bytes()).values()) == [False]


@pytest.mark.parametrize("answer", [None, 1, "true", {}])
def test_an_answer_that_is_none_is_not_believed(tmp_path, answer):
    safe_load_options(tmp_path, child=WORKS)
    cache = tmp_path / "probe.json"
    [machine] = json.loads(cache.read_bytes())
    cache.write_text(json.dumps({machine: answer}))
    assert not safe_load_options(tmp_path, child=DIES_WITH_EXTRA).use_extra_bufts


def test_another_machines_answer_is_kept_and_not_used(tmp_path):
    cache = tmp_path / "probe.json"
    cache.write_text('{"another machine": true}')
    assert not safe_load_options(tmp_path, child=DIES_WITH_EXTRA).use_extra_bufts
    assert list(json.loads(cache.read_bytes()).values()) == [True, False]


def test_another_build_is_probed_again(tmp_path, monkeypatch):
    library = tmp_path / "lib" / "libllama.so"
    library.parent.mkdir()
    library.write_bytes(b"one")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(library.parent))
    assert safe_load_options(tmp_path, child=WORKS).use_extra_bufts
    os.utime(library, (1, 1))
    assert not safe_load_options(tmp_path, child=DIES_WITH_EXTRA).use_extra_bufts
