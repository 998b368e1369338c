"""The registry as an administrator sees it."""

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.test import AsyncClient

from accounts.models import User
from inference import fetching, runtime
from inference.models import LanguageModel
from tests.tiny_gguf import make_tiny_gguf

LIST = "/admin/inference/languagemodel/"
ADD = f"{LIST}add/"


@pytest.fixture
async def browser(transactional_db, fake_engines, settings, tmp_path):
    settings.MODELS_DIR = tmp_path / "models"
    client = AsyncClient()
    admin = await sync_to_async(User.objects.create_superuser)("root", password="x")
    await client.aforce_login(admin)
    return client


def form(**fields):
    row = LanguageModel()
    names = ["device", "gpu_layers", "split_mode", "main_gpu", "flash_attention", "kv_cache_type"]
    names += ["threads", "context_length", "max_sequences", "batch_tokens", "prefill_chunk_tokens"]
    names += ["adapter_scale"]
    aliases = {"aliases-TOTAL_FORMS": 0, "aliases-INITIAL_FORMS": 0}
    return {**{name: getattr(row, name) for name in names}, **aliases, "enabled": "on", **fields}


async def eventually(condition):
    deadline = time.monotonic() + 20
    while not await sync_to_async(condition)():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


async def act(browser, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return (await browser.post(LIST, data, follow=True)).content.decode()


async def test_a_path_on_the_server_becomes_a_model(browser, tmp_path):
    path = make_tiny_gguf(tmp_path / "Tiny-Random.F32.gguf")
    page = await browser.post(ADD, form(source=str(path)), follow=True)
    assert "is being fetched" in page.content.decode()
    await eventually(lambda: LanguageModel.objects.exclude(file="").exists())
    row = await LanguageModel.objects.aget()
    assert (row.slug, row.architecture, row.trained_context) == ("tiny-random", "llama", 256)
    assert len(row.sha256) == 64


async def test_the_form_says_what_becomes_of_long_conversations(browser, tmp_path):
    path = make_tiny_gguf(tmp_path / "a.gguf")

    assert "Leave out the oldest turns" in (await browser.get(ADD)).content.decode()
    await browser.post(ADD, form(source=str(path), context_policy="middle_out"))
    await eventually(lambda: LanguageModel.objects.exclude(file="").exists())

    row = await LanguageModel.objects.aget()
    assert row.context_policy == "middle_out"


async def test_a_source_that_cannot_be_fetched_shows_why(browser, tmp_path):
    await browser.post(ADD, form(source=make_tiny_gguf(tmp_path / "a.gguf").as_uri()))
    row = await LanguageModel.objects.aget()
    await eventually(lambda: fetching.of(row) is None)
    (tmp_path / "b.gguf").write_bytes(b"no model")
    edit = form(source=(tmp_path / "b.gguf").as_uri(), slug=row.slug)
    await browser.post(f"{LIST}{row.pk}/change/", edit)
    await eventually(lambda: (fetch := fetching.of(row)) and fetch.error)
    assert "fetch failed" in (await browser.get(LIST)).content.decode()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"source": "ftp://host/model.gguf"}, "ftp"),
        ({"source": "/nowhere/model.gguf"}, "/nowhere/model.gguf"),
        ({"source": ""}, "Give a source"),
        ({"source": "https://host/m.gguf", "slug": "no spaces"}, "Use letters, digits"),
        ({"source": "https://host/m.gguf", "tensor_split": "a"}, "Use numbers"),
        ({"source": "https://host/m.gguf", "batch_tokens": "1"}, "too few for 10 sequences"),
    ],
)
async def test_bad_input_is_explained_and_nothing_is_saved(browser, fields, problem):
    page = await browser.post(ADD, form(**fields))
    assert problem in page.content.decode()
    assert not await LanguageModel.objects.aexists()


async def test_a_model_is_loaded_and_unloaded(browser, fake_model):
    assert "is being loaded" in await act(browser, "load", fake_model)
    await eventually(lambda: runtime.status().get("fake", None) is not None)
    await eventually(lambda: runtime.status()["fake"].state == "ready")
    assert "ready: 0 running" in (await browser.get(LIST)).content.decode()
    assert "is being unloaded" in await act(browser, "unload", fake_model)
    await eventually(lambda: not runtime.status())
    assert "is not loaded" in await act(browser, "unload", fake_model)


async def test_a_model_without_a_file_is_not_loaded(browser):
    row = await LanguageModel.objects.acreate(slug="later", source="https://host/m.gguf")
    assert "has not been fetched" in await act(browser, "load", row)


async def test_a_model_without_a_chat_template_is_pointed_out(browser, fake_model):
    page = await browser.get(f"{LIST}{fake_model.pk}/change/")
    assert "chats use ChatML" in page.content.decode()


async def test_what_a_model_is_for_is_shown_and_may_be_changed(browser, fake_model):
    await LanguageModel.objects.aupdate(file_task="embed")
    assert "Make embeddings" in (await browser.get(LIST)).content.decode()
    page = await browser.get(f"{LIST}{fake_model.pk}/change/")
    assert "chats use ChatML" not in page.content.decode()
    edit = {**form(source=fake_model.source, slug="fake"), "task": "rerank"}
    await browser.post(f"{LIST}{fake_model.pk}/change/", edit)
    await fake_model.arefresh_from_db()
    assert fake_model.serves == "rerank"
    assert "Rank documents" in (await browser.get(LIST)).content.decode()


async def test_deleting_a_model_unloads_it(browser, fake_model):
    await runtime.load(fake_model)
    await browser.post(f"{LIST}{fake_model.pk}/delete/", {"post": "yes"})
    await eventually(lambda: not runtime.status())


async def test_who_may_only_look_starts_nothing(browser, fake_model):
    looker = await sync_to_async(User.objects.create_user)("ann", is_staff=True)
    may_look = await Permission.objects.aget(codename="view_languagemodel")
    await looker.user_permissions.aadd(may_look)
    await browser.aforce_login(looker)
    for action in ("load", "fetch", "unload"):
        assert "is being" not in await act(browser, action, fake_model)
    assert not runtime.status()
    assert fetching.of(fake_model) is None


async def test_a_disabled_model_leaves_memory(browser, fake_model):
    await runtime.load(fake_model)
    edit = {**form(source=fake_model.source, slug="fake"), "enabled": ""}
    await browser.post(f"{LIST}{fake_model.pk}/change/", edit)
    await eventually(lambda: not runtime.status())


async def test_strangers_are_sent_to_sign_in(transactional_db):
    page = await AsyncClient().get(LIST)
    assert page.status_code == 302
    assert page.headers["location"].startswith("/admin/login/")
