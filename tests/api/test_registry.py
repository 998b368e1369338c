"""The registry over REST."""

import asyncio
import json

import pytest
from django.contrib.auth.models import Permission

from accounts.models import AuditEntry, User
from inference import runtime
from inference.engine import host
from inference.models import LanguageModel
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_lora import make_tiny_lora

from .client import Api, events_of, eventually, reading
from .people import Person

PATH = "/v1/admin/models"
CONFIGURED = "a-key-of-the-configuration"


@pytest.fixture(autouse=True)
def keys_required(configure, settings, tmp_path, fake_engines):
    settings.MODELS_DIR = tmp_path / "models"
    configure(security={"enable_auth": True, "api_keys": [CONFIGURED]})


@pytest.fixture
def boss(transactional_db):
    return Person.make("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def source(tmp_path):
    return str(make_tiny_gguf(tmp_path / "Tiny-Random.F32.gguf"))


async def send(who, method, path, **body):
    data = json.dumps(body).encode()
    return await who.api._client.generic(
        method, PATH + path, data, "application/json", headers=who.api._own
    )


async def state(who, slug):
    return (await who.api.get(f"{PATH}/{slug}")).json()["state"]


async def until(who, slug, wanted):
    async def is_there():
        return await state(who, slug) == wanted

    await eventually(is_there)


async def actions():
    own = AuditEntry.objects.filter(actor_name="boss").order_by("number")
    return [entry.action async for entry in own]


async def refused(who, status, *asked, **body):
    response = await send(who, *asked, **body)
    assert response.status_code == status, response.content
    return response.json()["error"]


class TestRegistering:
    async def test_fetches_the_file_and_is_audited(self, boss, source):
        made = await send(boss, "POST", "", source=source, pinned=True, aliases=["gpt-tiny"])
        assert made.status_code == 201
        assert {**made.json(), "created": 0}.items() >= {
            *(("id", "tiny-random"), ("pinned", True), ("object", "model"))
        }
        await until(boss, "tiny-random", "unloaded")
        told = (await boss.api.get(f"{PATH}/tiny-random")).json()
        assert (told["architecture"], told["aliases"]) == ("llama", ["gpt-tiny"])
        assert await actions() == ["model.created", "alias.created", "model.fetched"]

    async def test_of_a_file_that_is_no_model_says_why_it_failed(self, boss, tmp_path):
        (tmp_path / "b.gguf").write_bytes(b"no model")
        await send(boss, "POST", "", source=str(tmp_path / "b.gguf"))
        await until(boss, "b", "fetch_failed")
        assert "b.gguf" in (await boss.api.get(f"{PATH}/b")).json()["detail"]

    async def test_a_disabled_model_fetches_nothing(self, boss):
        made = await send(boss, "POST", "", source="https://host/m.gguf", id="m", enabled=False)
        assert made.json()["state"] == "not_fetched"

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "source"),
            ({"source": "ftp://host/m.gguf"}, "source"),
            ({"source": "/nowhere/m.gguf"}, "source"),
            ({"source": "/" + "m" * 300}, "source"),
            ({"source": "~nobody-of-that-name/m.gguf"}, "source"),
            ({"source": "https://host/m.gguf", "id": "no spaces"}, "id"),
            ({"source": "https://host/m.gguf", "aliases": [""]}, "aliases"),
            ({"source": "https://host/m.gguf", "device": "abacus"}, "device"),
            ({"source": "https://host/m.gguf", "threads": "4"}, "threads"),
            ({"source": "https://host/m.gguf", "threads": 2**70}, "threads"),
            ({"source": "https://host/m.gguf", "stranger": 1}, "stranger"),
        ],
    )
    async def test_names_what_is_wrong_and_saves_nothing(self, boss, body, param):
        error = await refused(boss, 400, "POST", "", **body)
        assert (error["param"], error["code"]) == (param, "invalid_request_error")
        assert not await LanguageModel.objects.aexists()

    async def test_of_an_id_that_is_taken_is_a_conflict(self, boss, fake_row):
        error = await refused(boss, 409, "POST", "", source="https://host/m.gguf", id="fake")
        assert error["code"] == "duplicate_model"

    async def test_shows_no_secrets_of_a_source(self, boss):
        source = "https://me:word@host/m.gguf?sig=abc"
        made = await send(boss, "POST", "", source=source, id="m", enabled=False)
        assert made.json()["source"] == "https://host/m.gguf?…"


