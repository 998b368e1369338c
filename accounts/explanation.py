"""Which rules a request would meet, and which of them would deny it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from . import accounting
from .callers import BadKey, policy_of, refuse_unusable
from .errors import Refusal
from .models import ApiKey
from .policy import EffectivePolicy
from .quota.base import Count, Demand, granted
from .quota.windows import Period


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says; `passes` is False if it would deny the request."""

    passes: bool
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A request that somebody might make; what is empty or 0 is not asked about."""

    endpoint: str = ""
    model: str = ""
    address: str = ""
    prompt_tokens: int = 0
    max_tokens: int = 0


def explain(key: ApiKey, question: Question, now: datetime) -> Iterator[Finding]:
    """Every check that the request would go through, in their order. Nothing is counted."""
    policy = policy_of(key.user, key)
    yield _checked(f"key {key} is active", lambda: refuse_unusable(key))
    yield _checked("no policy has expired", lambda: policy.check_expiry(now))
    yield from _asked(policy, question)
    yield from _quotas(policy, question, now)


def _asked(policy: EffectivePolicy, question: Question) -> Iterator[Finding]:
    asked: list[tuple[str, Callable[[str], None], str]] = [
        ("address", policy.check_address, question.address),
        ("endpoint", policy.check_endpoint, question.endpoint),
        ("model", policy.check_model, question.model),
    ]
    for what, check, value in asked:
        if value:
            yield _checked(f"{what} {value} is allowed", partial(check, value))
    if question.prompt_tokens:
        size = question.prompt_tokens
        yield _checked(
            f"a prompt of {size} tokens is allowed",
            lambda: policy.check_size("max_prompt_tokens", size, "prompt: its number of tokens"),
        )
    for limit in policy.limits("requests_per_minute"):
        text = f"{limit.value} requests a minute (rule {limit.rule} of {limit.level})"
        yield Finding(limit.value > 0, text)
    if output := policy.smallest("max_output_tokens"):
        yield Finding(
            True,
            f"an answer ends after {output.value} tokens (rule {output.rule} of {output.level})",
        )


def _quotas(policy: EffectivePolicy, question: Question, now: datetime) -> Iterator[Finding]:
    tokens = question.prompt_tokens + max(1, question.max_tokens)
    demand = Demand(tokens, tokens)
    for count in accounting.quotas_store().counts(policy.quotas, now):
        yield _checked(_described(count), partial(granted, [count], demand, now))


def _described(count: Count) -> str:
    quota = count.quota
    what = "requests at once" if quota.period is Period.RUNNING else f"tokens a {quota.period}"
    return (
        f"{count.used + count.reserved} of {quota.limit} {what} are taken"
        f" (rule {quota.rule} of {quota.level})"
    )


def _checked(text: str, check: Callable[[], object]) -> Finding:
    try:
        check()
    except (Refusal, BadKey) as error:
        return Finding(False, str(error))
    return Finding(True, text)
