"""Hermes, Qwen and those after them: each call in `<tool_call>` and `</tool_call>`."""

from .base import ToolFormat


class Hermes(ToolFormat):
    opening = "<tool_call>"
    closing = "</tool_call>"
    prefix = "<tool_call>\n"

    def fits(self, template: str) -> bool:
        # Others write XML within the same tags.
        return "<tool_call>" in template and "<function=" not in template and "tools" in template
