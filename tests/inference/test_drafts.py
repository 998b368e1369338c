"""Draft models in the registry."""

import io

import pytest
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from inference import fetching, operating, registry, specs
from inference.admission import Asker, generate
from inference.models import LanguageModel
from inference.registry import InvalidModel, ModelInUse, UnknownDraft
from inference.runtime import SamplingParams, shutdown, status
from tests.inference.test_adapters import add
from tests.inference.test_admin import form
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_lora import make_tiny_lora

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small(transactional_db, tmp_path):
    path = make_tiny_gguf(tmp_path / "small.gguf", layers=1, seed=7)
    return add(path, slug="small", gpu_layers=3, enabled=False)


@pytest.fixture
def big(small, tmp_path):
    path = make_tiny_gguf(tmp_path / "big.gguf")
    return add(path, slug="big", threads=1, draft=small, aliases=["large"])


@pytest.fixture
def foreign(transactional_db, tmp_path, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr("tests.tiny_gguf.SPECIAL", ["<|endoftext|>", "<|im_start|>", "<|over|>"])
        return add(make_tiny_gguf(tmp_path / "foreign.gguf"), slug="foreign")


async def test_the_engine_is_told_of_it_and_how_large_both_are(big, small):
    spec = await specs.spec(await LanguageModel.objects.aget(slug="big"))
    draft = spec.config.draft

    assert (draft.id, draft.path, draft.sha256) == ("small", str(small.path), small.sha256)
    assert draft.gpu_layers == 3
    assert spec.size_bytes == big.size_bytes + small.size_bytes


async def test_an_adapter_is_computed_with_that_of_its_base(big, small, tmp_path):
    await LanguageModel.objects.acreate(slug="lora", file="lora.gguf", base=big)
    spec = await specs.spec(await LanguageModel.objects.aget(slug="lora"))

    assert spec.config.draft.id == "small"


async def test_with_another_file_of_it_the_engine_is_another(big, small):
    before = await specs.spec(await LanguageModel.objects.aget(slug="big"))
    await LanguageModel.objects.filter(slug="small").aupdate(sha256="ab" * 32)

    assert (await specs.spec(await LanguageModel.objects.aget(slug="big"))).config != before.config


@pytest.mark.parametrize(
    ("which", "columns", "why"),
    [
        ("small", {"draft": "small"}, "draft: small cannot be its own draft model"),
        ("other", {"draft": "big"}, "draft: big has a draft model itself"),
        ("small", {"draft": "other"}, "draft: small is the draft model of big"),
        ("small", {"task": "embed"}, "task: small is the draft model of big"),
        ("small", {"base": "other"}, "base: small is the draft model of big"),
        ("big", {"task": "embed"}, "draft: big writes no text"),
        ("other", {"draft": "embedder"}, "draft: embedder writes no text"),
        ("other", {"draft": "lora"}, "draft: lora is an adapter"),
        ("lora", {"draft": "small"}, "draft: lora is computed with the draft model of other"),
        ("other", {"draft": "absent"}, "draft: absent has not been fetched yet"),
        ("other", {"draft": "foreign"}, "draft: foreign has another vocabulary: its token 2 is"),
    ],
)
def test_what_cannot_be_is_refused(which, columns, why, big, foreign, tmp_path):
    other = add(make_tiny_gguf(tmp_path / "other.gguf"), slug="other")
    add(make_tiny_gguf(tmp_path / "embedder.gguf"), slug="embedder", task="embed")
    add(make_tiny_lora(tmp_path / "lora.gguf"), slug="lora", base=other)
    registry.add(make_tiny_gguf(tmp_path / "absent.gguf").as_uri(), slug="absent")
    row = registry.get(which)
    for name, value in columns.items():
        setattr(row, name, value if name == "task" else registry.get(value))

    with pytest.raises(InvalidModel, match=why):
        registry.save_changed(row)


def test_a_file_that_cannot_be_read_is_named(small, tmp_path):
    other = add(make_tiny_gguf(tmp_path / "other.gguf"), slug="other")
    small.path.write_bytes(b"no model")
    other.draft = small

    with pytest.raises(InvalidModel, match=r"draft: .*small.gguf is not a GGUF file"):
        registry.save_changed(other)


def test_a_row_whose_draft_model_has_lost_its_file_can_still_be_changed(big, small):
    small.path.unlink()
    LanguageModel.objects.filter(slug="small").update(file="")
    row = registry.get("big")
    row.pinned = True

    registry.save_changed(row)


def test_it_is_not_deleted_before_who_has_it(big, small):
    with pytest.raises(ModelInUse, match="small is the draft model of big"):
        operating.delete(small)
    operating.change(registry.get("big"), {"draft": None})
    operating.delete(small)

    assert registry.get("big").draft is None


def test_one_that_there_is_not_is_named():
    with pytest.raises(UnknownDraft, match="draft: no model has the id or alias 'nobody'"):
        registry.draft_of("nobody")
    assert registry.draft_of("") is None


async def written(prompt="the hello"):
    from accounts.callers import Caller

    asker = Asker(Caller("local", "local"), "completions")
    params = SamplingParams(max_tokens=12, ignore_eos=True, temperature=0.0)
    reply = await generate(asker, "big", params, text=prompt)
    return [piece.text async for piece in reply]


def counted(kind):
    return REGISTRY.get_sample_value("llmsite_tokens_total", {"model": "big", "kind": kind}) or 0


async def test_its_guesses_are_counted(big, settings, monkeypatch):
    monkeypatch.setattr(specs, "_draft", unsure(specs._draft))
    before = counted("drafted"), counted("accepted")
    try:
        assert await written()
        assert status()["big"].draft_problem == ""
    finally:
        await shutdown()

    assert counted("drafted") > before[0]
    assert 0 <= counted("accepted") - before[1] <= counted("drafted") - before[0]


def unsure(make):
    """Random models are sure of nothing."""
    import msgspec

    return lambda row: msgspec.structs.replace(make(row), min_probability=0.0)


async def test_what_does_not_fit_is_told_of_the_model_which_serves(big, foreign):
    await LanguageModel.objects.filter(slug="big").aupdate(draft=foreign)
    try:
        assert await written()
        state = operating.state_of(await LanguageModel.objects.aget(slug="big"))
    finally:
        await shutdown()

    assert state.kind == "ready"
    assert "the draft model foreign is not used: foreign.gguf has another vocabulary" in state.text


async def test_what_has_not_been_fetched_is_told_of_the_model_which_serves(big, small):
    await LanguageModel.objects.filter(slug="small").aupdate(file="")
    try:
        assert await written()
        state = operating.state_of(await LanguageModel.objects.aget(slug="big"))
    finally:
        await shutdown()

    assert "the draft model small is not used: it has not been fetched" in state.text


# Commands, and the administration


def test_it_is_named_on_the_command_line(small, tmp_path):
    path, out = make_tiny_gguf(tmp_path / "other.gguf"), io.StringIO()
    call_command("add_model", str(path), "--draft", "small", stdout=out)
    assert registry.get("other").draft == small

    call_command("list_models", "--json", stdout=(listed := io.StringIO()))
    assert '"draft": "small"' in listed.getvalue()
    with pytest.raises(CommandError, match="draft: no model has the id or alias 'nobody'"):
        call_command("add_model", str(path), "--id", "more", "--draft", "nobody")


def test_it_is_chosen_in_the_administration(admin_client, small, foreign, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "start", lambda row: None)
    row = add(make_tiny_gguf(tmp_path / "other.gguf"), slug="other")
    page = f"/admin/inference/languagemodel/{row.pk}/change/"
    fields = form(slug="other", source=row.source)

    refused = admin_client.post(page, fields | {"draft": foreign.pk}).content.decode()
    assert "foreign has another vocabulary: its token 2 is" in refused
    assert admin_client.post(page, fields | {"draft": small.pk}).status_code == 302
    assert registry.get("other").draft == small
