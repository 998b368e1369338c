"""Mistral: `[TOOL_CALLS]` and an array of calls."""

import hashlib
from collections.abc import Sequence
from typing import Any

from .base import Function, Message, ToolFormat

ID_LENGTH = 9  # letters and digits; the template refuses others


class Mistral(ToolFormat):
    opening = "[TOOL_CALLS]"
    separators = "[],"
    is_list = True
    prefix = "[TOOL_CALLS]"

    def fits(self, template: str) -> bool:
        # Newer ones write the name outside the JSON.
        return "[TOOL_CALLS]" in template and "[ARGS]" not in template

    def messages(self, messages: Sequence[Message], functions: Sequence[Function]) -> list[Message]:
        return [_renamed(message) for message in super().messages(messages, functions)]


def _renamed(message: Message) -> Message:
    if isinstance(message.get("tool_calls"), list):
        calls = [_with_id(call) for call in message["tool_calls"]]
        return {**message, "tool_calls": calls}
    if "tool_call_id" in message:
        return {**message, "tool_call_id": _short(message["tool_call_id"])}
    return message


def _with_id(call: Any) -> Any:
    return {**call, "id": _short(call.get("id"))} if isinstance(call, dict) else call


def _short(id: object) -> str:
    return hashlib.sha256(str(id).encode()).hexdigest()[:ID_LENGTH]
