"""A program that asks for responses."""

import json
from typing import Any

from tests.api.client import Api, body_of

PATH = "/v1/responses"


class Responses:
    def __init__(self, api: Api) -> None:
        self.api = api

    async def raw(self, input: Any = "a b c", *, headers: Any = None, **fields: Any) -> Any:
        body = {"model": "fake", "input": input, **fields}
        return await self.api.post(PATH, body, **(headers or {}))

    async def __call__(self, input: Any = "a b c", **fields: Any) -> dict[str, Any]:
        return told(await self.raw(input, **fields))

    async def error(self, input: Any = "a b c", **fields: Any) -> tuple[int, dict[str, Any]]:
        response = await self.raw(input, **fields)
        return response.status_code, json.loads(await body_of(response))["error"]

    async def stream(self, input: Any = "a b c", **fields: Any) -> list[dict[str, Any]]:
        return events(await body_of(await self.raw(input, stream=True, **fields)))

    async def get(self, id: str, query: str = "") -> dict[str, Any]:
        return told(await self.api.get(f"{PATH}/{id}{query}"))

    async def resume(self, id: str, after: int | None = None) -> list[dict[str, Any]]:
        since = "" if after is None else f"&starting_after={after}"
        return events(await body_of(await self.api.get(f"{PATH}/{id}?stream=true{since}")))

    async def items(self, id: str, query: str = "?order=asc") -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = (await self.get(f"{id}/input_items", query))["data"]
        return data

    async def cancel(self, id: str) -> dict[str, Any]:
        return told(await self.api.post(f"{PATH}/{id}/cancel", {}))

    async def delete(self, id: str) -> dict[str, Any]:
        return told(await self.api.request("DELETE", f"{PATH}/{id}"))


def told(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    data: dict[str, Any] = response.json()
    return data


def events(text: str) -> list[dict[str, Any]]:
    """Each is named by its type; comments are none."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    found = []
    for block in blocks:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def text_of(response: dict[str, Any]) -> str:
    contents = [item["content"] for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for content in contents for part in content)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Their types in order; several deltas in a row are one."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [
        name
        for name, before in zip(names, ["", *names], strict=False)
        if name != before or not name.endswith(".delta")
    ]
