"""Functions that a model may call: how each family of models is told of them, and calls.

A format is a file here and a line below.
"""

from .base import Begun, Event, Function, More, Text, ToolFormat
from .generic import Generic
from .hermes import Hermes
from .llama3 import Llama3
from .mistral import Mistral, MistralArgs
from .parser import CallParser
from .qwen_coder import QwenCoder

__all__ = ["Begun", "CallParser", "Event", "Function", "More", "Text", "ToolFormat", "format_of"]

FORMATS: tuple[ToolFormat, ...] = (
    *(Hermes(), QwenCoder()),
    *(Mistral(), MistralArgs()),
    Llama3(),
)
GENERIC = Generic()


def format_of(template: str) -> ToolFormat:
    """The format that a model's chat template speaks; one of our own where it speaks none."""
    return next((format for format in FORMATS if format.fits(template)), GENERIC)
