"""All validators of a site, one after the other."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .base import Context, Denied, ValidatorFailed
from .streaming import AnswerFilter

logger = logging.getLogger(__name__)

# What one validator acts on in a stream may be this long, in characters.
WINDOW = 256
CHOSEN = "role"  # the one field of a message that is no text of the client's

Check = Callable[[str, Context], str]


class Validators:
    """Each sees what the one before it has made of the text.

    All methods raise Denied, or ValidatorFailed if a validator breaks: no text passes
    that has not been checked.
    """

    def __init__(self, objects: Sequence[Any]) -> None:
        self._prompt_checks = _methods(objects, "check_prompt")
        self._answer_checks = _methods(objects, "check_answer")

    @property
    def has_prompt_checks(self) -> bool:
        return bool(self._prompt_checks)

    @property
    def has_answer_checks(self) -> bool:
        return bool(self._answer_checks)

    def check_prompt(self, prompt: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The prompt's fields of the engine's request, every text in them checked.

        Tokens and images cannot be read here, so a prompt of tokens, or with images, is denied.
        """
        if not self.has_prompt_checks:
            return dict(prompt)
        if "tokens" in prompt:
            raise Denied("Prompts are checked here: send text, not tokens.", param="prompt")
        for image in prompt.get("images") or ():
            raise Denied("Prompts are checked here: send text, no images.", param=image.param)
        check = partial(self.check_text, context=context)
        others = {name: v for name, v in prompt.items() if name != "messages"}
        checked = {name: _everywhere(value, check) for name, value in others.items()}
        if "messages" in prompt:
            checked["messages"] = self.check_messages(prompt["messages"], context)
        return checked

    def check_inputs(
        self, request: Mapping[str, Any], context: Context, param: str
    ) -> dict[str, Any]:
        """Likewise, of a request for vectors; `param` is what the client calls its inputs."""
        try:
            return self.check_prompt(request, context)
        except Denied as error:
            error.param = error.param and param
            raise

    def check_messages(
        self, messages: Sequence[Mapping[str, Any]], context: Context
    ) -> list[dict[str, Any]]:
        """Every text in them, whatever the role and the field: templates read them all."""
        check = partial(self.check_text, context=context)
        return [
            {name: v if name == CHOSEN else _everywhere(v, check) for name, v in message.items()}
            for message in messages
        ]

    def check_text(self, text: str, context: Context) -> str:
        """A prompt, or a text that becomes a part of it."""
        return _passed(self._prompt_checks, text, context)

    def check_answer(self, text: str, context: Context) -> str:
        """A complete answer."""
        return _passed(self._answer_checks, text, context)

    def answer_filter(self, context: Context) -> AnswerFilter | None:
        """For one choice of a stream; None if nothing has to be checked."""
        if not self.has_answer_checks:
            return None
        check = partial(self.check_answer, context=context)
        return AnswerFilter(check, WINDOW * len(self._answer_checks))


def _methods(objects: Sequence[Any], name: str) -> list[Check]:
    return [getattr(one, name) for one in objects if hasattr(one, name)]


def _everywhere(value: Any, check: Callable[[str], str]) -> Any:
    match value:
        case str():
            return check(value)
        case list() | tuple():
            return [_everywhere(item, check) for item in value]
        case dict():
            return {_everywhere(k, check): _everywhere(v, check) for k, v in value.items()}
    return value


def _passed(checks: Sequence[Check], text: str, context: Context) -> str:
    for check in checks:
        text = _checked(check, text, context)
    return text


def _checked(check: Check, text: str, context: Context) -> str:
    name = getattr(check, "__qualname__", type(check).__qualname__)
    try:
        checked = check(text, context)
    except Denied:
        raise
    except Exception as error:
        # Where, but not the message: it may hold the text.
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("validator %s raised %s\n%s", name, type(error).__name__, where)
        raise ValidatorFailed(f"validator {name} failed") from None
    if not isinstance(checked, str):
        raise ValidatorFailed(f"validator {name} returned {type(checked).__name__}, not a text")
    return checked
