"""A site's own checks of prompts and answers: each may refuse a text, or change it.

A validator is an object with one or both of

    check_prompt(text: str, context: Context) -> str
    check_answer(text: str, context: Context) -> str

that return the text, changed or not, or raise Denied. They are synchronous and run
between the steps of all answers, so they have to be quick. `security.validators`
names them: a Python path of such an object, or of a class or function that makes one
without arguments. The patterns of the settings come last, and see what the others made.
"""

from .base import BadValidator, Context, Denied, ValidatorFailed
from .loading import mistakes, validators
from .streaming import AnswerFilter
from .validators import Validators

__all__ = [
    "AnswerFilter",
    "BadValidator",
    "Context",
    "Denied",
    "ValidatorFailed",
    "Validators",
    "mistakes",
    "validators",
]
