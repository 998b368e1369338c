"""Samplers inside the model's graph: on a GPU they spare it the way of all logits to the host.

llama.cpp calls it backend sampling: a chain that is set for a sequence id (here: a slot) is
computed with the model, and only the token it chose comes back. To set chains, or take them
away, costs a new plan of the graph's memory: for 16 of an 8B model some 50 ms on an H100, and
130 the first time. So a chain stays with its slot: whoever gets the slot next, and wants the
same of it, brings only its dice. Those that nobody uses are computed all the same: too many of
them go.

What chooses in this way is like the chain on the host but for rounding: the dice are the
same, the likeliest token is the same.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..request import Sequence
from ..sampling import SamplingParams
from ..scheduler import Work
from .library import llama

# Of sequences that sample in a step. One H100, an 8B model, tokens a second on the host
# and attached: at 1 sequence 251 and 220, at 8 730 and 854, at 64 1021 and 1483.
ATTACH_AT, DETACH_AT = 4, 2
# Steps in a row that say so, before anything is done about it: those to and fro cost most.
ATTACH_STEPS, DETACH_STEPS, PRUNE_STEPS = 2, 32, 64
# So many are attached in one go, once so many steps had no prompt: those of a crowd come one
# after the other, and no first token shall wait for a chain. Or whoever has waited for as many
# steps. Before that the host chooses.
ATTACH_TOGETHER, QUIET_STEPS, MOST_STEPS_ASIDE = 4, 6, 16
# Beyond it a GPU sorts the whole vocabulary, and sends it to the host as well.
MAX_TOP_K = 1024


@dataclass(slots=True)
class Chain:
    """A slot's, and whose dice are in it: None if that one has left."""

    handle: Any
    key: Hashable
    sequence: Sequence | None


