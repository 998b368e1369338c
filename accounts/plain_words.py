"""The rules of a policy as sentences for the person they hold for."""

from collections.abc import Iterator

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .models import SchedulerClass
from .policy import EffectivePolicy, Limit

LISTS = {
    "allowed_models": gettext_lazy("Only these models: %(names)s"),
    "allowed_endpoints": gettext_lazy("Only these endpoints: %(names)s"),
    "allowed_addresses": gettext_lazy("Only these addresses: %(names)s"),
}
NUMBERS = {
    "requests_per_minute": gettext_lazy("At most %(most)s requests a minute"),
    "tokens_per_minute": gettext_lazy("At most %(most)s tokens a minute"),
    "tokens_per_day": gettext_lazy("At most %(most)s tokens a day (UTC)"),
    "tokens_per_month": gettext_lazy("At most %(most)s tokens a month (UTC)"),
    "max_running": gettext_lazy("At most %(most)s requests at once"),
    "max_computed": gettext_lazy("Each model computes at most %(most)s requests at a time"),
    "max_prompt_tokens": gettext_lazy("At most %(most)s tokens in a prompt"),
    "max_prompt_characters": gettext_lazy("At most %(most)s characters in a prompt"),
    "max_output_tokens": gettext_lazy("At most %(most)s tokens in an answer"),
    "max_messages": gettext_lazy("At most %(most)s messages in a chat"),
    "max_body_kb": gettext_lazy("At most %(most)s KiB in a request"),
}


def rules(policy: EffectivePolicy) -> list[str]:
    """Whatever limits the caller, the strictest number of each kind."""
    return [*_ends(policy), *_lists(policy), *_numbers(policy), *_manners(policy)]


def _ends(policy: EffectivePolicy) -> Iterator[str]:
    ends = [level.expires_at for level in policy.levels if level.expires_at]
    if ends:
        yield _("Until %(at)s UTC") % {"at": date_format(min(ends), "DATETIME_FORMAT")}


def _lists(policy: EffectivePolicy) -> Iterator[str]:
    for field, sentence in LISTS.items():
        for level in policy.levels:
            allowed: list[str] | None = getattr(level, field)
            if allowed:
                yield sentence % {"names": ", ".join(allowed)}


def _numbers(policy: EffectivePolicy) -> Iterator[str]:
    for field, sentence in NUMBERS.items():
        limit = policy.smallest(field)
        if limit:
            most = number_format(limit.value, force_grouping=True)
            yield sentence % {"most": most} + _shared(limit)


def _shared(limit: Limit) -> str:
    """A group's number is one for all its members."""
    if not limit.subject.startswith("group:"):
        return ""
    return _(", shared by the group %(group)s") % {"group": limit.level.removeprefix("group ")}


def _manners(policy: EffectivePolicy) -> Iterator[str]:
    if policy.scheduler_class == SchedulerClass.BACKGROUND:
        yield _("Served after everybody else under load")
    if any(level.deterministic is False for level in policy.levels):
        yield _("No deterministic answers")
    if policy.logs_prompts:
        yield _("Prompts and answers are kept")
