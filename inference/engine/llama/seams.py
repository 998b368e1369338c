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

LONGEST = 256  # characters of such a token; with longer ones nothing is cut


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
    pairs = [*zip(texts, attributes, strict=True)]
    found = {text for text, attribute in pairs if attribute & FOUND}
    if max(map(len, found), default=0) > LONGEST:
        return None
    control = {text for text, attr in pairs if attr & llama.LLAMA_TOKEN_ATTR_CONTROL and text}
    alone = control & _alone(control, found)
    longest_first = sorted(alone, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first))) if alone else None


def _alone(texts: set[str], found: set[str]) -> set[str]:
    """Those of which no longer token, which is found before them, can share a part."""
    begins: dict[str, int] = {}  # how long the longest token is that begins so,
    ends: dict[str, int] = {}  # or ends so
    for token in found:
        for i in range(1, len(token)):
            begins[token[:i]] = max(begins.get(token[:i], 0), len(token))
            ends[token[i:]] = max(ends.get(token[i:], 0), len(token))

    def is_alone(text: str) -> bool:
        size = len(text)
        cuts = range(1, size)
        if any(ends.get(text[:i], 0) > size or begins.get(text[i:], 0) > size for i in cuts):
            return False
        return not any(text in other[1:] for other in found if len(other) > size)

    return {text for text in texts if is_alone(text)}
