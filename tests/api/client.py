"""How the tests of the API ask and read: over ASGI, without a server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from django.test import AsyncClient
from django.test.client import AsyncClientHandler
from prometheus_client.parser import text_string_to_metric_families

from llmsite.api_handler import ApiMiddleware

PATIENCE_SECONDS = 20.0


class Handler(ApiMiddleware, AsyncClientHandler):
    """The way that programs' requests take in the server."""


class Api:
    """Asks for the model `fake` unless told otherwise, with `key` if there is one."""

    def __init__(self, key: str = "") -> None:
        self._client = AsyncClient(raise_request_exception=False)
        self._client.handler = Handler(enforce_csrf_checks=False)
        self._own = {"authorization": f"Bearer {key}"} if key else {}

    async def get(self, path: str, **headers: str) -> Any:
        return await self._client.get(path, headers=self._own | headers)

    async def request(self, method: str, path: str, **headers: str) -> Any:
        return await self._client.generic(method, path, headers=self._own | headers)

    async def send(
        self, path: str, body: bytes, content_type: str = "application/json", **headers: str
    ) -> Any:
        headers = self._own | headers
        return await self._client.generic("POST", path, body, content_type, headers=headers)

    async def post(self, path: str, body: Any, **headers: str) -> Any:
        return await self.send(path, json.dumps(body).encode(), **headers)

    async def chat(self, content: Any = "a b c", **fields: Any) -> Any:
        messages = [{"role": "user", "content": content}]
        return await self.post(
            "/v1/chat/completions", {"model": "fake", "messages": messages, **fields}
        )

    async def complete(self, prompt: Any = "a b c", **fields: Any) -> Any:
        return await self.post("/v1/completions", {"model": "fake", "prompt": prompt, **fields})

    async def metric(self, name: str, **labels: str) -> float:
        """The value on /metrics; 0 if it is not there yet."""
        return (await self.metrics([name], **labels))[name]

    async def metrics(self, names: Iterable[str], **labels: str) -> dict[str, float]:
        """The values of one page: in a long test run it has thousands of lines about views."""
        page = (await self.get("/metrics")).content.decode().splitlines()
        return {
            name: _value([line for line in page if line.startswith(name)], name, labels)
            for name in names
        }


def _value(lines: list[str], name: str, labels: dict[str, str]) -> float:
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    samples = (sample for family in families for sample in family.samples)
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


async def body_of(response: Any) -> str:
    """All of it, be it a stream or not."""
    if not response.streaming:
        return str(response.content.decode())
    return b"".join([part async for part in response]).decode()


async def events_of(response: Any) -> list[Any]:
    """Every event of an OpenAI stream; the terminator is the string `[DONE]`."""
    blocks = (await body_of(response)).split("\n\n")
    assert blocks.pop() == ""
    return [_event(block) for block in blocks]


def _event(block: str) -> Any:
    data = block.removeprefix("data: ")
    assert data != block
    return data if data == "[DONE]" else json.loads(data)


def texts_of(chunks: list[Any]) -> str:
    """The text of a chat stream's first choice."""
    return "".join(
        choice["delta"].get("content", "")
        for chunk in chunks
        if chunk != "[DONE]"
        for choice in chunk["choices"]
    )


@asynccontextmanager
async def reading(response: Any) -> AsyncIterator[AsyncIterator[bytes]]:
    """The parts of a stream, as a server reads them that leaves at the end of the block."""
    async with aclosing(aiter(response)) as parts:
        yield parts


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await holds():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)
