"""How an answer is made: what the model reads, how it is sampled, what is read in its words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.runtime import ContextPolicy, SamplingParams
from inference.tools import CallParser

from .models import Conversation
from .parameters import sampling

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """
    Attributes:
        template_options: what the chat template is told beside the messages.
        tell: puts the functions that may be called into the prompt's fields, and what has
            been called into the template's words.
        make_parser: reads calls; None where there are none to read.
        wants_title: the conversation may be given a title, which takes tokens.
    """

    params: SamplingParams
    system_prompt: str
    template_options: Mapping[str, Any]
    if_too_long: ContextPolicy
    tell: Callable[[Fields], Fields] | None = None
    make_parser: Callable[[], CallParser | None] | None = None
    wants_title: bool = True

    @classmethod
    def of(cls, conversation: Conversation) -> "Making":
        """As people have set it.

        Raises:
            InvalidParameter: its parameters cannot be used.
        """
        return cls(
            params=sampling(conversation.parameters),
            system_prompt=conversation.system_prompt,
            template_options={},
            if_too_long=ContextPolicy.DROP_OLDEST,  # better than no answer; the page says so
        )
