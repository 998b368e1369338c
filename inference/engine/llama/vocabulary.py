"""Between text and tokens."""

import ctypes
from typing import Any

import numpy as np

from .library import llama


class Vocabulary:
    """A model's llama_vocab; may be used from any thread."""

    def __init__(self, model: Any) -> None:
        self._vocab = self.handle = llama.llama_model_get_vocab(model)
        self.size: int = llama.llama_vocab_n_tokens(self._vocab)
        self.bos = self._text(llama.llama_vocab_bos(self._vocab))
        self.eos = self._text(llama.llama_vocab_eos(self._vocab))
        self.infill = self._infill()
        is_end = [llama.llama_vocab_is_eog(self._vocab, token) for token in range(self.size)]
        self.ends = np.flatnonzero(is_end)
        self._end_set = frozenset(self.ends.tolist())
        self._pieces: dict[int, bytes] = {}
        texts = (self._text(token) for token in range(self.size))
        # Byte-level vocabularies write a byte as a character, so no token has more of them.
        self.max_token_length = max(map(len, texts), default=1) or 1

    def _infill(self) -> tuple[int, int, int] | None:
        before = llama.llama_vocab_fim_pre(self._vocab)
        after = llama.llama_vocab_fim_suf(self._vocab)
        between = llama.llama_vocab_fim_mid(self._vocab)
        return None if min(before, after, between) < 0 else (before, after, between)

    def tokenize(self, text: str) -> list[int]:
        """With the opening token, unless the text brings it; control tokens are recognised."""
        raw = text.encode()
        add_special = not (self.bos and text.startswith(self.bos))
        size = len(raw) + 8  # a token is a byte at least; a few are added
        tokens = (llama.llama_token * size)()
        count = llama.llama_tokenize(self._vocab, raw, len(raw), tokens, size, add_special, True)
        assert count >= 0, "more tokens than bytes"
        return list(tokens[:count])

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
