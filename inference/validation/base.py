"""What validators are told, and what they can say."""

from dataclasses import dataclass

from inference.runtime import EngineError


@dataclass(frozen=True, slots=True)
class Context:
    """Whose text it is, and for what: names as in the usage ledger."""

    owner: str
    model: str
    endpoint: str
    request_id: str = ""


class Denied(EngineError):
    """A validator refuses the text. The client is told the reason."""

    code = "content_denied"


class BadValidator(Exception):
    """What the settings name is no validator."""


class ValidatorFailed(Exception):
    """A validator broke; the text that it was given goes nowhere."""
