"""The Vercel AI SDK, from npm, against a running service.

Its packages are installed beside the virtual environment, which git ignores. Where there
is no Node or no registry, these tests are skipped, and say so.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .server import eventually

HERE = Path(__file__).with_name("vercel")
INSTALL_SECONDS = 240.0
ANSWER_SECONDS = 60.0

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + ANSWER_SECONDS)


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of the client with its packages, made anew when the lock has changed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("the Vercel AI SDK is NOT tested: there is no node or no npm")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / "npm" / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "installed").exists():
        for file in HERE.glob("package*.json"):
            shutil.copy(file, folder)
        _install(folder)
    shutil.copy(HERE / "client.mjs", folder)
    return folder


def _install(folder: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the Vercel AI SDK is NOT tested: npm took too long")
    if done.returncode:
        pytest.skip(f"the Vercel AI SDK is NOT tested: npm said {done.stderr[-300:]}")
    (folder / "installed").touch()


@pytest.fixture
def ask(package, server):
    def ask(scenario):
        done = subprocess.run(
            ["node", "client.mjs", scenario, f"{server.url}/v1"],
            cwd=package,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def test_text_is_streamed(ask):
    told = ask("text")
    assert "".join(told["pieces"]) == "a b c "
    assert len(told["pieces"]) > 1
    assert told["reason"] == "stop"
    assert (told["usage"]["inputTokens"], told["usage"]["outputTokens"]) == (3, 4)


def test_thoughts_are_told_apart(ask):
    told = ask("thoughts")
    assert (told["thought"].strip(), told["text"].strip()) == ("hm", "a")


def test_calls_are_streamed_in_the_order_that_it_needs(ask):
    told = ask("tools")
    (call,) = told["calls"]
    assert call["toolName"] == "weather"
    assert call["input"]["city"] in ("Rome", "Oslo")
    assert told["reason"] == "tool-calls"
    kinds = [kind for kind in told["kinds"] if kind.startswith("tool-")]
    assert (kinds[0], kinds[-2:]) == ("tool-input-start", ["tool-input-end", "tool-call"])
    assert kinds.count("tool-input-delta") > 2


def test_a_tool_is_run_and_its_result_goes_back(ask):
    told = ask("loop")
    assert told["steps"] == 2
    assert told["text"].rstrip().endswith("weather returned: rain")


def test_an_object_has_its_schema(ask):
    made = ask("object")["object"]
    assert made.keys() == {"name", "tags"}


def test_a_refusal_is_its_exception(ask):
    told = ask("error")
    assert (told["name"], told["status"]) == ("AI_APICallError", 404)
    assert "nobody" in told["message"]


def test_an_error_within_a_stream_is_a_part_of_it(ask):
    assert "error" in ask("failure")["kinds"]


def test_who_aborts_frees_the_place(ask, server):
    assert "abort" in ask("abort")["kinds"]
    eventually(server.is_idle, "nothing runs")


def test_the_lock_names_no_registry():
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert not [name for name, facts in packages.items() if "resolved" in facts]
    assert all("integrity" in facts for name, facts in packages.items() if name)
