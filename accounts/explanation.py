"""Which rules a request would meet, and which of them would deny it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings

from . import accounting
from .callers import BadKey, policy_of, refuse_unusable
from .errors import Refusal
from .models import ApiKey
from .policy import NO_POLICY, EffectivePolicy
from .quota.base import Count, Demand, granted
from .quota.windows import Period
from .rates import DEFAULT_RULE
from .sizes import check_body, check_messages, check_prompt_length, output_limits

Check = Callable[[], object]


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
    messages: int = 0
    prompt_characters: int = 0
    body_kb: int = 0
    deterministic: bool = False

    @property
    def prompt_field(self) -> str:
        """The request's field that the prompt would come in."""
        return "messages" if self.messages or self.endpoint == "chat" else "prompt"


def explain(key: ApiKey, question: Question, now: datetime) -> Iterator[Finding]:
    """Every check that the request would go through, in their order. Nothing is counted."""
    policy = policy_of(key.user, key)
    yield _checked(f"key {key} is active", lambda: refuse_unusable(key))
    yield _checked("no policy has expired", lambda: policy.check_expiry(now))
    yield from _asked(policy, question)
    yield from _quotas(policy, question, now)


def explain_configured(name: str, question: Question) -> Iterator[Finding]:
    """The same for a key of `security.api_keys`, by its name."""
    yield Finding(True, f"{name} is a key of security.api_keys: no policy holds for it")
    yield from _asked(NO_POLICY, question)


def _asked(policy: EffectivePolicy, question: Question) -> Iterator[Finding]:
    yield from _checks(_access(policy, question))
    yield from _requests_a_minute(policy)
    yield from _checks(_sizes(policy, question))
    for limit in output_limits(policy):
        text = f"an answer ends after {limit.value} tokens"
        yield Finding(True, f"{text} (rule {limit.rule} of {limit.level})")


def _checks(checks: Iterator[tuple[object, str, Check]]) -> Iterator[Finding]:
    for is_asked, text, check in checks:
        if is_asked:
            yield _checked(text, check)


def _access(policy: EffectivePolicy, asked: Question) -> Iterator[tuple[object, str, Check]]:
    address, endpoint = asked.address, asked.endpoint
    yield address, f"address {address} is allowed", partial(policy.check_address, address)
    yield endpoint, f"endpoint {endpoint} is allowed", partial(policy.check_endpoint, endpoint)
    served = f"deterministic answers are served as {policy.deterministic_class}"
    yield asked.deterministic, served, policy.check_deterministic


def _requests_a_minute(policy: EffectivePolicy) -> Iterator[Finding]:
    default = settings.CONFIG.rate_limit_per_minute
    for whose in ("each key", "each address") if default else ():
        text = f"{default} requests a minute (rule {DEFAULT_RULE} of {whose})"
        yield Finding(True, text)
    for limit in policy.limits("requests_per_minute"):
        text = f"{limit.value} requests a minute (rule {limit.rule} of {limit.level})"
        yield Finding(limit.value > 0, text)


def _sizes(policy: EffectivePolicy, asked: Question) -> Iterator[tuple[object, str, Check]]:
    """The server's limits, and the policy's, in the order that the API asks for them."""
    kb, length, number = asked.body_kb, asked.prompt_characters, asked.messages
    size, field = asked.prompt_tokens, asked.prompt_field
    server, own = "within the server's limit", "within the policies' limits"

    def within(rule: str, size: int, what: str) -> Check:
        return partial(policy.check_size, rule, size, what)

    text = f"a prompt of {length} characters is"
    yield kb, f"a request of {kb} KiB is allowed", partial(check_body, policy, kb * 2**10)
    yield length, f"{text} {server}", partial(check_prompt_length, length, field)
    yield asked.model, f"model {asked.model} is allowed", partial(policy.check_model, asked.model)
    yield number, f"{number} messages are {server}", partial(check_messages, number)
    their_number = within("max_messages", number, "messages: their number")
    yield number, f"{number} messages are {own}", their_number
    its_length = within("max_prompt_characters", length, f"{field}: its length")
    yield length, f"{text} {own}", its_length
    its_tokens = within("max_prompt_tokens", size, f"{field}: its number of tokens")
    yield size, f"a prompt of {size} tokens is allowed", its_tokens


def _quotas(policy: EffectivePolicy, question: Question, now: datetime) -> Iterator[Finding]:
    lengths = [question.max_tokens, *(limit.value for limit in output_limits(policy))]
    tokens = question.prompt_tokens + max(1, min(lengths))
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


def _checked(text: str, check: Check) -> Finding:
    try:
        check()
    except (Refusal, BadKey) as error:
        return Finding(False, str(error))
    return Finding(True, text)
