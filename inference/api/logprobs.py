"""Logprobs as OpenAI's two endpoints write them."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from inference.runtime import Piece, PromptLogprob, TokenLogprob

Logprobs = Sequence[TokenLogprob] | None
TextLogprobs = Sequence[TokenLogprob | PromptLogprob] | None


def joined(pieces: Sequence[Piece]) -> list[TokenLogprob] | None:
    """Those of all pieces; None if none has any."""
    told = [piece.logprobs for piece in pieces if piece.logprobs is not None]
    return list(chain.from_iterable(told)) if told else None


def with_prompt(pieces: Sequence[Piece]) -> TextLogprobs:
    """Those of the prompt, if they are there, and then `joined`."""
    scores = [score for piece in pieces for score in piece.scores or ()]
    answers = joined(pieces)
    return [*scores, *(answers or ())] if scores else answers


def of_chat(tokens: Logprobs) -> dict[str, Any] | None:
    """`choices[].logprobs` of a chat completion."""
    if tokens is None:
        return None
    return {"content": entries(tokens), "refusal": None}


def entries(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Each token with the likeliest ones in its place, and the bytes that it stands for."""
    return [_entry_with_top(token) for token in tokens]


def _entry_with_top(token: TokenLogprob) -> dict[str, Any]:
    top = [_entry(text, logprob) for text, logprob in token.top]
    return {**_entry(token.text, token.logprob), "top_logprobs": top}


def _entry(text: bytes, logprob: float) -> dict[str, Any]:
    return {"token": text.decode(errors="replace"), "logprob": logprob, "bytes": list(text)}


def of_text(tokens: TextLogprobs) -> dict[str, Any] | None:
    """`choices[].logprobs` of a completion; offsets count characters of the choice's text.

    A prompt's first token has none.
    """
    if tokens is None:
        return None
    return {
        "tokens": [_label(token.text) for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [
            None if token.logprob is None else {_label(text): p for text, p in token.top}
            for token in tokens
        ],
        "text_offset": [token.offset for token in tokens],
    }


def _label(text: bytes) -> str:
    """Its text; of a part of a character its bytes, since labels have to differ."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in text)


def mean(tokens: Sequence[TokenLogprob]) -> float:
    """How likely an answer is, whatever its length; an empty one is the least likely."""
    if not tokens:
        return float("-inf")
    return sum(token.logprob for token in tokens) / len(tokens)
