"""Qwen3-Coder and others: tags within `<tool_call>` and `</tool_call>`."""

from collections.abc import Mapping

from .base import Function, Reader
from .hermes import Hermes
from .xml import FUNCTION, XmlReader


class QwenCoder(Hermes):
    """An answer that has to be a call is JSON, as other Qwen models write it: what is in tags
    cannot be held to every schema.
    """

    bare = ""
    bare_opening = FUNCTION

    def fits(self, template: str) -> bool:
        return "<tool_call>" in template and FUNCTION in template and "tools" in template

    def starts(self, text: str) -> bool | None:
        if text.startswith(("{", FUNCTION)):
            return True
        return None if FUNCTION.startswith(text) else False

    def reader(self, text: str, functions: Mapping[str, Function]) -> Reader:
        return super().reader(text, functions) if text[0] == "{" else XmlReader(functions)
