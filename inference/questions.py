"""What a model can be asked besides an answer: its tokens, and the prompt that messages make.

Beside `runtime`, as another side of the same door. A model is loaded for it if need be.
"""

from collections.abc import Mapping
from typing import Any

from inference.engine import Detokenize, Render, Tokenize, Tokenized, Written

from . import runtime, specs
from .models import LanguageModel


async def tokenize(model: LanguageModel, text: str, *, add_special: bool = True) -> Tokenized:
    """The tokens of a text, and what they are called.

    `add_special`: with the opening token that a prompt has, unless the text brings it.

    Raises:
        EngineError: it is far too long for the context, or the model cannot be loaded.
    """
    told: Tokenized = await _ask(model, Tokenize, text=text, add_special=add_special)
    return told


async def detokenize(model: LanguageModel, tokens: list[int]) -> str:
    """The text of the tokens; of control tokens their names.

    Raises:
        EngineError: one is no token of the model's, or that cannot be loaded.
    """
    told: Written = await _ask(model, Detokenize, tokens=tokens)
    return told.text


async def render(
    model: LanguageModel, messages: list[dict[str, Any]], template_options: Mapping[str, Any]
) -> str:
    """The prompt that the model's chat template makes of the messages.

    Raises:
        EngineError: it refuses them, or the model cannot be loaded.
    """
    fields = {"template_options": dict(template_options), "system": model.preamble}
    told: Written = await _ask(model, Render, messages=messages, **fields)
    return told.text


async def _ask(
    model: LanguageModel, kind: type[Tokenize | Detokenize | Render], **fields: Any
) -> Any:
    with runtime.setting_named():
        return await runtime.pool().ask(await specs.spec(model), kind, **fields)
