"""The tokens of one step, in the form that llama_decode takes."""

import collections.abc
import ctypes
from typing import Any

import numpy as np

from ..scheduler import Work
from .library import llama


class Batch:
    """A llama_batch over arrays of our own, filled at once instead of token by token."""

    def __init__(self, size: int) -> None:
        self._token = np.zeros(size, np.int32)
        self._pos = np.zeros(size, np.int32)
        self._num_seqs = np.ones(size, np.int32)
        self._seq = np.zeros(size, np.int32)
        self._outputs = np.zeros(size, np.int8)
        steps = np.arange(size, dtype=np.uintp) * self._seq.itemsize
        self._seq_pointers = self._seq.ctypes.data + steps
        self.struct = llama.llama_batch()
        self.struct.token = _pointer(self._token, llama.llama_token)
        self.struct.pos = _pointer(self._pos, llama.llama_pos)
        self.struct.n_seq_id = _pointer(self._num_seqs, ctypes.c_int32)
        self.struct.seq_id = _pointer(self._seq_pointers, ctypes.POINTER(llama.llama_seq_id))
        self.struct.logits = _pointer(self._outputs, ctypes.c_int8)

    def fill(self, works: collections.abc.Sequence[Work]) -> list[int]:
        """Lay the works one after another; return the index of each sampled token."""
        end, sampled_at = 0, []
        for work in works:
            assert work.sequence.slot is not None
            start, end = end, end + len(work.tokens)
            self._token[start:end] = work.tokens
            self._pos[start:end] = np.arange(work.start, work.start + len(work.tokens))
            self._seq[start:end] = work.sequence.slot
            self._outputs[start:end] = 0
            if work.samples:
                self._outputs[end - 1] = 1
                sampled_at.append(end - 1)
        self.struct.n_tokens = end
        return sampled_at

    def lay(self, inputs: collections.abc.Sequence[list[int]]) -> None:
        """Every input is a sequence of its own, by its number, and all its tokens count."""
        end = 0
        for index, tokens in enumerate(inputs):
            start, end = end, end + len(tokens)
            self._token[start:end] = tokens
            self._pos[start:end] = np.arange(len(tokens))
            self._seq[start:end] = index
        self._outputs[:end] = 1
        self.struct.n_tokens = end


def _pointer(array: np.ndarray[Any, Any], ctype: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctype))
