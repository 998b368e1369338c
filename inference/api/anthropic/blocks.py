"""Content that grows: text, thoughts and calls, one block after the other."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

Event = dict[str, Any]


class Blocks:
    """Takes what a ChatReader has read; tells the events of it, and keeps what they make."""

    def __init__(self) -> None:
        self._blocks: list[dict[str, Any]] = []
        self._is_open = False
        self._arguments = ""  # of the call that is the last block

    def grow(self, deltas: list[dict[str, Any]]) -> list[Event]:
        return [event for delta in deltas for event in self._grown(delta)]

    def close(self) -> list[Event]:
        """The block that is open has ended."""
        was_open, self._is_open = self._is_open, False
        if not was_open:
            return []
        last = self._blocks[-1]
        if last["type"] == "tool_use":
            last["input"], self._arguments = _object(self._arguments), ""
        return [{"type": "content_block_stop", "index": len(self._blocks) - 1}]

    def made(self) -> list[dict[str, Any]]:
        self.close()
        return self._blocks

    def _grown(self, delta: dict[str, Any]) -> Iterator[Event]:
        match delta:
            case {"reasoning_content": thinking}:
                # Nobody has to prove later that a model of this service thought it.
                yield from self._within({"type": "thinking", "thinking": "", "signature": ""})
                yield self._more("thinking", thinking)
            case {"content": text}:
                yield from self._within({"type": "text", "text": ""})
                yield self._more("text", text)
            case {"tool_calls": [{"id": id, "function": {"name": name}}]}:
                own_id = f"toolu_{id.removeprefix('call_')}"
                yield from self.close()
                yield from self._within(
                    {"type": "tool_use", "id": own_id, "name": name, "input": {}}
                )
            case {"tool_calls": [{"function": {"arguments": arguments}}]}:
                self._arguments += arguments
                yield self._delta({"type": "input_json_delta", "partial_json": arguments})

    def _within(self, block: dict[str, Any]) -> Iterator[Event]:
        if self._is_open and self._blocks[-1]["type"] == block["type"]:
            return
        yield from self.close()
        self._blocks.append({**block})
        self._is_open = True
        index = len(self._blocks) - 1
        yield {"type": "content_block_start", "index": index, "content_block": block}

    def _more(self, field: str, text: str) -> Event:
        self._blocks[-1][field] += text
        return self._delta({"type": f"{field}_delta", field: text})

    def _delta(self, delta: dict[str, Any]) -> Event:
        return {"type": "content_block_delta", "index": len(self._blocks) - 1, "delta": delta}


def _object(arguments: str) -> dict[str, Any]:
    """What has been written of it; what is no JSON at all by another name, so as not to be lost."""
    try:
        value = from_json(arguments or "{}", allow_partial=True)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"arguments": arguments}
