"""Chooses among some of the tokens.

Of 128,000 tokens a chain looks at each twice, to keep the 40 likeliest: 0.3 ms, which a GPU
waits for. Which these may be is seen sooner. `likeliest` leaves no more than a few to it.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sampling import SamplingParams
from .library import llama

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
GROUPS_A_CANDIDATE = 8  # the more there are, the fewer tokens are left; each costs
MOST_LEFT = 8  # for each that is wanted; where more are alike, the chain has all of them
LEAST_TOKENS = 4096  # of a vocabulary


def leaves_allowed_only(params: SamplingParams, num_allowed: int) -> bool:
    """Whether the chain drops what has an impossible logit before that could do harm: then it
    may choose among all tokens, which is quicker than to pick those out that are allowed.
    """
    if params.mirostat:
        return False
    return params.is_greedy or 0 < params.top_k <= num_allowed


def num_in_question(params: SamplingParams, num_ends: int) -> int:
    """So many of the likeliest the chain chooses from; 0: that is not known."""
    may_reorder = (
        params.logit_bias
        or params.repeat_penalty != 1
        or params.presence_penalty
        or params.frequency_penalty
        or params.dry_multiplier
    )
    if may_reorder:
        return 0
    kept = 1 if params.is_greedy else 0 if params.mirostat else params.top_k
    return kept + num_ends if kept and params.ignore_eos else kept  # it bans those


def likeliest(logits: NDArray[np.float32], count: int) -> NDArray[np.intp] | None:
    """Ids of the `count` largest and perhaps some more; None: they are not found quickly.

    As many groups as are wanted have a largest one; what is less than the least of those
    cannot be among the wanted.
    """
    num_groups = count * GROUPS_A_CANDIDATE
    size = logits.size // num_groups if num_groups else 0
    if size < GROUPS_A_CANDIDATE or logits.size < LEAST_TOKENS:
        return None
    maxima = logits[: num_groups * size].reshape(size, num_groups).max(axis=0)
    least = np.partition(maxima, num_groups - count)[num_groups - count]
    ids = np.flatnonzero(logits >= least)
    return ids if 0 < ids.size <= count * MOST_LEFT else None


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
