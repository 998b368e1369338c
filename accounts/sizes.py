"""How large a request may be: by the server's settings for all, by policies for a caller."""

from dataclasses import replace

from django.conf import settings

from .errors import Exceeds
from .policy import EffectivePolicy, Limit

SERVER = "the server"  # whose rules the settings are


def body_limit(policy: EffectivePolicy) -> Limit:
    """The bytes that a request may have."""
    most = int(settings.CONFIG.limits.max_body_mb * 2**20)
    own = policy.smallest("max_body_kb")
    if own is None or own.value * 2**10 >= most:
        return Limit(most, "limits.max_body_mb", SERVER, "")
    return replace(own, value=own.value * 2**10)


def body_refusal(limit: Limit) -> str:
    return f"The request is larger than {limit.value} bytes (rule {limit.rule} of {limit.level})."


def check_body(policy: EffectivePolicy, num_bytes: int) -> None:
    """
    Raises:
        Exceeds: naming the rule.
    """
    limit = body_limit(policy)
    if num_bytes > limit.value:
        raise Exceeds(body_refusal(limit), rule=limit.rule, level=limit.level)


def check_prompt_length(length: int, param: str, default: int | None = None) -> None:
    """Refuse a prompt of more characters than the server takes, or than that default.

    Raises:
        Exceeds: naming the setting.
    """
    most = settings.CONFIG.limits.max_prompt_length or default
    _check_setting("max_prompt_length", most, length, f"{param}: its length", param)


def check_messages(number: int) -> None:
    """
    Raises:
        Exceeds: naming the setting.
    """
    most = settings.CONFIG.limits.max_messages
    _check_setting("max_messages", most, number, "messages: their number", "messages")


def output_limits(policy: EffectivePolicy) -> list[Limit]:
    """Tokens after which an answer ends."""
    most, own = settings.CONFIG.limits.max_response_tokens, policy.smallest("max_output_tokens")
    servers = [Limit(most, "limits.max_response_tokens", SERVER, "")] if most else []
    return [*servers, *([own] if own else [])]


def _check_setting(name: str, most: int | None, size: int, what: str, param: str) -> None:
    rule = f"limits.{name}"
    if most is not None and size > most:
        raise Exceeds(
            f"{what}, {size}, is more than {rule}, {most}.", rule=rule, level=SERVER, param=param
        )