class TestARow:
    async def test_is_listed_even_if_it_is_disabled(self, boss, fake_row):
        await LanguageModel.objects.acreate(slug="off", source="file:///off", enabled=False)
        told = (await boss.api.get(PATH)).json()
        assert [(one["id"], one["state"]) for one in told["data"]] == [
            *(("fake", "unloaded"), ("off", "not_fetched"))
        ]

    async def test_is_changed_where_it_is_asked_for(self, boss, fake_row):
        fields = {"pinned": True, "aliases": ["a", "b"], "idle_timeout_seconds": 5}
        told = (await send(boss, "PATCH", "/fake", **fields)).json()
        assert told.items() >= fields.items()
        assert sorted(await actions()) == [
            *("alias.created", "alias.created", "alias.deleted", "model.changed")
        ]
        again = (await send(boss, "PATCH", "/fake", idle_timeout_seconds=None)).json()
        assert (again["idle_timeout_seconds"], again["pinned"]) == (None, True)

    async def test_stays_as_it_was_if_a_part_is_wrong(self, boss, fake_row):
        error = await refused(boss, 400, "PATCH", "/fake", aliases=["a"], batch_tokens=1)
        assert error["param"] == "batch_tokens"
        assert (await boss.api.get(f"{PATH}/fake")).json()["aliases"] == ["gpt-fake"]
        assert await actions() == []

    async def test_with_another_source_is_fetched_anew(self, boss, fake_row, source):
        await send(boss, "PATCH", "/fake", source=source)
        await until(boss, "fake", "unloaded")
        assert (await LanguageModel.objects.aget()).architecture == "llama"

    async def test_is_deleted(self, boss, fake_row):
        await runtime.load(fake_row)
        assert (await send(boss, "DELETE", "/fake")).status_code == 204

        async def is_unloaded():
            return not runtime.status()

        await eventually(is_unloaded)
        assert await actions() == ["alias.deleted", "model.deleted"]
        assert (await send(boss, "DELETE", "/fake")).status_code == 404

    @pytest.mark.parametrize(
        "asked",
        [
            *(("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x"), ("GET", "/x/events")),
            *(("POST", "/x/fetch"), ("POST", "/x/load"), ("POST", "/x/unload")),
            *(("GET", "/a%00b"), ("GET", "/a%00b/events")),
        ],
    )
    async def test_that_is_not_there_is_not_found(self, boss, asked):
        assert (await refused(boss, 404, *asked))["code"] == "model_not_found"


class TestLoading:
    async def test_goes_on_in_the_background_and_is_audited(self, boss, fake_row):
        assert (await send(boss, "POST", "/fake/load")).status_code == 202
        await until(boss, "fake", "ready")
        assert (await send(boss, "POST", "/fake/unload")).status_code == 202
        await until(boss, "fake", "unloaded")
        assert await actions() == ["model.loaded", "model.unloaded"]

    async def test_needs_a_file(self, boss):
        await LanguageModel.objects.acreate(slug="later", source="https://host/m.gguf")
        error = await refused(boss, 409, "POST", "/later/load")
        assert error["code"] == "model_not_fetched"
        assert await actions() == []

    @pytest.fixture
    def go(self, monkeypatch):
        """Engines are started once it is set."""
        go, start_process = asyncio.Event(), host.start_process

        async def start_later(end):
            await go.wait()
            return await start_process(end)

        monkeypatch.setattr(host, "start_process", start_later)
        return go

    async def test_is_told_as_events_until_it_is_done(self, boss, fake_row, go):
        await send(boss, "POST", "/fake/load")
        async with reading(await boss.api.get(f"{PATH}/fake/events")) as parts:
            first = await anext(parts)
            go.set()
            blocks = b"".join([first, *[part async for part in parts]]).decode().split("\n\n")
        *told, done, _ = [block.removeprefix("data: ") for block in blocks if block[:1] != ":"]
        told = [json.loads(event) for event in told]
        assert done == "[DONE]"
        assert (told[0]["state"], told[-1]["state"]) == ("loading", "ready")
        assert [told[0]["progress"], told[-1]["progress"]] == [0.0, None]

    async def test_of_what_rests_is_told_at_once(self, boss, fake_row):
        told, _ = await events_of(await boss.api.get(f"{PATH}/fake/events"))
        assert told == {
            "id": "fake",
            "object": "model",
            "state": "unloaded",
            "progress": None,
            "detail": "unloaded",
        }

    async def test_of_a_model_that_is_deleted_meanwhile_ends_with_an_error(
        self, boss, fake_row, go
    ):
        await send(boss, "POST", "/fake/load")
        stream = await boss.api.get(f"{PATH}/fake/events")
        await LanguageModel.objects.all().adelete()
        told = await events_of(stream)
        assert told[-1]["error"]["code"] == "model_not_found"


