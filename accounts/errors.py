"""What a caller is refused for. Each names the rule, whose it is, and when it may pass."""

from datetime import datetime


class Refusal(Exception):
    """Base of all: `rule` is the policy's field, `level` whose policy it is."""

    code = "permission_denied"

    def __init__(self, message: str, *, rule: str, level: str) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.level = level


class Forbidden(Refusal):
    """A rule that time does not lift."""


class Exceeds(Refusal):
    """The request itself is larger than a rule lets it be; `param` is its field at fault."""

    code = "limit_exceeded"

    def __init__(self, message: str, *, rule: str, level: str, param: str | None = None) -> None:
        super().__init__(message, rule=rule, level=level)
        self.param = param


class LimitReached(Refusal):
    """A limit that lifts at `resets_at`, or, if that is None, when a running request ends."""

    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        rule: str,
        level: str,
        limit: int,
        resets_at: datetime | None,
        remaining: int = 0,
    ) -> None:
        super().__init__(message, rule=rule, level=level)
        self.limit = limit
        self.remaining = remaining
        self.resets_at = resets_at


class QuotaExhausted(LimitReached):
    """One that lifts so late that a program should not try again by itself."""

    code = "insufficient_quota"
