"""What `manage.py check` and `migrate` find."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks

from inference.models import LanguageModel
from tests.tiny_gguf import make_tiny_gguf

ROOT = Path(__file__).resolve().parents[2]


def found():
    return [message.id for message in run_checks(tags=["database"], databases=["default"])]


@pytest.fixture
def row(db, tmp_path):
    path = make_tiny_gguf(tmp_path / "m.gguf")
    return LanguageModel.objects.create(
        slug="m", source=path.as_uri(), file=str(path), chat_template="{{ x }}"
    )


def test_a_model_with_file_and_template_is_fine(row):
    assert found() == []


def test_a_file_that_has_gone_is_found(row):
    row.path.unlink()
    assert found() == ["inference.W001"]


def test_a_file_that_cannot_be_looked_at_is_found(row):
    LanguageModel.objects.update(file="/" + "b" * 300)
    assert found() == ["inference.W001"]


@pytest.mark.parametrize("fields", [{"file_task": "embed"}, {"task": "rerank"}])
def test_a_model_that_does_not_chat_needs_no_template(row, fields):
    LanguageModel.objects.update(chat_template="", **fields)
    assert found() == []


def test_a_model_without_a_chat_template_is_found(row):
    LanguageModel.objects.update(chat_template="")
    assert found() == ["inference.W002"]


def test_a_draft_model_whose_file_has_gone_is_found(row, tmp_path):
    small = LanguageModel.objects.create(
        slug="small", file=str(make_tiny_gguf(tmp_path / "small.gguf")), enabled=False
    )
    LanguageModel.objects.filter(slug="m").update(draft=small)
    assert found() == []
    small.path.unlink()
    assert found() == ["inference.W003"]


def test_an_empty_database_can_be_migrated(tmp_path):
    environment = {**os.environ, "LLMSITE_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
