import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from inference import registry
from inference.management.commands._progress import show_progress
from inference.models import LanguageModel
from llmsite.config import Config

from .file_server import FileServer
from .gguf_maker import make_gguf

Run = Callable[..., str]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def configure(settings: Settings, tmp_path: Path) -> Callable[..., None]:
    settings.MODELS_DIR = tmp_path / "models"

    def configure(**model: str) -> None:
        settings.CONFIG = Config.model_validate({"models": {"available_models": [model]}})

    return configure


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with FileServer(make_gguf(tmp_path / "served.gguf")) as server:
        yield server


@pytest.fixture
def stderr() -> StringIO:
    return StringIO()


@pytest.fixture
def run(db: None, stderr: StringIO) -> Run:
    def run(*arguments: str) -> str:
        stdout = StringIO()
        call_command(*arguments, stdout=stdout, stderr=stderr)
        return stdout.getvalue()

    return run


def path_of(name: str) -> Path:
    path = registry.get(name).path
    assert path
    return path


class TestPrefetch:
    def test_all_enabled_models_are_fetched(self, run: Run, server: FileServer) -> None:
        registry.add(server.url("/one.gguf"))
        registry.add(server.url("/two.gguf"))
        registry.add(server.url("/three.gguf"), enabled=False)
        output = run("prefetch")
        assert "one: fetched, 4.61kB" in output
        assert [row.slug for row in LanguageModel.objects.routable()] == ["one", "two"]

    def test_what_is_there_is_not_fetched_again(self, run: Run, server: FileServer) -> None:
        run("prefetch", server.url())
        assert "tiny: is there" in run("prefetch")
        assert len(server.requests) == 1

    def test_a_named_model_is_fetched_by_id_or_alias(self, run: Run, server: FileServer) -> None:
        registry.add(server.url("/one.gguf"), aliases=["first"])
        registry.add(server.url("/two.gguf"))
        run("prefetch", "first")
        assert server.paths == ["/one.gguf"]

    def test_a_uri_is_registered_first(self, run: Run, server: FileServer) -> None:
        run("prefetch", server.url())
        assert registry.is_fetched(registry.get("tiny"))

    def test_a_file_of_the_wrong_size_is_fetched_again(self, run: Run, server: FileServer) -> None:
        run("prefetch", server.url())
        path = path_of("tiny")
        path.write_bytes(b"GGUF")
        assert "tiny: fetched" in run("prefetch")
        assert path.read_bytes() == server.content

    def test_verify_reads_the_file_again(self, run: Run, server: FileServer) -> None:
        run("prefetch", server.url())
        assert "tiny: verified" in run("prefetch", "--verify")

    def test_verify_names_a_corrupted_file(self, run: Run, server: FileServer) -> None:
        run("prefetch", server.url())
        path = path_of("tiny")
        path.write_bytes(server.content.replace(b"Tiny", b"Tidy"))
        with pytest.raises(CommandError, match=f"tiny: {path} is corrupted"):
            run("prefetch", "--verify")

    def test_one_failure_does_not_stop_the_others(self, run: Run, server: FileServer) -> None:
        with pytest.raises(CommandError) as caught:
            run("prefetch", "nothing", "s3://b/m.gguf", server.url())
        assert str(caught.value).splitlines() == [
            "no model has the id or alias 'nothing'",
            "s3://b/m.gguf: expected one of the schemes pypi, hf, https, http, file, found 's3'",
        ]
        assert registry.is_fetched(registry.get("tiny"))

    def test_a_uri_that_fails_stays_registered(self, run: Run, server: FileServer) -> None:
        server.status = 503
        with pytest.raises(CommandError, match=f"^tiny: {server.url()}: the server answered 503"):
            run("prefetch", server.url())
        server.status = None
        assert "tiny: fetched" in run("prefetch", "tiny")

    def test_the_configured_models_are_registered(
        self, run: Run, server: FileServer, configure: Callable[..., None]
    ) -> None:
        configure(id="mine", source=server.url())
        run("prefetch")
        assert [row.slug for row in LanguageModel.objects.routable()] == ["mine"]

    def test_a_bad_configured_model_is_named(
        self, run: Run, configure: Callable[..., None]
    ) -> None:
        configure(id="a b")
        with pytest.raises(CommandError, match=r"models\.available_models: a b: slug"):
            run("prefetch")

    def test_an_empty_registry_gets_the_default_model(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = (tmp_path / "default.gguf").as_uri()
        make_gguf(tmp_path / "default.gguf")
        monkeypatch.setattr("inference.registry.configured.DEFAULT_SOURCE", source)
        monkeypatch.setattr("inference.registry.configured.DEFAULT_SHA256", "")
        run("prefetch")
        assert registry.is_fetched(registry.get("default"))


class TestAddModel:
    def test_it_registers_and_fetches(self, run: Run, server: FileServer) -> None:
        output = run("add_model", server.url())
        assert "tiny: registered" in output
        assert "tiny: fetched, 4.61kB" in output
        assert registry.is_fetched(registry.get("tiny"))

    def test_options_become_columns(self, run: Run) -> None:
        names = ["--id=smol", "--name=Smol", "--alias=a", "--alias=b", "--pinned"]
        options = ["--device=cpu", "--context-length=4096", "--idle-timeout-seconds=1.5"]
        options += ["--context-policy=drop_oldest", "--task=embed"]
        run("add_model", "hf://owner/repo/m.gguf", "--no-fetch", *names, *options)
        row = registry.get("b")
        assert (row.slug, row.name, row.pinned, row.device) == ("smol", "Smol", True, "cpu")
        assert (row.context_length, row.idle_timeout_seconds) == (4096, 1.5)
        assert (row.batch_tokens, row.gpu_layers) == (0, -1)
        assert (row.context_policy, row.serves) == ("drop_oldest", "embed")

    def test_a_bad_option_is_told(self, run: Run) -> None:
        with pytest.raises(CommandError, match="m: batch_tokens: "):
            run("add_model", "hf://owner/repo/m.gguf", "--no-fetch", "--batch-tokens=1")
        with pytest.raises(CommandError, match="invalid choice: 'tpu'"):
            run("add_model", "hf://owner/repo/m.gguf", "--device=tpu")

    def test_a_duplicate_is_told(self, run: Run) -> None:
        run("add_model", "hf://owner/repo/m.gguf", "--no-fetch")
        with pytest.raises(CommandError, match="registered already, as 'm'"):
            run("add_model", "hf://owner/repo/m.gguf")

    def test_a_failed_fetch_can_be_tried_again(self, run: Run, server: FileServer) -> None:
        server.status = 503
        with pytest.raises(CommandError, match=r"answered 503(.|\n)*`prefetch tiny` tries again"):
            run("add_model", server.url())
        server.status = None
        assert "tiny: fetched" in run("prefetch", "tiny")

    def test_an_expected_hash_is_checked(self, run: Run, server: FileServer) -> None:
        with pytest.raises(CommandError, match=f"expected sha256 {'0' * 64}"):
            run("add_model", server.url(), "--sha256", "0" * 64)


class TestListModels:
    def test_it_is_a_table(self, run: Run, server: FileServer) -> None:
        run("add_model", server.url(), "--name=Tiny Model")
        run("add_model", "hf://owner/repo/other.gguf", "--no-fetch")
        assert run("list_models").splitlines() == [
            "ID     NAME        QUANTIZATION  SIZE    CONTEXT  STATE",
            "other  other       -             -       -        not fetched",
            "tiny   Tiny Model  Q4_1          4.61kB  2048     ready",
        ]

    def test_it_tells_what_is_wrong_with_a_model(self, run: Run, server: FileServer) -> None:
        run("prefetch", server.url())
        path_of("tiny").unlink()
        assert "damaged" in run("list_models")
        LanguageModel.objects.update(enabled=False)
        assert "disabled" in run("list_models")

    def test_it_can_be_json(self, run: Run, server: FileServer) -> None:
        run("add_model", server.url("/tiny.gguf?token=hunter2"), "--alias=default")
        [model] = json.loads(run("list_models", "--json"))
        assert (model["id"], model["aliases"], model["state"]) == ("tiny", ["default"], "ready")
        assert model["source"] == server.url("/tiny.gguf?…")


class TestProgress:
    def test_a_log_gets_a_line_for_every_tenth(self, stderr: StringIO) -> None:
        with show_progress("tiny", stderr) as show:
            for done in range(1001):
                show(done * 10**5, 10**8)
        lines = stderr.getvalue().splitlines()
        assert lines == [f"tiny: {percent} % of 100MB" for percent in range(10, 101, 10)]

    def test_a_log_gets_a_line_for_every_doubling_of_an_unknown_size(
        self, stderr: StringIO
    ) -> None:
        with show_progress("tiny", stderr) as show:
            for done in range(100):
                show(done * 10**6, None)
        assert stderr.getvalue().splitlines() == ["tiny: 16.0MB", "tiny: 32.0MB", "tiny: 64.0MB"]

    def test_a_log_begins_anew_with_the_next_part_of_the_work(self, stderr: StringIO) -> None:
        with show_progress("tiny", stderr) as show:
            show(20 * 10**6, None)
            show(0, 10**6)
            show(10**6, 10**6)
        assert stderr.getvalue().splitlines() == ["tiny: 20.0MB", "tiny: 100 % of 1.00MB"]

    def test_a_terminal_gets_a_bar(self) -> None:
        terminal = Terminal()
        with show_progress("tiny", terminal) as show:
            show(10**7, None)
            show(5 * 10**6, 10**7)
        assert "tiny:   0%|" in terminal.getvalue()
        assert terminal.getvalue().endswith("\r")

    def test_a_shell_gets_it_on_standard_error(
        self, db: None, server: FileServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("add_model", server.url())
        path_of("tiny").unlink()
        call_command("prefetch", "tiny")
        assert capsys.readouterr().err.count("tiny: 100 % of 4.61kB\n") == 2

    def test_prefetch_shows_it(self, run: Run, server: FileServer, stderr: StringIO) -> None:
        run("prefetch", server.url())
        assert "tiny: 100 % of 4.61kB" in stderr.getvalue()
