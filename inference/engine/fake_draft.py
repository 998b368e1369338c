"""The fake model's draft model: it knows that the prompt is echoed.

Before the word `hard` it is unsure, and for `wrong` it guesses something else.
"""

from collections.abc import Callable, Mapping

from .bytewise import END
from .request import Sequence

DRAFT_TOKENS = 4


class FakeDrafter:
    """`word` tells the text of a token; `asked` keeps of each draft for how many, by request."""

    max_tokens = DRAFT_TOKENS

    def __init__(self, word: Callable[[int], str]) -> None:
        self._word = word
        self.asked: list[dict[int, int]] = []

    def draft(self, wanted: Mapping[Sequence, int]) -> dict[Sequence, list[int]]:
        self.asked.append({sequence.id: most for sequence, most in wanted.items()})
        return {sequence: self._draft(sequence, most) for sequence, most in wanted.items()}

    def _draft(self, sequence: Sequence, most: int) -> list[int]:
        prompt, guesses = sequence.prompt_tokens, list[int]()
        for place in range(len(sequence.output_tokens), len(sequence.output_tokens) + most):
            token = prompt[place % len(prompt)]
            match self._word(token):
                case "hard":
                    break
                case "wrong":
                    guesses.append(END)
                case _:
                    guesses.append(token)
        return guesses
