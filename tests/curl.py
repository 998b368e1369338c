"""The curl commands of a document, as requests."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^curl .*?(?=^curl |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Curl:
    """What one command sends; `method` is that of curl, where the command does not say it."""

    method: str
    url: str
    headers: dict[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.method} {self.url} {self.body}"

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


def curls(document: str, **variables: str) -> Iterator[Curl]:
    """Those in `sh` blocks; `$NAME` becomes what the variables have for it."""
    for block in BLOCK.findall(document):
        for command in COMMAND.findall(block):
            yield _parsed(_filled(command, variables))


def _filled(text: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(f"${name}", value)
    return text


def _parsed(command: str) -> Curl:
    """
    Raises:
        AssertionError: it has what is not understood here.
    """
    [_, *words] = shlex.split(command.replace("\\\n", " "))
    method, url, body, headers = "", "", "", {}
    while words:
        match words.pop(0):
            case "-N":
                pass
            case "-X":
                method = words.pop(0)
            case "-d":
                body = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name.lower()] = value
            case word:
                assert not url
                assert word.startswith("http"), word
                url = word
    return Curl(method or ("POST" if body else "GET"), url, headers, body)
