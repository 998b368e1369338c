"""Chooses the next token from a sequence's logits."""

import ctypes
import math
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from ..sampling import SamplingParams
from .library import llama

MIROSTAT_M = 100  # tokens it estimates the distribution from; as llama.cpp's server has it


def make_sampler(
    params: SamplingParams, vocab: Any, context_length: int, banned: Iterable[int] = ()
) -> Any:
    """The chain of llama.cpp's own server, in its order, without what is switched off.

    The `banned` tokens are never chosen.
    """
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for link in _links(params, vocab, context_length, banned):
        llama.llama_sampler_chain_add(chain, link)
    return chain


def window(params: SamplingParams, context_length: int) -> int:
    """Tokens of the prompt that the chain looks back on."""
    dry = _within(params.dry_penalty_last_n, context_length) if params.dry_multiplier else 0
    return max(dry, penalty_window(params, context_length))


def penalty_window(params: SamplingParams, context_length: int) -> int:
    """Tokens that the penalties look back on: no more than there can be, since they cost memory."""
    return _within(params.repeat_last_n, context_length)


def _within(last: int, context_length: int) -> int:
    return min(last, context_length) if last >= 0 else context_length


def _links(
    params: SamplingParams, vocab: Any, context_length: int, banned: Iterable[int]
) -> Iterator[Any]:
    num_vocab = llama.llama_vocab_n_tokens(vocab)
    if bias := {**params.logit_bias, **dict.fromkeys(banned, -math.inf)}:
        biases = (llama.llama_logit_bias * len(bias))(*bias.items())
        yield llama.llama_sampler_init_logit_bias(num_vocab, len(biases), biases)
    if params.repeat_penalty != 1 or params.frequency_penalty or params.presence_penalty:
        yield llama.llama_sampler_init_penalties(
            num_vocab,
            penalty_window(params, context_length),
            params.repeat_penalty,
            params.frequency_penalty,
            params.presence_penalty,
        )
    if params.dry_multiplier:
        yield _dry(params, vocab, context_length)
    if params.is_greedy:
        yield llama.llama_sampler_init_greedy()
        return
    seed = secrets.randbits(32) if params.seed is None else params.seed32
    if params.mirostat:
        yield llama.llama_sampler_init_temp(params.temperature)
        yield _mirostat(params, num_vocab, seed)
        return
    if params.top_k > 0:
        yield llama.llama_sampler_init_top_k(params.top_k)
    if params.typical_p < 1:
        yield llama.llama_sampler_init_typical(params.typical_p, 1)
    if params.top_p < 1:
        yield llama.llama_sampler_init_top_p(params.top_p, 1)
    if params.min_p > 0:
        yield llama.llama_sampler_init_min_p(params.min_p, 1)
    if params.xtc_probability > 0:
        probability, threshold = params.xtc_probability, params.xtc_threshold
        yield llama.llama_sampler_init_xtc(probability, threshold, 1, seed)
    yield llama.llama_sampler_init_temp(params.temperature)
    yield llama.llama_sampler_init_dist(seed)


def _dry(params: SamplingParams, vocab: Any, context_length: int) -> Any:
    breakers = [text.encode() for text in params.dry_sequence_breakers]
    return llama.llama_sampler_init_dry(
        vocab,
        params.dry_multiplier,
        params.dry_base,
        params.dry_allowed_length,
        _within(params.dry_penalty_last_n, context_length),
        (ctypes.c_char_p * len(breakers))(*breakers),
        len(breakers),
    )


def _mirostat(params: SamplingParams, num_vocab: int, seed: int) -> Any:
    tau, eta = params.mirostat_tau, params.mirostat_eta
    if params.mirostat == 1:
        return llama.llama_sampler_init_mirostat(num_vocab, seed, tau, eta, MIROSTAT_M)
    return llama.llama_sampler_init_mirostat_v2(seed, tau, eta)
