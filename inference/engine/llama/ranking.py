"""How likely the model finds tokens."""

from typing import Any

import numpy as np

from ..logprobs import LEAST, Ranks


def ranked(logits: np.ndarray[Any, Any], token: int, num_top: int) -> Ranks:
    """Of all tokens' logits: the token's logprob, and those of the likeliest ones."""
    shifted = logits.astype(np.float64) - logits.max()
    logprobs = np.maximum(shifted - np.log(np.exp(shifted).sum()), LEAST)
    num_top = min(num_top, len(logprobs))
    top = np.argpartition(logprobs, -num_top)[-num_top:] if num_top else np.array([], int)
    top = top[np.lexsort((top, -logprobs[top]))]
    return Ranks(float(logprobs[token]), [(int(t), float(logprobs[t])) for t in top])
