"""What a model is told before every conversation that does not tell it something else."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from .backend import Reader
from .errors import TemplateError
from .radix import common_length
from .turns import SYSTEM

PROBES = ("0", "a")  # two users' first words: what the prompts have in common is of neither


def has_own(messages: Sequence[dict[str, Any]]) -> bool:
    return any(message.get("role") in SYSTEM for message in messages)


def with_system(messages: list[dict[str, Any]], system: str) -> list[dict[str, Any]]:
    """The messages, behind that system message if they have none."""
    if not system or has_own(messages):
        return messages
    return [{"role": "system", "content": system}, *messages]


class Preamble:
    """Knows how long a prompt's beginning is the same for all. For one thread at a time."""

    def __init__(self, backend: Reader) -> None:
        self._backend = backend
        self._latest: tuple[tuple[str, date] | None, list[int]] = None, []

    def num_public(self, tokens: list[int], system: str) -> int:
        """Tokens at the beginning that say nothing but the system message, whoever asks.

        They are found by comparing, so that nothing of an owner's is ever among them.
        """
        return common_length(self._tokens(system), tokens, 0, len(tokens)) if system else 0

    def _tokens(self, system: str) -> list[int]:
        key = system, date.today()  # templates may tell the model what day it is
        if self._latest[0] != key:
            self._latest = key, self._common(system)
        return self._latest[1]

    def _common(self, system: str) -> list[int]:
        if len(system) // self._backend.max_token_length > self._backend.info.context_length:
            return []
        try:
            one, other = (self._tokenized(system, probe) for probe in PROBES)
        except TemplateError:
            return []  # who needs the template is told
        return one[: common_length(one, other, 0, len(other))]

    def _tokenized(self, system: str, user: str) -> list[int]:
        messages = with_system([{"role": "user", "content": user}], system)
        return self._backend.tokenize(self._backend.render(messages, {}))
