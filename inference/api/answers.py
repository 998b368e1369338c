"""From an engine's answer to OpenAI's objects."""

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from inference.admission import Reply
from inference.runtime import Finish, Piece
from inference.tools import CallParser

from .functions import REASONS, older
from .logprobs import Logprobs, TextLogprobs, of_chat, of_text, with_prompt
from .reading import FINISH_REASONS, ChatReader, message_of


class Answer:
    """What all objects of one answer share."""

    object: str
    chunk_object: str
    prefix: str

    def __init__(self, generation: Reply, model: str) -> None:
        self.id = f"{self.prefix}-{uuid.uuid4().hex}"
        self._head = {
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": generation.fingerprint,
        }
        if generation.receipt:
            self._head["receipt"] = str(generation.receipt)

    def chunk(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.chunk_object,
            **self._head,
            "choices": choices,
            **more,
        }

    def whole(self, choices: list[dict[str, Any]], finishes: list[Finish]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.object,
            **self._head,
            "choices": choices,
            "usage": self.usage(finishes),
            "timings": timings(finishes),
        }

    def usage(self, finishes: list[Finish]) -> dict[str, Any]:
        return usage(finishes)


class ChatAnswer(Answer):
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    prefix = "chatcmpl"

    def __init__(
        self,
        generation: Reply,
        model: str,
        make_parser: Callable[[], CallParser | None] | None = None,
        *,
        has_functions: bool = False,
        prefix: str = "",
    ) -> None:
        """A call is written in the older way if it `has_functions`. The `prefix` is what it
        goes on from.
        """
        super().__init__(generation, model)
        self._has_functions = has_functions
        is_thinking = generation.opens_thinking
        self._readers = defaultdict[int, ChatReader](
            lambda: ChatReader(
                make_parser and make_parser(), is_thinking=is_thinking, prefix=prefix
            )
        )

    def opening(self, index: int) -> dict[str, Any]:
        return self._delta(index, {"role": "assistant", "content": ""}, None)

    def nothing(self, index: int) -> dict[str, Any]:
        """A choice that says nothing new."""
        return {"index": index, "delta": {}, "logprobs": None, "finish_reason": None}

    def deltas(self, index: int, piece: Piece) -> list[dict[str, Any]]:
        return self._chunks(index, self._readers[index].feed(piece))

    def endings(self, index: int, finish: Finish) -> list[dict[str, Any]]:
        reader = self._readers[index]
        rest = self._chunks(index, reader.finish())
        return [*rest, self._delta(index, {}, self._reason(reader, finish))]

    def choice(self, index: int, pieces: list[Piece], finish: Finish) -> dict[str, Any]:
        reader = self._readers[index]
        deltas = [delta for piece in pieces for delta in reader.feed(piece)]
        message = message_of([*deltas, *reader.finish()])
        return {
            "index": index,
            "message": older(message) if self._has_functions else message,
            "logprobs": of_chat(reader.take_logprobs()),
            "finish_reason": self._reason(reader, finish),
        }

    def _reason(self, reader: ChatReader, finish: Finish) -> str:
        reason = reader.finish_reason(finish)
        return REASONS.get(reason, reason) if self._has_functions else reason

    def usage(self, finishes: list[Finish]) -> dict[str, Any]:
        tokens = sum(reader.reasoning_tokens for reader in self._readers.values())
        details = {"completion_tokens_details": {"reasoning_tokens": tokens}}
        return super().usage(finishes) | details

    def _chunks(self, index: int, deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The last one, which is of the answer itself, brings the logprobs that are ready."""
        logprobs = self._readers[index].take_logprobs()
        if logprobs and not deltas:
            deltas = [{"content": ""}]
        if not deltas:
            return []
        *before, last = deltas
        chunks = [self._delta(index, delta, None) for delta in before]
        return [*chunks, self._delta(index, last, None, logprobs)]

    def _delta(
        self,
        index: int,
        delta: dict[str, Any],
        reason: str | None,
        logprobs: Logprobs = None,
    ) -> dict[str, Any]:
        delta = older(delta) if self._has_functions else delta
        choice = {"index": index, "delta": delta, "logprobs": of_chat(logprobs)}
        return self.chunk([{**choice, "finish_reason": reason}])


class TextAnswer(Answer):
    object = "text_completion"
    chunk_object = "text_completion"
    prefix = "cmpl"

    def opening(self, index: int) -> None:
        return None

    def nothing(self, index: int) -> dict[str, Any]:
        """A choice that says nothing new."""
        return self._choice(index, "", None, None)

    def deltas(self, index: int, piece: Piece) -> list[dict[str, Any]]:
        return [self.chunk([self._choice(index, piece.text, None, with_prompt([piece]))])]

    def endings(self, index: int, finish: Finish) -> list[dict[str, Any]]:
        return [self.chunk([self.choice(index, [], finish)])]

    def choice(self, index: int, pieces: list[Piece], finish: Finish) -> dict[str, Any]:
        text = "".join(piece.text for piece in pieces)
        return self._choice(index, text, FINISH_REASONS[finish.reason], with_prompt(pieces))

    def _choice(
        self, index: int, text: str, reason: str | None, logprobs: TextLogprobs
    ) -> dict[str, Any]:
        choice = {"index": index, "text": text, "logprobs": of_text(logprobs)}
        return {**choice, "finish_reason": reason}


def usage(finishes: list[Finish]) -> dict[str, Any]:
    prompt = sum(f.usage.prompt_tokens for f in finishes)
    completion = sum(f.usage.completion_tokens for f in finishes)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sum(f.usage.cached_tokens for f in finishes)},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


class Costs(Protocol):
    """What a request has cost, at its end or until now."""

    @property
    def usage(self) -> Any: ...
    @property
    def timings(self) -> Any: ...


def timings(finishes: Sequence[Costs]) -> dict[str, Any]:
    """Of the choice that took longest, under llama-server's names, in milliseconds."""
    last = max(finishes, key=lambda finish: finish.timings.total)
    decode, tokens = last.timings.decode, last.usage.completion_tokens
    told = {
        "queued_ms": round(last.timings.queued * 1e3, 3),
        "cache_n": last.usage.cached_tokens,
        "prompt_n": last.usage.prompt_tokens - last.usage.cached_tokens,
        "prompt_ms": round(last.timings.prefill * 1e3, 3),
        "predicted_n": tokens,
        "predicted_ms": round(decode * 1e3, 3),
        "predicted_per_second": round((tokens - 1) / decode, 3) if decode > 0 else None,
    }
    if last.usage.drafted_tokens:
        told["draft_n"] = last.usage.drafted_tokens
        told["draft_n_accepted"] = last.usage.accepted_tokens
    return told
