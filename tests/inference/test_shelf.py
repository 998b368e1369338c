"""What requests are told of models without a question to the database."""

import asyncio

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inference import shelf, specs
from inference.models import Alias, LanguageModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _kept_for_long(monkeypatch):
    monkeypatch.setattr(shelf, "FRESH_SECONDS", 1000.0)
    shelf.clear()
    yield
    shelf.clear()


@pytest.fixture
def row():
    row = LanguageModel.objects.create(slug="fake", source="file:///fake", file="/fake.gguf")
    row.aliases.create(name="gpt-fake")
    return row


async def test_a_model_is_read_once_whatever_it_is_called(row, monkeypatch):
    first = await shelf.find("gpt-fake")
    monkeypatch.setattr(LanguageModel.objects, "named", lambda name: pytest.fail("asked anew"))

    assert await shelf.find("gpt-fake") is first
    assert await shelf.find("fake") is first


async def test_so_is_what_its_engine_is_told(row):
    model = await shelf.find("fake")
    assert await shelf.spec(model) is await shelf.spec(model)


async def test_of_another_reading_of_the_row_it_is_made_anew(row):
    model = await shelf.find("fake")
    assert await shelf.spec(row) is not await shelf.spec(model)


async def test_a_name_that_is_unknown_is_looked_for_each_time(row):
    assert await shelf.find("new") is None
    await Alias.objects.acreate(model=row, name="new")
    assert await shelf.find("new")


async def test_a_change_holds_at_once(row):
    await shelf.find("fake")
    row.enabled = False
    await row.asave()

    assert not (await shelf.find("fake")).enabled


async def test_a_row_that_is_deleted_is_gone_at_once(row):
    await shelf.find("fake")
    await row.adelete()

    assert await shelf.find("fake") is None


async def test_an_alias_that_is_deleted_is_gone_at_once(row):
    await shelf.find("gpt-fake")
    await Alias.objects.filter(name="gpt-fake").adelete()

    assert await shelf.find("gpt-fake") is None


def test_a_transaction_is_not_over_before_its_end(row):
    """Who reads meanwhile reads what was; that is not what is kept."""
    with transaction.atomic():
        row.enabled = False
        row.save()
        shelf._kept["fake"] = shelf._Kept(LanguageModel(slug="fake"))
    assert "fake" not in shelf._kept


async def test_what_another_process_does_holds_in_a_while(row, monkeypatch):
    await shelf.find("fake")
    await LanguageModel.objects.aupdate(enabled=False)
    assert (await shelf.find("fake")).enabled

    monkeypatch.setattr(shelf, "FRESH_SECONDS", 0.0)
    assert not (await shelf.find("fake")).enabled


def test_what_people_may_choose_is_read_once(row):
    with CaptureQueriesContext(connection) as queries:
        assert shelf.offered() == shelf.offered()
    assert len(queries) == 1
    assert [offer["slug"] for offer in shelf.offered()] == ["fake"]


def test_and_anew_when_a_row_has_changed(row):
    shelf.offered()
    row.enabled = False
    row.save()
    assert shelf.offered() == []


async def test_what_another_process_has_taken_away_is_gone_for_everybody(row, monkeypatch):
    await shelf.find("gpt-fake")
    await Alias.objects.filter(name="gpt-fake").aupdate(name="other")  # as if by another one
    shelf._kept["gpt-fake"].read_at = shelf.NEVER

    assert await shelf.find("gpt-fake") is None
    assert await shelf.find("gpt-fake") is None


async def test_a_crowd_reads_what_is_stale_once_and_is_given_nothing_older(row, monkeypatch):
    first = await shelf.find("fake")
    await shelf.spec(first)
    await LanguageModel.objects.aupdate(enabled=False)
    shelf._kept["fake"].read_at = shelf.NEVER
    named, asked = LanguageModel.objects.named, []
    monkeypatch.setattr(LanguageModel.objects, "named", lambda n: asked.append(n) or named(n))

    found = await asyncio.gather(*(shelf.find("fake") for _ in range(5)))
    assert [model.enabled for model in found] == [False] * 5
    assert asked == ["fake"]


async def test_a_request_that_is_on_its_way_makes_no_spec_anew(row, monkeypatch):
    model = await shelf.find("fake")
    spec = await shelf.spec(model)
    shelf._kept["fake"].read_at = shelf.NEVER
    newer = await shelf.find("fake")
    monkeypatch.setattr(specs, "spec", lambda model: pytest.fail("made anew"))

    assert newer is not model
    assert await shelf.spec(model) is spec
    assert await shelf.spec(newer) is not spec


async def test_however_many_names_there_are_none_is_kept_for_ever(row, monkeypatch):
    monkeypatch.setattr(shelf, "MOST_NAMES", 2)
    await shelf.find("gpt-fake")
    await LanguageModel.objects.aupdate(enabled=False)
    shelf._kept["gpt-fake"].read_at = shelf.NEVER

    assert not (await shelf.find("gpt-fake")).enabled
    assert not (await shelf.find("gpt-fake")).enabled
