"""Several answers to one prompt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from inference.runtime import Finish, Piece, SamplingParams

from .logprobs import joined, mean

RANDOM = 2**32 - 1  # as a seed of 32 bits it stands for none


@dataclass(frozen=True, slots=True)
class Written:
    """All that one of them has brought."""

    pieces: list[Piece]
    finish: Finish

    def without_logprobs(self) -> "Written":
        return replace(self, pieces=[piece._replace(logprobs=None) for piece in self.pieces])


@dataclass(frozen=True, slots=True)
class Selection:
    """How many are computed for each prompt, and how many of those are the answer."""

    num_computed: int = 1
    num_kept: int = 1
    tells_logprobs: bool = True

    def best(self, written: Sequence[Written]) -> list[Written]:
        """Of each prompt's, those that the model finds likeliest by the token."""
        kept: list[Written] = []
        for start in range(0, len(written), self.num_computed):
            kept += self._best(written[start : start + self.num_computed])
        return kept if self.tells_logprobs else [one.without_logprobs() for one in kept]

    def _best(self, written: Sequence[Written]) -> Sequence[Written]:
        if self.num_kept == self.num_computed:
            return written
        ranked = sorted(written, key=lambda one: mean(joined(one.pieces) or ()), reverse=True)
        return ranked[: self.num_kept]


def seeded(params: SamplingParams, index: int) -> SamplingParams:
    """For one of them: another seed each, the first one's as it is."""
    if index == 0 or params.seed is None or params.seed32 == RANDOM:
        return params
    return msgspec.structs.replace(params, seed=(params.seed32 + index) % RANDOM)
