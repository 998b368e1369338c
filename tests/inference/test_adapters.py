"""LoRA adapters in the registry."""

import io

import pytest
from django.core.management import CommandError, call_command

from inference import fetching, operating, registry, specs
from inference.admission import Asker, generate
from inference.gguf_file import BadModelFile
from inference.models import LanguageModel, Receipt
from inference.registry import InvalidModel, ModelInUse, UnknownBase
from inference.runtime import SamplingParams, shutdown
from tests.inference.test_replay import on_a_terminal
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_lora import make_tiny_lora

pytestmark = pytest.mark.django_db(transaction=True)


def add(path, **columns):
    row = registry.add(path.as_uri(), **columns)
    registry.fetch_model(row, lambda done, total: None)
    return row


@pytest.fixture
def base(transactional_db, tmp_path):
    return add(make_tiny_gguf(tmp_path / "base.gguf"), slug="base", threads=1)


@pytest.fixture
def adapter(base, tmp_path):
    path = make_tiny_lora(tmp_path / "lora.gguf")
    return add(path, slug="lora", base=base, adapter_scale=0.5, aliases=["tuned"])


async def test_its_engine_is_that_of_its_base(base, adapter):
    spec = await specs.spec(adapter)
    (known,) = spec.config.adapters

    assert spec == await specs.spec(base)
    assert spec.config.model_id == "base"
    assert known.id == f"lora@{adapter.sha256[:16]}*0.5"
    assert (known.scale, known.sha256) == (0.5, adapter.sha256)


async def test_one_that_is_disabled_or_not_fetched_is_not_in_it(base, adapter):
    await LanguageModel.objects.filter(slug="lora").aupdate(enabled=False)
    assert (await specs.spec(base)).config.adapters == ()


@pytest.mark.parametrize(("column", "value"), [("adapter_scale", 0.75), ("sha256", "ab" * 32)])
def test_with_another_file_or_scale_it_is_another_to_the_engine_and_its_cache(
    adapter, column, value
):
    before = adapter.adapter
    setattr(adapter, column, value)
    assert adapter.adapter != before


def test_it_does_what_its_base_does(adapter):
    row = registry.get("tuned")
    assert (row.serves, row.origin.slug) == ("generate", "base")
    assert row in LanguageModel.objects.generative()
    assert registry.get("base").adapter == ""


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"task": "embed"}, "writes no text"),
        ({"base": "lora"}, "is an adapter itself"),
        ({"own task": "embed"}, "leave the task empty"),
        ({"adapter_scale": 1000.0}, "less than or equal to 100"),
    ],
)
def test_what_cannot_be_is_refused(base, adapter, tmp_path, columns, why):
    if "task" in columns:
        LanguageModel.objects.filter(slug="base").update(task="embed")
        base.refresh_from_db()
    whose = adapter if columns.get("base") else base
    more = {"task": columns.get("own task", ""), "adapter_scale": columns.get("adapter_scale", 1.0)}
    path = make_tiny_lora(tmp_path / "more.gguf")
    with pytest.raises(InvalidModel, match=why):
        registry.add(path.as_uri(), base=whose, **more)


def test_a_model_with_adapters_becomes_none(base, adapter, tmp_path):
    other = add(make_tiny_gguf(tmp_path / "other.gguf"), slug="other")
    base.base = other
    with pytest.raises(InvalidModel, match="base has adapters of its own"):
        registry.save_changed(base)


def test_a_file_that_is_no_adapter_is_refused(base, tmp_path):
    with pytest.raises(BadModelFile, match="is no LoRA adapter, and its row is one of base"):
        add(make_tiny_gguf(tmp_path / "m.gguf"), base=base)


def test_an_adapter_without_a_base_is_refused(base, tmp_path):
    with pytest.raises(BadModelFile, match="is a LoRA adapter: its row has to name"):
        add(make_tiny_lora(tmp_path / "l.gguf"))


def test_an_adapter_for_other_models_is_refused(base, tmp_path):
    path = make_tiny_lora(tmp_path / "l.gguf", architecture="gemma3")
    with pytest.raises(BadModelFile, match="is an adapter for 'gemma3' models, and base is 'llam"):
        add(path, base=base)


def test_a_base_is_not_deleted_before_its_adapters(base, adapter):
    with pytest.raises(ModelInUse, match="base is the base of lora"):
        operating.delete(base)
    adapter.delete()
    operating.delete(base)
    assert not LanguageModel.objects.exists()


def test_a_base_that_there_is_not_is_named():
    with pytest.raises(UnknownBase, match="'nobody'"):
        registry.base_of("nobody")
    assert registry.base_of("") is None


# Commands


def test_it_is_added_on_the_command_line(base, tmp_path):
    path, out = make_tiny_lora(tmp_path / "style.gguf"), io.StringIO()
    call_command("add_model", str(path), "--base", "base", "--adapter-scale", "0.25", stdout=out)
    row = registry.get("style")

    assert (row.base, row.adapter_scale) == (base, 0.25)
    assert "style: fetched" in out.getvalue()
    call_command("prefetch", "style", verify=True, stdout=out)
    assert "style: verified" in out.getvalue()


def test_a_base_that_there_is_not_is_refused_on_the_command_line(base, tmp_path):
    path = make_tiny_lora(tmp_path / "style.gguf")
    with pytest.raises(CommandError, match="no model has the id or alias 'nobody'"):
        call_command("add_model", str(path), "--base", "nobody")


# In the administration


def test_it_is_added_in_the_administration(admin_client, base, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "start", lambda row: None)
    page = admin_client.get("/admin/inference/languagemodel/add/").content.decode()
    assert 'name="base"' in page
    assert 'name="adapter_scale"' in page


def test_the_list_says_how_its_base_is(admin_client, adapter):
    page = admin_client.get("/admin/inference/languagemodel/").content.decode()
    assert "lora" in page


# With receipts


async def test_a_receipt_names_the_adapter_and_is_replayed_with_it(adapter):
    from accounts.callers import Caller

    asker = Asker(Caller("local", "local"), "completions")
    params = SamplingParams(seed=3, max_tokens=12, ignore_eos=True)
    try:
        for name in ("base", "tuned"):
            reply = await generate(asker, name, params, deterministic=True, text="the hello")
            assert [piece async for piece in reply]
    finally:
        await shutdown()
    tuned, bare = [receipt async for receipt in Receipt.objects.all()]

    assert (tuned.adapter_sha256, tuned.adapter_scale) == (adapter.sha256, 0.5)
    assert tuned.model_sha256 == bare.model_sha256 == adapter.base.sha256
    assert tuned.output_tokens != bare.output_tokens
    out = io.StringIO()
    await on_a_terminal("replay", str(tuned), stdout=out)
    assert "the same 12 tokens" in out.getvalue()

    await LanguageModel.objects.filter(slug="lora").aupdate(adapter_scale=1)
    with pytest.raises(CommandError, match="the adapter's scale is another"):
        await on_a_terminal("replay", str(tuned))
