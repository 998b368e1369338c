"""How large a prompt may be, by the server's settings and by the caller's policy."""

from typing import Any

from accounts.policy import EffectivePolicy
from accounts.sizes import check_messages, check_prompt_length


def check_prompt(policy: EffectivePolicy, prompt: dict[str, Any]) -> None:
    """Before it is tokenized; its tokens are counted at admission.

    Raises:
        Exceeds: naming the rule.
    """
    messages = prompt.get("messages")
    if messages is not None:
        check_messages(len(messages))
        policy.check_size("max_messages", len(messages), "messages: their number", "messages")
    param = field(prompt)
    policy.check_size("max_prompt_characters", length(prompt), f"{param}: its length", param)


def check_length(prompt: dict[str, Any]) -> None:
    """Refuse a prompt of more characters than the server takes.

    Raises:
        Exceeds: naming the setting.
    """
    check_prompt_length(length(prompt), field(prompt))


def check_inputs(policy: EffectivePolicy, request: dict[str, Any], param: str) -> None:
    """The same for inputs that become vectors: all of them together.

    Raises:
        Exceeds: naming the rule.
    """
    characters = sum(map(len, [*(request.get("texts") or []), request.get("query") or ""]))
    policy.check_size("max_prompt_characters", characters, f"{param}: its length", param)


def field(prompt: dict[str, Any]) -> str:
    """The request's field that the prompt came in."""
    return "prompt" if prompt.get("messages") is None else "messages"


def length(prompt: dict[str, Any]) -> int:
    """Characters of all that a template may write: of calls and of tools, too. A prompt of
    tokens has none.
    """
    if prompt.get("messages") is not None:
        said = [message[key] for message in prompt["messages"] for key in message if key != "role"]
        options = prompt.get("template_options") or {}
        return num_characters([*said, prompt.get("prefix"), *options.values()])
    return len(prompt.get("text") or "") + len(prompt.get("suffix") or "")


def num_characters(value: Any) -> int:
    """Of all texts in it, the names of fields too, however deeply it is nested."""
    number, rest = 0, [value]
    while rest:
        match rest.pop():
            case str() as text:
                number += len(text)
            case dict() as fields:
                rest += [*fields, *fields.values()]
            case list() | tuple() as items:
                rest += items
    return number
