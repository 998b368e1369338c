"""Projectors in the registry: the second file of a model that reads images."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from inference import operating, registry, specs
from inference.gguf_file import BadModelFile
from inference.models import LanguageModel
from inference.registry import CorruptedModelFile, InvalidModel
from inference.runtime import Image, SamplingParams, generate, shutdown
from inference.sources import SourceNotFound
from tests.tiny_gguf import make_tiny_gguf
from tests.tiny_projector import make_png, make_tiny_projector

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model_file(tmp_path):
    return make_tiny_gguf(tmp_path / "tiny.gguf")


@pytest.fixture
def projector_file(tmp_path):
    return make_tiny_projector(tmp_path / "eyes.gguf")


def fetched(row):
    registry.fetch_model(row, lambda done, total: None)
    row.refresh_from_db()
    return row


@pytest.fixture
def row(model_file, projector_file):
    options = {"projector": str(projector_file), "threads": 1}
    return fetched(registry.add(str(model_file), slug="tiny", **options))


async def test_its_engine_gets_both_files_and_counts_both(row, model_file, projector_file):
    spec = await specs.spec(row)
    assert row.projector == projector_file.as_uri()
    assert spec.config.projector == str(projector_file)
    assert spec.config.projector_sha256 == row.projector_sha256
    assert spec.size_bytes == model_file.stat().st_size + projector_file.stat().st_size
    assert row.reads_images


async def test_an_image_changes_what_it_writes(row):
    async def text(data):
        image = Image("<image:x>", data, "messages[0].content")
        messages = [{"role": "user", "content": "a <image:x> tale"}]
        params = SamplingParams(temperature=0, max_tokens=8, ignore_eos=True)
        answer = await generate(row, params, messages=messages, images=[image])
        return "".join([piece.text async for piece in answer])

    try:
        red, blue = await text(make_png()), await text(make_png(colour=(0, 0, 255)))
    finally:
        await shutdown()
    assert red != blue


def test_an_answers_fingerprint_names_it(row):
    before = specs.fingerprint(row)
    row.projector_sha256 = "ab" * 32
    assert specs.fingerprint(row) != before


def test_a_file_that_is_no_projector_is_refused_and_the_model_serves_without(model_file, tmp_path):
    other = make_tiny_gguf(tmp_path / "other.gguf")
    row = registry.add(str(model_file), slug="tiny", projector=str(other))
    with pytest.raises(BadModelFile, match=r"other\.gguf is no projector, and tiny names it"):
        fetched(row)
    row.refresh_from_db()
    assert (row.reads_images, row.file) == (False, str(model_file))
    assert not registry.is_fetched(row)
    assert operating.state_of(row).text == "its projector is not fetched"


def test_a_projector_is_no_model(projector_file):
    with pytest.raises(BadModelFile, match="is a projector: the row of the model"):
        fetched(registry.add(str(projector_file), slug="eyes"))


def test_a_projector_that_is_not_there_is_named(model_file):
    with pytest.raises(SourceNotFound, match="neither a URI nor a file"):
        registry.add(str(model_file), slug="tiny", projector="no.gguf")


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"task": "embed"}, "writes no text"), ({"base": "tiny"}, "reads images where its base does")],
)
def test_only_models_that_write_have_one(row, model_file, projector_file, columns, words):
    columns = {**columns, **({"base": row} if "base" in columns else {})}
    with pytest.raises(InvalidModel, match=words) as caught:
        registry.add(str(model_file), slug="new", projector=str(projector_file), **columns)
    assert caught.value.column == "projector"


def test_both_files_are_verified(row, projector_file):
    registry.verify(row)
    assert registry.is_fetched(row)
    projector_file.write_bytes(projector_file.read_bytes()[:-1] + b"\1")
    with pytest.raises(CorruptedModelFile, match=r"eyes\.gguf is corrupted"):
        registry.verify(row)
    projector_file.write_bytes(b"")
    assert not registry.is_fetched(row)


def test_another_one_is_fetched_and_none_takes_the_eyes_away(row, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(operating, "start_fetching", started.append)
    other = make_tiny_projector(tmp_path / "other.gguf", seed=1)
    before = row.projector_sha256

    operating.change(row, {"projector": str(other)})
    assert (started, row.reads_images, row.projector_sha256) == ([row], False, "")
    assert fetched(row).reads_images
    assert row.projector_sha256 != before

    operating.change(row, {"projector": ""})
    assert (started, row.reads_images) == ([row], False)


def test_the_command_line_names_it(model_file, projector_file):
    arguments = ["add_model", str(model_file), "--id", "tiny", "--projector", str(projector_file)]
    call_command(*arguments, stdout=io.StringIO())
    assert LanguageModel.objects.get(slug="tiny").reads_images

    out = io.StringIO()
    projector_file.unlink()
    with pytest.raises(CommandError, match=r"eyes\.gguf"):
        call_command("prefetch", "tiny", stdout=out)


def test_the_audit_log_has_no_secrets_of_its_source(row):
    row.projector = "https://me:secret@a.example/eyes.gguf?token=secret"
    row.save()
    facts = str(AuditEntry.objects.order_by("-pk")[0].__dict__)
    assert "a.example/eyes.gguf" in facts
    assert "secret" not in facts


def test_the_administration_takes_it(admin_client, row, projector_file):
    page = admin_client.get(f"/admin/inference/languagemodel/{row.pk}/change/")
    assert 'name="projector"' in page.content.decode()
    assert projector_file.name in page.content.decode()
