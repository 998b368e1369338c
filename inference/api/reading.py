"""What an answer's text says: thoughts, words and calls, whole or in pieces."""

import uuid
from typing import Any

from inference.runtime import Finish, Piece, TokenLogprob
from inference.thinking import ThinkingSplitter, split_thinking
from inference.tools import Begun, CallParser, Event, More, Text

# The only finish reasons that clients know; a cancelled answer has been cut short.
FINISH_REASONS = {"stop": "stop", "length": "length", "cancelled": "length"}


class ChatReader:
    """Reads one choice; what comes out are deltas in OpenAI's form.

    `is_thinking`: it begins within a thought that the prompt has opened. `prefix`: what the
    answer goes on from, which may have opened one, or be past it.

    Attributes:
        reasoning_tokens: that were thoughts, about.
    """

    def __init__(
        self, parser: CallParser | None, *, is_thinking: bool = False, prefix: str = ""
    ) -> None:
        self._splitter = _splitter_after(prefix, is_thinking=is_thinking)
        self._parser = parser
        self.reasoning_tokens = 0
        self._logprobs: list[TokenLogprob] | None = None

    def feed(self, piece: Piece) -> list[dict[str, Any]]:
        if piece.logprobs is not None:
            self._logprobs = [*(self._logprobs or ()), *piece.logprobs]
        thought, said = self._splitter.feed(piece.text)
        if thought:  # of a piece that is both, by its length
            share = len(thought) / (len(thought) + len(said))
            self.reasoning_tokens += round(piece.tokens * share)
        return [*_thought(thought), *self._said(said)]

    def finish(self) -> list[dict[str, Any]]:
        thought, said = self._splitter.finish()
        deltas = [*_thought(thought), *self._said(said)]
        if self._parser:
            deltas += [_delta(event) for event in self._parser.finish()]
        return deltas

    def take_logprobs(self) -> list[TokenLogprob] | None:
        """Those of the answer's own tokens, without thoughts, that have not been taken."""
        start, waiting = self._splitter.answer_at, self._logprobs
        if start is None or waiting is None:
            return None
        self._logprobs = None
        return [token for token in waiting if token.offset + len(_text(token)) > start]

    def finish_reason(self, finish: Finish) -> str:
        """A call that was cut off has the reason why it was."""
        reason = FINISH_REASONS[finish.reason]
        has_called = self._parser is not None and self._parser.is_complete
        return "tool_calls" if has_called and reason == "stop" else reason

    def _said(self, text: str) -> list[dict[str, Any]]:
        if not text:
            return []
        if self._parser is None:
            return [{"content": text}]
        return [_delta(event) for event in self._parser.feed(text)]


def _splitter_after(prefix: str, *, is_thinking: bool) -> ThinkingSplitter:
    if not prefix:
        return ThinkingSplitter(has_begun=is_thinking)
    _, said = split_thinking(prefix + "…", has_begun=is_thinking)
    return ThinkingSplitter(has_begun=True, has_answered=bool(said))


def _text(token: TokenLogprob) -> str:
    return token.text.decode(errors="replace")


def _thought(text: str) -> list[dict[str, Any]]:
    return [{"reasoning_content": text}] if text else []


def _delta(event: Event) -> dict[str, Any]:
    match event:
        case Text(text):
            return {"content": text}
        case Begun(index, name):
            function = {"name": name, "arguments": ""}
            call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function"}
            return {"tool_calls": [{"index": index, **call, "function": function}]}
        case More(index, arguments):
            return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


def message_of(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that the deltas add up to."""
    calls: list[dict[str, Any]] = []
    texts = [delta["content"] for delta in deltas if "content" in delta]
    thoughts = [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta]
    for delta in deltas:
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                calls.append({"id": call["id"], "type": "function", "function": call["function"]})
            else:
                calls[-1]["function"]["arguments"] += call["function"]["arguments"]
    content = "".join(texts)
    return {
        "role": "assistant",
        "content": None if calls and not content else content,
        "refusal": None,
        **({"reasoning_content": "".join(thoughts)} if thoughts else {}),
        **({"tool_calls": calls} if calls else {}),
    }
