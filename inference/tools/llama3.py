"""Llama 3.1 and later: an answer that is a JSON object is a call."""

from .base import ToolFormat


class Llama3(ToolFormat):
    opening = "<|python_tag|>"
    separators = ";,"
    arguments = "parameters"
    shown = ("<|python_tag|>",)

    def fits(self, template: str) -> bool:
        return "<|python_tag|>" in template and "tools" in template