class TestWhoMay:
    async def test_is_a_key_of_the_configuration_too(self, fake_row):
        assert (await Api(CONFIGURED).get(PATH)).status_code == 200

    async def test_is_nobody_else(self, alice, fake_row):
        error = await refused(alice, 403, "POST", "/fake/load")
        assert (error["type"], error["code"]) == ("permission_error", "permission_denied")
        assert runtime.status() == {}

    async def test_is_nobody_without_keys(self, api, fake_row, configure):
        configure(security={"enable_auth": False})
        assert (await api.get(PATH)).status_code == 403

    async def test_is_who_has_the_permission_for_it(self, boss, fake_row):
        await User.objects.aupdate(is_superuser=False)
        await boss.user.user_permissions.aadd(
            await Permission.objects.aget(codename="view_languagemodel")
        )
        assert (await boss.api.get(f"{PATH}/fake")).status_code == 200
        for method, path in [("POST", ""), ("PATCH", "/fake"), ("DELETE", "/fake")]:
            assert "boss may not" in (await refused(boss, 403, method, path))["message"]
        assert (await refused(boss, 403, "POST", "/fake/load"))["code"] == "permission_denied"

    async def test_is_held_to_the_policy_of_the_key(self, boss, fake_row):
        await boss.rules(allowed_endpoints=["chat"])
        assert "allowed_endpoints" in (await refused(boss, 403, "GET", ""))["message"]


# Adapters


async def test_an_adapter_is_registered_with_its_base_and_keeps_that_from_being_deleted(
    boss, source, tmp_path
):
    await send(boss, "POST", "", source=source, id="base")
    await until(boss, "base", "unloaded")
    path = str(make_tiny_lora(tmp_path / "lora.gguf"))
    made = await send(boss, "POST", "", source=path, id="lora", base="base", adapter_scale=0.5)
    assert made.status_code == 201
    await until(boss, "lora", "unloaded")

    shown = (await boss.api.get(f"{PATH}/lora")).json()
    assert (shown["base"], shown["adapter_scale"]) == ("base", 0.5)
    error = (await send(boss, "DELETE", "/base")).json()["error"]
    assert error["code"] == "model_in_use"
    assert "base is the base of lora" in error["message"]
    assert (await send(boss, "DELETE", "/lora")).status_code == 204
    assert (await send(boss, "DELETE", "/base")).status_code == 204


async def test_a_base_that_there_is_not_is_refused(boss, source):
    made = await send(boss, "POST", "", source=source, base="nobody")
    assert made.status_code == 400
    assert made.json()["error"]["param"] == "base"


# Draft models


async def test_a_draft_model_is_named_shown_taken_away_and_kept_from_being_deleted(
    boss, source, tmp_path
):
    await send(boss, "POST", "", source=source, id="small")
    await until(boss, "small", "unloaded")
    path = str(make_tiny_gguf(tmp_path / "big.gguf"))
    assert (await send(boss, "POST", "", source=path, id="big", draft="small")).status_code == 201
    await until(boss, "big", "unloaded")

    assert (await boss.api.get(f"{PATH}/big")).json()["draft"] == "small"
    error = (await send(boss, "DELETE", "/small")).json()["error"]
    assert error["code"] == "model_in_use"
    assert "small is the draft model of big" in error["message"]
    changed = await send(boss, "PATCH", "/big", draft=None)
    assert changed.json()["draft"] is None
    assert (await send(boss, "DELETE", "/small")).status_code == 204


@pytest.mark.parametrize("name", ["nobody", "same"])
async def test_a_draft_model_that_cannot_be_is_refused(boss, source, name):
    await send(boss, "POST", "", source=source, id="same")
    await until(boss, "same", "unloaded")
    refused = await send(boss, "PATCH", "/same", draft=name)

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "draft"
    assert name in refused.json()["error"]["message"]
