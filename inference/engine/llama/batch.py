"""The tokens of one step, or the vectors of one, in the form that llama_decode takes."""

import collections.abc
import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        # The same places, without tokens: those of what is no text are numbers below 0.
        self.vectors = llama.llama_batch.from_buffer_copy(self.struct)
        self.vectors.token = None

    def fill(self, works: collections.abc.Sequence[Work]) -> list[int]:
        """Lay the works one after another; return where each begins."""
        end, starts = 0, list[int]()
        for work in works:
            assert work.sequence.slot is not None
            start = end
            first = work.sequence.position(work.start)
            end = self._put(start, work.sequence.slot, first, work.tokens)
            starts.append(start)
            for outputs in (work.scored, work.sampled):
                self._outputs[start + outputs.start : start + outputs.stop] = 1
        self.struct.n_tokens = end
        return starts

    def fill_vectors(
        self, work: Work, vectors: NDArray[np.float32], positions: NDArray[np.int32]
    ) -> list[int]:
        """Instead of its tokens, the work's vectors, a row for each.

        Args:
            vectors: in C's order, as are the next. Both have to live until they are computed.
            positions: of each in every dimension, a row for each of those.
        """
        starts = self.fill([work])
        self.vectors.n_tokens = self.struct.n_tokens
        self.vectors.embd = _pointer(vectors, ctypes.c_float)
        self.vectors.pos = _pointer(positions, llama.llama_pos)
        return starts

    def append(self, parts: Iterable[tuple[int, int, list[int]]]) -> list[int]:
        """Lay parts one after another: sequence id, first position and tokens of each.

        Where the last tokens are is returned; only those are outputs.
        """
        end, places = 0, list[int]()
        for part in parts:
            end = self._put(end, *part)
            self._outputs[end - 1] = 1
            places.append(end - 1)
        self.struct.n_tokens = end
        return places

    def _put(self, start: int, slot: int, position: int, tokens: list[int]) -> int:
        """Lay tokens from the batch's place `start` on, none of them an output; where they end."""
        end = start + len(tokens)
        self._token[start:end] = tokens
        self._pos[start:end] = np.arange(position, position + len(tokens))
        self._seq[start:end] = slot
        self._outputs[start:end] = 0
        return end

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
