"""The time zone that a person's days are in."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest

COOKIE = "timezone"  # set by static/js/chat/timezone.js
UTC = ZoneInfo("UTC")


def zone_of(request: HttpRequest) -> ZoneInfo:
    """The browser's, as a script of the page has told; UTC as long as none has."""
    name = request.COOKIES.get(COOKIE, "")
    return ZoneInfo(name) if name in _known() else UTC


@cache
def _known() -> frozenset[str]:
    """Names are looked up here and nowhere else: a cookie may name any file."""
    return frozenset(available_timezones())
