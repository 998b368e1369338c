"""How large a prompt may be, by the server's settings and by the caller's policy."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from accounts.errors import Exceeds
from accounts.policy import EffectivePolicy


def check_prompt(policy: EffectivePolicy, prompt: dict[str, Any]) -> None:
    """Before it is tokenized; its tokens are counted at admission.

    Raises:
        Exceeds: naming the rule.
    """
    messages = prompt.get("messages")
    if messages is not None:
        _check_number_of_messages(policy, messages)
    param = field(prompt)
    policy.check_size("max_prompt_characters", length(prompt), f"{param}: its length", param)


def field(prompt: dict[str, Any]) -> str:
    """The request's field that the prompt came in."""
    return "prompt" if prompt.get("messages") is None else "messages"


def length(prompt: dict[str, Any]) -> int:
    """Characters; a prompt of tokens has none."""
    if prompt.get("messages") is not None:
        return sum(len(message.get("content") or "") for message in prompt["messages"])
    return len(prompt.get("text") or "")


def _check_number_of_messages(policy: EffectivePolicy, messages: Sequence[Any]) -> None:
    number, most = len(messages), settings.CONFIG.limits.max_messages
    if most is not None and number > most:
        raise Exceeds(
            f"messages: their number, {number}, is more than limits.max_messages, {most}.",
            rule="limits.max_messages",
            level="the server",
            param="messages",
        )
    policy.check_size("max_messages", number, "messages: their number", "messages")
