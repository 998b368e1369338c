"""Functions as they were offered and called before there were tools."""

from typing import Any

REASONS = {"tool_calls": "function_call"}

Message = dict[str, Any]


def modern(messages: list[Message]) -> list[Message]:
    """The same conversation with tools in it: templates know no others."""
    made: list[Message] = []
    id = "call_0"  # of the call before
    for index, message in enumerate(messages):
        call = message.get("function_call")
        if isinstance(call, dict) and not message.get("tool_calls"):
            id = f"call_{index}"
            others = {name: value for name, value in message.items() if name != "function_call"}
            calls = [{"id": id, "type": "function", "function": call}]
            made.append({**others, "tool_calls": calls})
        elif message["role"] == "function":
            made.append({**message, "role": "tool", "tool_call_id": id})
        else:
            made.append(message)
    return made


def older(delta: Message) -> Message:
    """A delta, or a whole message, with the one call where older clients look for it."""
    if "tool_calls" not in delta:
        return delta
    others = {name: value for name, value in delta.items() if name != "tool_calls"}
    (call,) = delta["tool_calls"]
    return {**others, "function_call": call["function"]}
