"""The page's scripts, as far as that can be seen without a browser."""

import json
import re
from pathlib import Path

import pytest

from chat.texts import script_texts

FOLDER = Path(__file__).resolve().parents[2] / "static/js/chat"
MODULES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.js"))}
ALL = "\n".join(MODULES.values())
MAX_LINES = 150


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_one_thing_and_says_what(name):
    lines = MODULES[name].splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) <= MAX_LINES


def test_what_scripts_say_can_be_translated():
    said = set(re.findall(r'\bsay\("(\w+)"', ALL))
    assert said <= set(json.loads(script_texts()))


@pytest.mark.parametrize("name", json.loads(script_texts()))
def test_no_text_is_for_nobody(name):
    words = {*re.findall(r'"(\w+)"', ALL), "complete", "stopped", "interrupted", "failed"}
    assert name in words


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_there(name):
    imported = re.findall(r'from "\./([\w.]+)"|^import "\./([\w.]+)"', MODULES[name], re.MULTILINE)
    assert {one or other for one, other in imported} <= MODULES.keys()


@pytest.mark.parametrize("dangerous", ["eval(", "new Function", "document.write", "onclick"])
def test_nothing_is_evaluated(dangerous):
    assert dangerous not in ALL


def test_only_what_the_server_rendered_becomes_html():
    assert re.findall(r"\w+\.innerHTML = (\w+)", ALL) == ["html"]
    assert "insertAdjacentHTML" not in ALL
