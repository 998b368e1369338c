"""Chooses among some of the tokens."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sampling import SamplingParams
from .library import llama

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


def leaves_allowed_only(params: SamplingParams, num_allowed: int) -> bool:
    """Whether the chain drops what has an impossible logit before that could do harm: then it
    may choose among all tokens, which is quicker than to pick those out that are allowed.
    """
    if params.mirostat:
        return False
    return params.is_greedy or 0 < params.top_k <= num_allowed


def sample(sampler: Any, logits: NDArray[np.float32], ids: NDArray[np.intp]) -> int:
    """One of these, as `llama_sampler_sample` would choose if the model had no others.

    An impossible logit would not do: some samplers make NaN of it.
    """
    rows = np.zeros(len(ids), CANDIDATE)
    rows["id"] = ids
    rows["logit"] = logits[ids]
    data = rows.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
    array = llama.llama_token_data_array(data=data, size=len(ids), selected=-1, sorted=False)
    llama.llama_sampler_apply(sampler, ctypes.byref(array))
    token = int(array.data[array.selected].id)
    llama.llama_sampler_accept(sampler, token)
    return token
