"""The registry's part of the audit log."""

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from accounts.models import AuditEntry, User
from inference.models import LanguageModel

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
