"""The validators that the settings name."""

from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from .base import BadValidator
from .patterns import DeniedPatterns, RedactedPatterns
from .validators import Validators

CHECKS = ("check_prompt", "check_answer")

_latest: tuple[Any, Validators] | None = None


def validators() -> Validators:
    """Those of the settings, made once.

    Raises:
        BadValidator: one cannot be used; then nothing is checked, and nothing may pass.
    """
    global _latest
    security = settings.CONFIG.security
    if _latest is None or _latest[0] is not security:
        _latest = security, Validators([*map(load, security.validators), *_patterns(security)])
    return _latest[1]


def _patterns(security: Any) -> list[Any]:
    made: list[Any] = []
    if security.denied_patterns:
        made.append(DeniedPatterns(security.denied_patterns))
    if security.redacted_patterns:
        made.append(RedactedPatterns(security.redacted_patterns))
    return made


def mistakes() -> list[str]:
    """What is wrong with `security.validators`, a line for each path."""
    return [text for path in settings.CONFIG.security.validators if (text := _mistake(path))]


def _mistake(path: str) -> str:
    try:
        load(path)
    except BadValidator as error:
        return str(error)
    return ""


def load(path: str) -> Any:
    """The validator of that path.

    Raises:
        BadValidator: naming the path.
    """
    try:
        found = import_string(path)
        if isinstance(found, type) or not _checks_of(found):
            found = found()
    except Exception as error:
        raise _bad(path, f"cannot be used: {type(error).__name__}: {error}") from error
    checks = _checks_of(found)
    if not checks:
        raise _bad(path, f"has none of {', '.join(CHECKS)}")
    if not all(map(callable, checks)) or any(map(iscoroutinefunction, checks)):
        raise _bad(path, "has a check that is not a synchronous method")
    return found


def _checks_of(found: Any) -> list[Any]:
    return [getattr(found, name) for name in CHECKS if hasattr(found, name)]


def _bad(path: str, why: str) -> BadValidator:
    return BadValidator(f"security.validators: {path!r} {why}.")
