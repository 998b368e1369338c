"""Where a text can be cut so that the tokens of its pieces are those of the whole.

llama.cpp's tokenizer first finds the control tokens that are written in a text, the longest
first, and reads what is between them piece by piece: so a text can be cut in front of one.
"""

import re
from typing import Any

from .library import llama

FOUND = (
    llama.LLAMA_TOKEN_ATTR_CONTROL
    | llama.LLAMA_TOKEN_ATTR_USER_DEFINED
    | llama.LLAMA_TOKEN_ATTR_UNKNOWN
)
# What takes the blanks around it along, as some vocabularies want it of some tokens.
GREEDY = (
    llama.LLAMA_TOKEN_ATTR_LSTRIP
    | llama.LLAMA_TOKEN_ATTR_RSTRIP
    | llama.LLAMA_TOKEN_ATTR_SINGLE_WORD
)


def seams(vocab: Any, texts: list[str]) -> re.Pattern[str] | None:
    """Matches the tokens in front of which a text can be cut; None if there is none.

    `texts` are those of the vocabulary's tokens.
    """
    kinds = llama.LLAMA_VOCAB_TYPE_BPE, llama.LLAMA_VOCAB_TYPE_SPM
    if llama.llama_vocab_type(vocab) not in kinds or llama.llama_vocab_get_add_eos(vocab):
        return None
    attributes = [llama.llama_vocab_get_attr(vocab, token) for token in range(len(texts))]
    if any(attribute & GREEDY for attribute in attributes):
        return None
    found = {text for text, attribute in zip(texts, attributes, strict=True) if attribute & FOUND}
    is_control = llama.LLAMA_TOKEN_ATTR_CONTROL
    control = {t for t, attr in zip(texts, attributes, strict=True) if attr & is_control and t}
    alone = [text for text in control if _is_alone(text, found)]
    longest_first = sorted(alone, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first))) if alone else None


def _is_alone(text: str, found: set[str]) -> bool:
    """Whether no longer token, which is found before this one, can share a part of it."""
    return not any(
        text in other[1:] or _reaches_into(other, text) or _reaches_into(text, other)
        for other in found
        if len(other) > len(text)
    )


def _reaches_into(first: str, second: str) -> bool:
    """Whether the one can end with what the other begins with."""
    return any(second.startswith(first[i:]) for i in range(1, len(first)))
