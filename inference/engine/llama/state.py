"""A sequence's part of the KV cache, as bytes."""

import ctypes
from typing import Any

import numpy as np

from ..snapshot_file import State
from .library import llama


def save(context: Any, slot: int) -> State:
    """All that the cache holds of the slot: some 20 KB a token of a small model.

    It is valid for a context of the same model, cache type and build; for any slot of it.
    Empty if llama.cpp refuses.
    """
    size = llama.llama_state_seq_get_size(context, slot)
    state = np.empty(size, np.uint8)
    written = llama.llama_state_seq_get_data(context, _pointer(state), size, slot)
    return state[:written].data


def restore(context: Any, slot: int, state: State, num_tokens: int) -> bool:
    """Fill an empty slot with the state's first tokens; False, and it is empty, if that fails.

    It does if the cache has too few cells for all of the state's tokens, or if the model
    cannot cut what is beyond `num_tokens`.
    """
    memory = llama.llama_get_memory(context)
    array = np.frombuffer(state, np.uint8)  # no copy
    read = llama.llama_state_seq_set_data(context, _pointer(array), len(state), slot)
    is_there = read == len(state) > 0 and llama.llama_memory_seq_rm(memory, slot, num_tokens, -1)
    is_whole = llama.llama_memory_seq_pos_max(memory, slot) == num_tokens - 1
    if not (is_there and is_whole):
        llama.llama_memory_seq_rm(memory, slot, -1, -1)
        return False
    return True


def _pointer(array: np.ndarray[Any, Any]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
