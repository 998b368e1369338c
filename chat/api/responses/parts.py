"""What an answer consists of, in the order in which it was written."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chat.models import Message
from chat.reading import Written, end_of, logprobs_of
from inference.api.logprobs import entries
from inference.runtime import TokenLogprob

from .ids import item_id


@dataclass(frozen=True, slots=True)
class Part:
    """Thoughts (`rs`), words (`msg`) or a call (`fc`); `content` is its text, or arguments.

    `logprobs` are those of words, if they were asked for.
    """

    kind: str
    id: str
    content: str
    call: dict[str, Any] = field(default_factory=dict)
    logprobs: Sequence[TokenLogprob] = ()

    def told(self, start: int, end: int | None = None) -> list[dict[str, Any]]:
        """The logprobs of the tokens that end between these characters."""
        last = math.inf if end is None else end
        return entries([one for one in self.logprobs if start < end_of(one) <= last])

    def begun(self) -> dict[str, Any]:
        """The item before there is anything of it."""
        return replace(self, content="").item("in_progress")

    def item(self, status: str) -> dict[str, Any]:
        """OpenAI's object."""
        content = self.content
        match self.kind:
            case "rs":
                texts = [reasoning_part(content)] if content else []
                rest: dict[str, Any] = {"type": "reasoning", "summary": [], "content": texts}
            case "msg":
                texts = [text_part(content, self.told(0))] if content else []
                rest = {"type": "message", "role": "assistant", "content": texts}
            case _:
                names = {"call_id": self.call["id"], "name": self.call["name"]}
                rest = {"type": "function_call", **names, "arguments": content}
        return {"id": self.id, **rest, "status": status}


def reasoning_part(text: str) -> dict[str, Any]:
    return {"type": "reasoning_text", "text": text}


def text_part(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def parts_of(answer: Message, written: Written) -> list[Part]:
    return [*_parts(answer, written)]


def _parts(answer: Message, written: Written) -> Iterator[Part]:
    if written.reasoning:
        yield Part("rs", item_id("rs", answer), written.reasoning)
    start = num_texts = 0
    logprobs = logprobs_of(written)  # where there are calls, there are none
    for number, call in enumerate(written.calls):
        if text := written.text[start : call["at"]]:
            yield Part("msg", item_id("msg", answer, num_texts), text)
            num_texts += 1
        start = call["at"]
        yield Part("fc", item_id("fc", answer, number), call["arguments"], call)
    if text := written.text[start:]:
        yield Part("msg", item_id("msg", answer, num_texts), text, logprobs=logprobs)
