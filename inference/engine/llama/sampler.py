"""Chooses the next token from a sequence's logits."""

import secrets
from collections.abc import Iterator
from typing import Any

from ..sampling import SamplingParams
from .library import llama


def make_sampler(params: SamplingParams, num_vocab: int, context_length: int) -> Any:
    """The chain of llama.cpp's own server, in its order, without what is switched off."""
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for link in _links(params, num_vocab, context_length):
        llama.llama_sampler_chain_add(chain, link)
    return chain


def penalty_window(params: SamplingParams, context_length: int) -> int:
    """Tokens that the penalties look back on: no more than there can be, since they cost memory."""
    last = params.repeat_last_n
    return min(last, context_length) if last >= 0 else context_length


def _links(params: SamplingParams, num_vocab: int, context_length: int) -> Iterator[Any]:
    if params.logit_bias:
        biases = (llama.llama_logit_bias * len(params.logit_bias))(*params.logit_bias.items())
        yield llama.llama_sampler_init_logit_bias(num_vocab, len(biases), biases)
    if params.repeat_penalty != 1 or params.frequency_penalty or params.presence_penalty:
        yield llama.llama_sampler_init_penalties(
            num_vocab,
            penalty_window(params, context_length),
            params.repeat_penalty,
            params.frequency_penalty,
            params.presence_penalty,
        )
    if params.is_greedy:
        yield llama.llama_sampler_init_greedy()
        return
    if params.top_k > 0:
        yield llama.llama_sampler_init_top_k(params.top_k)
    if params.typical_p < 1:
        yield llama.llama_sampler_init_typical(params.typical_p, 1)
    if params.top_p < 1:
        yield llama.llama_sampler_init_top_p(params.top_p, 1)
    if params.min_p > 0:
        yield llama.llama_sampler_init_min_p(params.min_p, 1)
    yield llama.llama_sampler_init_temp(params.temperature)
    seed = secrets.randbits(32) if params.seed is None else params.seed32
    yield llama.llama_sampler_init_dist(seed)
