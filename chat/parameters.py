"""How a conversation's answers are sampled, as people set it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from inference.runtime import InvalidParameter, SamplingParams

NAMES = (
    *("temperature", "top_p", "top_k", "min_p", "repeat_penalty"),
    *("presence_penalty", "frequency_penalty", "max_tokens", "seed", "stop"),
)


def sampling(parameters: Mapping[str, Any]) -> SamplingParams:
    """
    Raises:
        InvalidParameter: naming a parameter that there is not, or whose value cannot be used.
    """
    for name, value in parameters.items():
        if name not in NAMES:
            raise InvalidParameter("parameters", name, f"is none of {', '.join(NAMES)}")
        try:
            msgspec.convert({name: value}, SamplingParams)
        except msgspec.ValidationError as error:
            what = str(error).partition(" - at")[0]
            raise InvalidParameter(f"parameters.{name}", value, f"cannot be used: {what}") from None
        if name == "stop" and any("\0" in text for text in value):
            raise InvalidParameter("parameters.stop", value, "has a NUL character")
    return msgspec.convert(dict(parameters), SamplingParams)
