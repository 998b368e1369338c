"""The door to the engine."""

import pytest
from asgiref.sync import sync_to_async

from inference import models, runtime, specs
from inference.engine import EngineStatus, Load, QueueFull, UnfitModel
from inference.models import LanguageModel
from inference.runtime import ModelNotFound

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", ["nobody", "a\0b", ""])
async def test_a_name_that_nothing_has_is_not_found(name):
    with pytest.raises(ModelNotFound):
        await runtime.find_model(name)


async def test_a_disabled_model_is_not_found(fake_row):
    await LanguageModel.objects.aupdate(enabled=False)
    with pytest.raises(ModelNotFound):
        await runtime.find_model("fake")


@pytest.mark.parametrize("what", ["for this model already.", "for fake to load already."])
async def test_a_full_queue_names_the_setting(fake_row, monkeypatch, what):
    class FullPool:
        async def submit(self, *args, **fields):
            raise QueueFull(f"256 requests wait {what}", retry_after=3)

    monkeypatch.setattr(runtime, "pool", FullPool)
    with pytest.raises(QueueFull) as caught:
        await runtime.generate(fake_row, runtime.SamplingParams(), text="a")

    rule = "rule models.max_waiting_requests of the server"
    assert str(caught.value) == f"256 requests wait {what} At most 256 may ({rule})."
    assert caught.value.retry_after == 3


def test_who_waits_for_the_load_counts_as_waiting(monkeypatch):
    status = EngineStatus(
        model_id="fake", state="loading", load=Load(running=1, waiting=2), num_loading_for=3
    )
    monkeypatch.setattr(runtime, "status", lambda: {"fake": status})

    gauges = runtime.gauges()["fake"]

    assert (gauges.running, gauges.waiting, gauges.is_loaded) == (1, 5, False)


@pytest.mark.parametrize(
    ("fields", "progress"),
    [
        ({"state": "loading", "progress": 0.4}, 0.4),
        ({"state": "leaving", "num_loading_for": 1}, 0.0),
        ({"state": "ready"}, None),
        ({"state": "crashed"}, None),
    ],
)
def test_a_load_says_how_far_it_is(monkeypatch, fields, progress):
    status = EngineStatus(model_id="fake", **fields)
    monkeypatch.setattr(runtime, "status", lambda: {"fake": status})

    assert runtime.load_progress("fake") == progress


def test_a_model_that_nobody_loads_has_no_progress():
    assert runtime.load_progress("fake") is None


# Tasks


async def test_people_are_offered_what_writes(fake_row):
    for task in ("embed", "rerank"):
        await LanguageModel.objects.acreate(slug=task, file="/m.gguf", file_task=task)
    await LanguageModel.objects.acreate(slug="made-to", file="/m.gguf", task="embed")
    await LanguageModel.objects.acreate(
        slug="against", file="/m.gguf", file_task="embed", task="generate"
    )

    offers = await sync_to_async(runtime.catalogue)()

    assert [offer.slug for offer in offers] == ["against", "fake"]


async def test_what_does_not_write_is_not_made_to(fake_row):
    fake_row.file_task = "embed"
    with pytest.raises(UnfitModel, match="The model 'fake' writes no text"):
        await runtime.generate(fake_row, runtime.SamplingParams(), text="a")
    assert (await specs.spec(fake_row)).config.task == "embed"


# Counting


async def test_counting_for_a_gauge_loads_no_model(fake_model):
    messages = [{"role": "user", "content": "a b"}]

    assert await runtime.count_tokens(fake_model, messages) is None
    assert await runtime.count_texts(fake_model, ["a"]) is None
    assert runtime.status() == {}


async def test_tokens_of_a_conversation_and_of_texts_are_counted(fake_model):
    messages = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c"}]

    assert await runtime.count_tokens(fake_model, messages, load=True) == 3
    assert await runtime.count_texts(fake_model, ["a b c d", ""]) == [4, 0]


async def test_what_cannot_be_rendered_cannot_be_counted(fake_model):
    with pytest.raises(runtime.EngineError):
        await runtime.count_tokens(fake_model, [{"role": "user"}], load=True)


def test_rows_and_engines_have_the_same_policies():
    assert {*models.ContextPolicy.values} == {*runtime.ContextPolicy}
