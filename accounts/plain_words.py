"""The rules of a policy as sentences for the person they hold for."""

from collections.abc import Iterator

from .models import SchedulerClass
from .policy import EffectivePolicy, Limit

LISTS = {
    "allowed_models": "models",
    "allowed_endpoints": "endpoints",
    "allowed_addresses": "addresses",
}
NUMBERS = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "tokens_per_day": "tokens a day (UTC)",
    "tokens_per_month": "tokens a month (UTC)",
    "max_running": "requests at once",
    "max_prompt_tokens": "tokens in a prompt",
    "max_prompt_characters": "characters in a prompt",
    "max_output_tokens": "tokens in an answer",
    "max_messages": "messages in a chat",
    "max_body_kb": "KiB in a request",
}


def rules(policy: EffectivePolicy) -> list[str]:
    """Whatever limits the caller, the strictest number of each kind."""
    return [*_ends(policy), *_lists(policy), *_numbers(policy), *_manners(policy)]


def _ends(policy: EffectivePolicy) -> Iterator[str]:
    ends = [level.expires_at for level in policy.levels if level.expires_at]
    if ends:
        yield f"Until {min(ends):%Y-%m-%d %H:%M} UTC"


def _lists(policy: EffectivePolicy) -> Iterator[str]:
    for field, what in LISTS.items():
        for level in policy.levels:
            allowed: list[str] | None = getattr(level, field)
            if allowed:
                yield f"Only these {what}: {', '.join(allowed)}"


def _numbers(policy: EffectivePolicy) -> Iterator[str]:
    for field, what in NUMBERS.items():
        limit = policy.smallest(field)
        if limit:
            yield f"At most {limit.value:,} {what}{_shared(limit)}"


def _shared(limit: Limit) -> str:
    """A group's number is one for all its members."""
    return f", shared by the {limit.level}" if limit.subject.startswith("group:") else ""


def _manners(policy: EffectivePolicy) -> Iterator[str]:
    if policy.scheduler_class == SchedulerClass.BACKGROUND:
        yield "Served after everybody else under load"
    if policy.logs_prompts:
        yield "Prompts and answers are kept"
