"""The registry's part of the audit log."""

import threading
from dataclasses import replace
from hashlib import sha256
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.test import AsyncClient

from accounts.audit import AuditError
from accounts.models import AuditEntry, AuditHead, User
from inference import fetching, registry, runtime
from inference.gguf_file import inspect
from inference.models import LanguageModel
from inference.registry import files
from tests.tiny_gguf import make_tiny_gguf

LIST = "/admin/inference/languagemodel/"


@pytest.fixture
def row(db):
    row = LanguageModel.objects.create(slug="tiny", source="https://me:pw@host/m.gguf?sig=abc")
    return LanguageModel.objects.get(pk=row.pk)


def last(num=1):
    return AuditEntry.objects.order_by("-number")[:num]


def test_a_model_is_recorded_with_what_was_filled_in(row):
    (entry,) = last()

    assert (entry.action, entry.target) == ("model.created", f"model:{row.pk} tiny")
    assert entry.after["slug"] == "tiny"
    assert not {"sha256", "updated_at", "parameters"} & entry.after.keys()


def test_the_secrets_of_a_source_are_not_written_down(row):
    row.source = "https://you:word@host/m.gguf?sig=def"
    row.save()
    entry, created = last(2)

    assert created.after["source"] == "https://host/m.gguf?…"
    assert (entry.action, entry.before) == ("model.changed", {"source": "https://host/m.gguf?…"})


def test_a_change_is_recorded_with_what_was_there(row):
    row.pinned, row.context_length = True, 2048
    row.save()
    (entry,) = last()

    assert entry.action == "model.changed"
    assert entry.before == {"pinned": False, "context_length": 0}
    assert entry.after == {"pinned": True, "context_length": 2048}


def test_a_long_template_is_not_copied(row):
    row.chat_template = "{{ x }}" * 2000
    row.save()

    assert "14000 characters" in last()[0].after["chat_template"]


def test_saving_without_a_change_is_not_recorded(row):
    row.save()

    assert last()[0].action == "model.created"


def test_a_deleted_model_and_its_names_are_recorded(row):
    alias = row.aliases.create(name="gpt-4o-mini")
    assert (last()[0].action, last()[0].target) == ("alias.created", f"alias:{alias.pk} {alias}")

    pk = row.pk
    row.delete()
    assert {(entry.action, entry.target) for entry in last(2)} == {
        ("alias.deleted", f"alias:{alias.pk} gpt-4o-mini"),
        ("model.deleted", f"model:{pk} tiny"),
    }


async def test_an_administrator_who_loads_and_unloads_is_recorded(fake_model):
    root = await sync_to_async(User.objects.create_superuser)("root", password="x")
    browser = AsyncClient()
    await browser.aforce_login(root)
    for action in ("load", "unload"):
        form = {"action": action, "_selected_action": [fake_model.pk]}
        await browser.post(LIST, form, headers={"x-request-id": "req-of-test"})
    unloaded, loaded = await sync_to_async(list)(last(2))

    assert [loaded.action, unloaded.action] == ["model.loaded", "model.unloaded"]
    assert {e.target for e in (loaded, unloaded)} == {f"model:{fake_model.pk} fake"}
    assert {e.actor_name for e in (loaded, unloaded)} == {"root"}
    assert {e.request_id for e in (loaded, unloaded)} == {"req-of-test"}


# Files


@pytest.fixture
def fetchable(db, settings, tmp_path):
    settings.MODELS_DIR = tmp_path / "models"
    return registry.add(str(make_tiny_gguf(tmp_path / "tiny.F32.gguf")))


def wait_for_fetches():
    for thread in threading.enumerate():
        if thread.name.startswith("fetch-"):
            thread.join()


def fetch(row):
    registry.fetch_model(row, lambda done, total: None)


def test_what_a_file_brings_is_recorded_with_who_asked(fetchable):
    call_command("prefetch", fetchable.slug, stderr=StringIO(), stdout=StringIO())
    (entry,) = last()
    row = LanguageModel.objects.get()

    assert (entry.action, entry.target) == ("model.fetched", f"model:{row.pk} {row}")
    assert entry.actor_name.startswith("command")
    brought = ("sha256", "size_bytes", "architecture", "trained_context", "chat_template", "file")
    assert {entry.before[name] for name in brought} == {"", None}
    assert entry.after.items() >= {name: getattr(row, name) for name in brought}.items()


def test_a_fetched_template_is_known_by_its_hash(fetchable, monkeypatch):
    template = "{{ x }}" * 200
    monkeypatch.setattr(
        files, "inspect", lambda path: replace(inspect(path), chat_template=template)
    )
    fetch(fetchable)

    assert LanguageModel.objects.get().chat_template == template
    assert sha256(template.encode()).hexdigest() in last()[0].after["chat_template"]


def test_fetching_the_same_again_is_not_recorded(fetchable):
    fetch(fetchable)
    fetch(fetchable)

    assert [entry.action for entry in last(2)] == ["model.fetched", "model.created"]


def test_what_was_changed_while_the_file_came_stays(fetchable):
    LanguageModel.objects.update(pinned=True)
    fetch(fetchable)

    assert LanguageModel.objects.get().pinned
    assert "pinned" not in last()[0].after


@pytest.mark.django_db(transaction=True)
def test_a_file_that_cannot_be_recorded_is_not_registered(fetchable):
    AuditHead.objects.all().delete()
    with pytest.raises(AuditError):
        fetch(fetchable)

    assert LanguageModel.objects.get().file == ""


async def test_a_fetch_in_the_background_is_the_administrators(
    transactional_db, fake_engines, settings, tmp_path
):
    settings.MODELS_DIR = tmp_path / "models"
    source = make_tiny_gguf(tmp_path / "tiny.F32.gguf")
    row = await sync_to_async(registry.add)(str(source))
    browser = AsyncClient()
    await browser.aforce_login(await sync_to_async(User.objects.create_superuser)("root"))
    form = {"action": "fetch", "_selected_action": [row.pk]}
    await browser.post(LIST, form, headers={"x-request-id": "req-of-test"})
    await sync_to_async(wait_for_fetches)()
    (entry,) = await sync_to_async(list)(last())

    assert (entry.action, entry.actor_name) == ("model.fetched", "root")
    assert entry.request_id == "req-of-test"


def test_what_the_service_fetches_by_itself_is_the_systems(fetchable, transactional_db):
    fetching.start(fetchable)
    wait_for_fetches()

    assert (last()[0].action, last()[0].actor_name) == ("model.fetched", "system")


async def test_a_model_is_not_loaded_if_that_cannot_be_recorded(fake_model):
    browser = AsyncClient(raise_request_exception=False)
    await browser.aforce_login(await sync_to_async(User.objects.create_superuser)("root"))
    await AuditHead.objects.all().adelete()
    form = {"action": "load", "_selected_action": [fake_model.pk]}
    response = await browser.post(LIST, form)

    assert response.status_code == 500
    assert runtime.status() == {}
