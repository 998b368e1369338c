"""For models whose templates know no tools: they are told in words, and asked for JSON."""

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from .base import Function, Message, ToolFormat, arguments_of, name_of

PROMPT = """\
You can call these functions:

{functions}

To call one, answer with nothing but a JSON object like \
{{"name": "function name", "arguments": {{"argument": "value"}}}}; to call several, with an \
array of them. You will be told what they return. If none helps, answer in words."""


class Generic(ToolFormat):
    opening = "```json"
    closing = "```"
    separators = "[],"
    is_list = True
    bare = "{["

    def fits(self, template: str) -> bool:
        return True

    def messages(self, messages: Sequence[Message], functions: Sequence[Function]) -> list[Message]:
        names = {_key(call.get("id")): name_of(call) for m in messages for call in _calls(m)}
        plain = [_in_words(message, names) for message in messages]
        return _told(plain, functions) if functions else plain

    def options(self, functions: Sequence[Function]) -> dict[str, Any]:
        return {}


def _calls(message: Message) -> list[dict[str, Any]]:
    calls = message.get("tool_calls")
    return [c for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []


def _key(id: Any) -> Hashable:
    """What a call's id is found by: a client's may be anything."""
    return id if isinstance(id, Hashable) else None


def _in_words(message: Message, names: Mapping[Any, str]) -> Message:
    """A call or a result, as the text that it would have been."""
    if calls := _calls(message):
        made = [{"name": name_of(call), "arguments": arguments_of(call)} for call in calls]
        written = json.dumps(made if len(made) > 1 else made[0], ensure_ascii=False)
        content = "\n".join(filter(None, [message.get("content"), written]))
        others = {name: value for name, value in message.items() if name != "tool_calls"}
        return {**others, "content": content}
    if message.get("role") == "tool":
        name = names.get(_key(message.get("tool_call_id")), message.get("name") or "the function")
        return {"role": "user", "content": f"{name} returned: {message.get('content') or ''}"}
    return message


def _told(messages: list[Message], functions: Sequence[Function]) -> list[Message]:
    """With the functions in the first system message, or in one of their own."""
    described = "\n".join(json.dumps(f.tool["function"], ensure_ascii=False) for f in functions)
    prompt = PROMPT.format(functions=described)
    first = messages[0] if messages else {}
    if first.get("role") in ("system", "developer"):
        content = f"{first.get('content') or ''}\n\n{prompt}"
        return [{**first, "content": content}, *messages[1:]]
    return [{"role": "system", "content": prompt}, *messages]