class Attached:
    """Which slots have a chain in the graph, and who uses it. For the engine's thread.

    `mode` is EngineConfig's `sampling`.
    """

    def __init__(self, context: Any, mode: str, uses_gpu: bool) -> None:
        self._context = context
        self._mode = mode if mode != "auto" or uses_gpu else "host"
        self._chains: dict[int, Chain] = {}  # by slot
        self._slots: dict[Sequence, int] = {}  # of those who use theirs
        self._is_on = self._mode == "attached"
        self._num_doubts = 0  # steps in a row that say that it should be otherwise
        self._num_quiet = 0  # steps in a row without a prompt
        self._num_aside = 0  # steps in a row with some who should be attached, and are not
        self._num_spare = 0  # steps in a row with chains that nobody uses

    def arrange(self, works: list[Work], *, has_prompts: bool = False) -> None:
        """Before a step, for all that sample in it: put each on its path.

        Whoever guesses needs several outputs, and the graph chooses one of a sequence.
        """
        if self._mode == "host":
            return
        self._prune()
        self._num_quiet = 0 if has_prompts else self._num_quiet + 1
        sampling = [work.sequence for work in works]
        guesses = any(work.num_drafted for work in works)
        if not guesses and self._is_settled(sampling):
            self._num_doubts = self._num_aside = 0
            return
        plain = [work.sequence for work in works if not work.num_drafted]
        able = [s for s in plain if s.may_stop and can_attach(s.request.params)]
        if self._mode == "auto":
            able = self._chosen(able)
        attachable = {*able}
        for sequence in sampling:
            if sequence in attachable:
                self.attach(sequence)
            else:
                self._keep_off(sequence)

    def _chosen(self, able: list[Sequence]) -> list[Sequence]:
        """Those whose attaching pays now."""
        should_be_on = len(able) >= (DETACH_AT + 1 if self._is_on else ATTACH_AT)
        self._num_doubts = self._num_doubts + 1 if should_be_on != self._is_on else 0
        if self._num_doubts >= (DETACH_STEPS if self._is_on else ATTACH_STEPS):
            self._is_on, self._num_doubts = should_be_on, 0
        if not self._is_on:
            return []
        ready = [s for s in able if self._has_chain(s)]
        others = [s for s in able if not self._has_chain(s) and s.output_tokens]
        self._num_aside = self._num_aside + 1 if others else 0
        are_enough = len(others) >= ATTACH_TOGETHER and self._num_quiet >= QUIET_STEPS
        if are_enough or self._num_aside >= MOST_STEPS_ASIDE:
            self._num_aside = 0
            return ready + others
        return ready

    def _has_chain(self, sequence: Sequence) -> bool:
        """Whether there is one in its slot that needs nothing but its dice."""
        assert sequence.slot is not None
        chain = self._chains.get(sequence.slot)
        return chain is not None and chain.key == key_of(sequence.request.params)

    def _prune(self) -> None:
        """Drop the chains that nobody uses, once they have been the most of all for a while."""
        num_unused = len(self._chains) - len(self._slots)
        self._num_spare = self._num_spare + 1 if num_unused > len(self._slots) else 0
        if self._num_spare >= PRUNE_STEPS:
            self._num_spare = 0
            for slot in [slot for slot, chain in self._chains.items() if not chain.sequence]:
                self._drop(slot)

    def _is_settled(self, sampling: list[Sequence]) -> bool:
        """As most steps are: all of them are attached already, and shall be."""
        is_enough = self._mode == "attached" or len(sampling) > DETACH_AT
        return is_enough and all(self._slots.get(s) == s.slot for s in sampling)

    def attach(self, sequence: Sequence) -> None:
        """Let the slot's chain choose for the sequence from now on."""
        slot = sequence.slot
        assert slot is not None
        if self._slots.get(sequence) == slot:
            return
        self.detach(sequence)
        key = key_of(sequence.request.params)
        chain = self._chains.get(slot)
        if chain and chain.sequence:
            self.detach(chain.sequence)  # it has lost the slot, and may come back
        if chain and chain.key == key:
            llama.llama_sampler_copy(sequence.sampler, chain.handle)
            chain.sequence = sequence
        else:
            self._drop(slot)
            handle = llama.llama_sampler_clone(sequence.sampler)
            llama.llama_set_sampler(self._context, slot, handle)
            self._chains[slot] = Chain(handle, key, sequence)
        self._slots[sequence] = slot

    def detach(self, sequence: Sequence) -> None:
        """Give the sequence its dice back, to go on with on the host or in another slot."""
        slot = self._slots.pop(sequence, None)
        if slot is not None:
            chain = self._chains[slot]
            llama.llama_sampler_copy(chain.handle, sequence.sampler)
            chain.sequence = None

    def token(self, sequence: Sequence, index: int) -> int | None:
        """What the batch's token there, an output of the step, is followed by; None: it is
        for the host to choose.

        Of a sequence's outputs in a step, the first come first: its dice go on with each.
        """
        slot = self._slots.get(sequence)
        if slot is None:
            return None
        sampler = self._chains[slot].handle
        # As llama_sampler_sample does, without a line in the log for each token.
        token: int = llama.llama_get_sampled_token_ith(self._context, index)
        if token != llama.LLAMA_TOKEN_NULL:
            llama.llama_sampler_accept(sampler, token)
            return token
        # What the device cannot do.
        return int(llama.llama_sampler_sample(sampler, self._context, index))

    def close(self) -> None:
        for slot in [*self._chains]:
            self._drop(slot)

    def _keep_off(self, sequence: Sequence) -> None:
        """Its slot may have a chain, its own or one that has been left there."""
        self.detach(sequence)
        slot = sequence.slot
        assert slot is not None
        chain = self._chains.get(slot)
        if chain and chain.sequence:
            self.detach(chain.sequence)
        self._drop(slot)

    def _drop(self, slot: int) -> None:
        if chain := self._chains.pop(slot, None):
            llama.llama_set_sampler(self._context, slot, None)
            llama.llama_sampler_free(chain.handle)


def can_attach(params: SamplingParams) -> bool:
    """Whether llama.cpp has all of its chain for the graph, and the host needs no logits."""
    is_short = params.is_greedy or 0 < params.top_k <= MAX_TOP_K
    needs_host = (
        params.grammar is not None
        or params.num_logprobs is not None
        or params.repeat_penalty != 1
        or params.presence_penalty
        or params.frequency_penalty
        or params.dry_multiplier
        or params.mirostat
        or params.typical_p < 1
        or params.xtc_probability
    )
    return is_short and not needs_host


def key_of(params: SamplingParams) -> Hashable:
    """The same for those whose chains differ in nothing but the dice."""
    bias = tuple(sorted(params.logit_bias.items()))
    if params.is_greedy:
        return bias, params.ignore_eos
    cuts = params.top_k, params.top_p, params.min_p, params.temperature
    return bias, params.ignore_eos, cuts
