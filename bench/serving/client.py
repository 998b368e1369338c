"""HTTP/1.1 and server-sent events on asyncio's streams.

The client shares the machine with the servers that it measures, so it does as little as
it can: a request library costs several times as much for each event.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

LINE_LIMIT = 2**20
ANSWER_SECONDS = 1800.0  # without a byte


class Refused(Exception):
    """The server has answered with something else than 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:500]}")
        self.status = status


class Address:
    """A server on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def get(self, path: str) -> str:
        """
        Raises:
            Refused, OSError
        """
        async with self._answer("GET", path, b"", {}) as body:
            return b"".join([chunk async for chunk in body]).decode()

    async def events(
        self, path: str, asked: dict[str, Any], headers: dict[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        """The events' data, up to `[DONE]`; leaving the iteration hangs up.

        Raises:
            Refused, OSError
        """
        async with self._answer("POST", path, json.dumps(asked).encode(), headers) as body:
            async for line in _lines(body):
                if line == b"data: [DONE]":
                    return
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, sent: bytes, headers: dict[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=LINE_LIMIT)
        try:
            writer.write(self._head(method, path, len(sent), headers) + sent)
            status, fields = await _head_of(reader)
            body = _body(reader, fields)
            if status != 200:
                raise Refused(status, b"".join([chunk async for chunk in body]).decode())
            yield body
        finally:
            writer.close()

    def _head(self, method: str, path: str, length: int, headers: dict[str, str]) -> bytes:
        fields = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Content-Length": str(length),
            "Connection": "close",
            **headers,
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        return "\r\n".join(lines).encode()


async def _head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    async with asyncio.timeout(ANSWER_SECONDS):
        raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in fields}


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> AsyncIterator[bytes]:
    if "content-length" in fields:
        yield await reader.readexactly(int(fields["content-length"]))
        return
    is_chunked = fields.get("transfer-encoding", "").lower() == "chunked"
    while True:
        async with asyncio.timeout(ANSWER_SECONDS):
            chunk = await (_chunk(reader) if is_chunked else reader.read(65536))
        if not chunk:
            return
        yield chunk


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    """The next one; empty at the end."""
    size = int((await reader.readline()).split(b";")[0], 16)
    return (await reader.readexactly(size + 2))[:-2]


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r")
    if rest:
        yield rest
