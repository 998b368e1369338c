"""Between text and tokens."""

import ctypes
from typing import Any

import numpy as np
from llguidance import LLTokenizer

from .library import llama, lltokenizer_from_vocab
from .seams import seams

# Models of a family round the sizes of their vocabularies up, each to what suits it; so
# many tokens more are SPEC_VOCAB_MAX_SIZE_DIFFERENCE of llama.cpp's `common/speculative.cpp`.
MOST_PADDING = 128


class Vocabulary:
    """A model's llama_vocab; may be used from any thread."""

    def __init__(self, model: Any) -> None:
        self._vocab = self.handle = llama.llama_model_get_vocab(model)
        self.size: int = llama.llama_vocab_n_tokens(self._vocab)
        self.bos = self._text(llama.llama_vocab_bos(self._vocab))
        self.eos = self._text(llama.llama_vocab_eos(self._vocab))
        self.infill = self._infill()
        is_end = [llama.llama_vocab_is_eog(self._vocab, token) for token in range(self.size)]
        self.is_end_mask = np.array(is_end, bool)
        self.ends = np.flatnonzero(is_end)
        self._end_set = frozenset(self.ends.tolist())
        self._pieces: dict[int, bytes] = {}
        texts = [self._text(token) for token in range(self.size)]
        self.seams = seams(self._vocab, texts)
        # Byte-level vocabularies write a byte as a character, so no token has more of them.
        self.max_token_length = max(map(len, texts), default=1) or 1

    def _infill(self) -> tuple[int, int, int] | None:
        before = llama.llama_vocab_fim_pre(self._vocab)
        after = llama.llama_vocab_fim_suf(self._vocab)
        between = llama.llama_vocab_fim_mid(self._vocab)
        return None if min(before, after, between) < 0 else (before, after, between)

    def tokenize(self, text: str, add_special: bool = True) -> list[int]:
        """With the opening token, unless the text brings it; control tokens are recognised."""
        add_special = add_special and not (self.bos and text.startswith(self.bos))
        return self._tokens(text.encode(), add_special=add_special, parse_special=True)

    def pair(self, query: str, document: str) -> list[int]:
        """A query and a document as cross-encoders know them, like llama-server's
        `format_prompt_rerank`: `[CLS] query [SEP] document [SEP]`, or with `</s>` between.

        Control tokens in them are text: neither can end the other.
        """
        vocab, eos = self._vocab, llama.llama_vocab_eos(self._vocab)
        sep = [llama.llama_vocab_sep(vocab)]
        start = [llama.llama_vocab_bos(vocab)] if llama.llama_vocab_get_add_bos(vocab) else []
        end = ([eos] if eos >= 0 else sep) if llama.llama_vocab_get_add_eos(vocab) else []
        between = sep if llama.llama_vocab_get_add_sep(vocab) else []
        first, second = (
            self._tokens(text.encode(), add_special=False, parse_special=False)
            for text in (query, document)
        )
        is_bert = llama.llama_vocab_type(vocab) == llama.LLAMA_VOCAB_TYPE_WPM
        last = end or (between if is_bert else [])
        return [*start, *first, *end, *between, *second, *last]

    def _tokens(self, raw: bytes, *, add_special: bool, parse_special: bool) -> list[int]:
        # A token is a byte at least, and a few are added; but some vocabularies first
        # write a character as many: then the answer is how many tokens there are, negative.
        size = len(raw) + 8
        while True:
            tokens = (llama.llama_token * size)()
            count: int = llama.llama_tokenize(
                self._vocab, raw, len(raw), tokens, size, add_special, parse_special
            )
            if count >= 0:
                return list(tokens[:count])
            size = -count

    def grammar_tokenizer(self) -> LLTokenizer:
        """What llguidance has to know of the vocabulary; a second's work for a small one."""
        eos = llama.llama_vocab_eos(self._vocab)
        others = [int(token) for token in self.ends if token != eos]
        return lltokenizer_from_vocab(self._vocab, eos_token=[eos, *others] if eos >= 0 else others)

    def is_special(self, token: int) -> bool:
        return bool(llama.llama_vocab_is_control(self._vocab, token))

    def is_end(self, token: int) -> bool:
        return token in self._end_set

    def piece(self, token: int) -> bytes:
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._make_piece(token, False)
        return piece

    def name(self, token: int) -> bytes:
        return self.piece(token) or self._make_piece(token, True)

    def _make_piece(self, token: int, special: bool) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def _text(self, token: int) -> str:
        text = llama.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode(errors="replace") if text else ""


def difference(model: Any, other: Any) -> str:
    """Where the vocabularies of two llama_models differ; empty if one's tokens are the other's."""
    first, second = (llama.llama_model_get_vocab(one) for one in (model, other))
    if llama.llama_vocab_type(first) != llama.llama_vocab_type(second):
        return "it is of another kind"
    sizes = [llama.llama_vocab_n_tokens(vocab) for vocab in (first, second)]
    if abs(sizes[0] - sizes[1]) > MOST_PADDING:
        return f"it has {sizes[1]} tokens, not {sizes[0]}"
    for token in range(min(sizes)):
        text, found = (llama.llama_vocab_get_text(vocab, token) for vocab in (first, second))
        if text != found:
            names = [name.decode(errors="replace") for name in (found, text)]
            return f"its token {token} is {names[0]!r}, not {names[1]!r}"
    return ""
