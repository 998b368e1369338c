"""What is asked of every server alike."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A chat request for exactly `max_tokens` tokens: the model's own end is forbidden.

    Attributes:
        owner: whose it is, where accounts are on; "" for nobody's.
        temperature: 0 takes the likeliest token, so that texts can be compared.
    """

    messages: tuple[dict[str, str], ...]
    max_tokens: int
    owner: str = ""
    temperature: float = 0.0
    seed: int = 0

    def body(self, model: str) -> dict[str, Any]:
        """As OpenAI's API wants it; what chooses among tokens is said, not left to defaults."""
        return {
            "model": model,
            "messages": list(self.messages),
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_k": 40,
            "top_p": 0.95,
            "min_p": 0.05,
            "seed": self.seed,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }


@dataclass(frozen=True, slots=True)
class Piece:
    """What has come of an answer: text, or at its end the tokens that the server counted, and
    those of its prompt that need not be computed.
    """

    text: str = ""
    tokens: int | None = None
    cached: int = 0
