"""Mistral: `[TOOL_CALLS]`, and an array of calls or, in newer models, `name[ARGS]{…}`."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .arguments import ARGS, CALL_ID, ArgumentsReader
from .base import Function, Message, Reader, ToolFormat

ID_LENGTH = 9  # letters and digits; the template refuses others


class Mistral(ToolFormat):
    opening = "[TOOL_CALLS]"
    separators = "[],"
    is_list = True
    prefix = "[TOOL_CALLS]"
    bare = "{["
    shown: ClassVar[tuple[str, ...]] = ("[TOOL_CALLS]",)

    def fits(self, template: str) -> bool:
        # Newer ones write the name outside the JSON.
        return "[TOOL_CALLS]" in template and ARGS not in template

    def messages(self, messages: Sequence[Message], functions: Sequence[Function]) -> list[Message]:
        return [_renamed(message) for message in super().messages(messages, functions)]


class MistralArgs(Mistral):
    """Each call behind an opening of its own. One of several that has to be made is JSON, as
    older models write it: what follows the name depends on it.
    """

    separators = ""
    is_list = False
    bare = "{"
    shown = ("[TOOL_CALLS]", CALL_ID, ARGS)

    def fits(self, template: str) -> bool:
        return "[TOOL_CALLS]" in template and ARGS in template

    def begun(self, forced: Sequence[Function]) -> str:
        return f"{forced[0].name}{ARGS}" if len(forced) == 1 else ""

    def schema(self, functions: Sequence[Function], *, several: bool) -> dict[str, Any]:
        if len(functions) == 1:
            return {**functions[0].parameters}
        return super().schema(functions, several=several)

    def starts(self, text: str) -> bool:
        return text[0] == "{" or text[0].isalnum() or text[0] == "_"

    def reader(self, text: str, functions: Mapping[str, Function]) -> Reader:
        return super().reader(text, functions) if text[0] == "{" else ArgumentsReader(functions)


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
