"""Validators of regular expressions from the settings."""

import re
from collections.abc import Iterable

from .base import Context, Denied

BLOT = "█"


class DeniedPatterns:
    """Refuses prompts in which one of the expressions is found. It is told by its number."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def check_prompt(self, text: str, context: Context) -> str:
        for index, pattern in enumerate(self._patterns):
            if pattern.search(text):
                raise Denied(f"The prompt is refused by security.denied_patterns[{index}].")
        return text


class RedactedPatterns:
    """Blots out what the expressions find, in prompts and answers.

    All see the original, so that none hides what another would have found.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def check_prompt(self, text: str, context: Context) -> str:
        return self._blotted(text)

    def check_answer(self, text: str, context: Context) -> str:
        return self._blotted(text)

    def _blotted(self, text: str) -> str:
        spans = [found.span() for pattern in self._patterns for found in pattern.finditer(text)]
        if not spans:
            return text
        characters = list(text)
        for start, end in spans:
            characters[start:end] = BLOT * (end - start)
        return "".join(characters)
