"""Chat messages to the prompt that a model was trained on.

Templates are written for Hugging Face's transformers, whose environment, variables and
helpers this module offers too: `transformers/utils/chat_template_utils.py`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

import jinja2.exceptions
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.sandbox

from .errors import TemplateError

MAX_PROMPT_CHARS = 4 * 2**20
MAX_REASON_CHARS = 500
PROBE = "Hello there"
# Templates compare both with none.
ABSENT: Mapping[str, object] = MappingProxyType({"tools": None, "documents": None})
NO_VARIABLES: Mapping[str, object] = MappingProxyType({})

# For models that bring no template of their own.
CHATML = (
    "{% for message in messages %}"
    r"{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    r"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

Message = Mapping[str, Any]


class ChatTemplate:
    """One model's template, compiled. Rendering is safe from any thread.

    Many templates write `bos` themselves, and many tokenizers add it too; twice it harms
    the answers, so a text that begins with it is tokenized without.

    The template comes with the model, from a stranger. It runs in Jinja's sandbox, and its
    output, products and sums are bounded; the time it takes is not, nor the memory of
    every filter: the process that it runs in is the engine's, which may die alone.

    Raises:
        TemplateError: if the template cannot be compiled.
    """

    def __init__(
        self, source: str, bos: str, eos: str, *, now: Callable[[], datetime] = datetime.now
    ) -> None:
        self.bos = bos
        self.eos = eos
        with _failing_as("The model's chat template is broken"):
            self._template = _make_environment(now).from_string(source)
        self._reads_parts_only = not self._keeps(PROBE) and self._keeps(_parts(PROBE))

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        extra: Mapping[str, object] = NO_VARIABLES,
    ) -> str:
        """The prompt, which ends where the assistant begins to write.

        Lists of text parts become one string, a line each, and `developer` is called
        `system`. A template that reads nothing but lists, as some of models that see, gets
        each string as a list of one part. Where the template refuses a conversation with
        system messages, their text goes before the first user's and the template is asked
        once more.

        Args:
            extra: more variables, as a client may send them (`tools`, `enable_thinking`);
                the template's own variables cannot be replaced.

        Raises:
            TemplateError: if the template refuses the messages or fails, if a message is
                not text, or if the prompt would exceed MAX_PROMPT_CHARS.
        """
        fixed = {
            "bos_token": self.bos,
            "eos_token": self.eos,
            "add_generation_prompt": add_generation_prompt,
        }
        refusal: _Refusal | None = None
        for attempt in _attempts([_plain(message) for message in messages]):
            given = (
                [_in_parts(message) for message in attempt] if self._reads_parts_only else attempt
            )
            try:
                return self._write({**ABSENT, **extra, **fixed, "messages": given})
            except _Refusal as error:
                refusal = error
        raise TemplateError(f"The model's chat template refuses the messages: {refusal}")

    def _keeps(self, content: object) -> bool:
        """Whether a prompt has what is said like that."""
        said = {"messages": [{"role": "user", "content": content}], "add_generation_prompt": True}
        try:
            return PROBE in self._write(
                {**ABSENT, "bos_token": self.bos, "eos_token": self.eos, **said}
            )
        except (_Refusal, TemplateError):
            return False

    def _write(self, variables: Mapping[str, object]) -> str:
        with _failing_as("The model's chat template failed"):
            return _joined(self._template.generate(variables))


def _plain(message: Message) -> dict[str, Any]:
    """A copy in the words that templates of text models know."""
    plain = {**message, "content": _text_of(message.get("content"))}
    if plain.get("role") == "developer":
        plain["role"] = "system"
    if plain.get("tool_calls") and message.get("content") is None:
        plain["content"] = None  # some templates know tool calls by that
    return plain


def _text_of(content: object) -> str:
    match content:
        case str():
            return content
        case None:
            return ""
        case list():
            # One line each, as llama-server joins them.
            return "\n".join(_text_of_part(part) for part in content)
    raise TemplateError(f"A message's content is {type(content).__name__}, not text.")


def _text_of_part(part: object) -> str:
    match part:
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": str() as kind}:
            raise TemplateError(
                f"A message's part of type {kind!r} is not text, which is all we read."
            )
    raise TemplateError("A message has a part without a type.")


def _parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def _in_parts(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    return {**message, "content": _parts(content)} if isinstance(content, str) else message


def _attempts(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    yield messages
    if any(message.get("role") == "system" for message in messages):
        yield _without_system(messages)


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with all system text before the first user's."""
    system = [m["content"] for m in messages if m.get("role") == "system"]
    others = [m for m in messages if m.get("role") != "system"]
    index = next((i for i, m in enumerate(others) if m.get("role") == "user"), None)
    if index is None:
        return [{"role": "user", "content": "\n\n".join(system)}, *others]
    user = others[index]
    others[index] = {**user, "content": "\n\n".join(filter(None, [*system, user["content"]]))}
    return others


class _Refusal(Exception):
    """What a template's own `raise_exception` says."""


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """A sandbox in which no single operation makes more than a prompt may hold."""

    intercepted_binops = frozenset({"+", "*", "**"})

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        if _result_size(operator, left, right) > MAX_PROMPT_CHARS:
            raise jinja2.exceptions.SecurityError(f"the result of {operator!r} is too large")
        return super().call_binop(context, operator, left, right)


class _Generation(jinja2.ext.Extension):
    """Transformers' `generation` tag: for training it marks the answers, here nothing."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def _make_environment(now: Callable[[], datetime]) -> _Environment:
    environment = _Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda format: now().strftime(format)
    return environment


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Like transformers' filter, and unlike Jinja's, without escapes for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: object) -> None:
    raise _Refusal(str(message)[:MAX_REASON_CHARS])


def _result_size(operator: str, left: Any, right: Any) -> int:
    """About how large the result will be: characters, items, or bits of a number."""
    if operator == "**" and isinstance(right, int):
        return _size(left) * abs(right)
    if operator == "*" and isinstance(left, Sequence) and isinstance(right, int):
        return len(left) * right
    if operator == "*" and isinstance(right, Sequence) and isinstance(left, int):
        return left * len(right)
    return _size(left) + _size(right)


def _size(value: object) -> int:
    if isinstance(value, int):
        return value.bit_length()
    return len(value) if isinstance(value, Sequence) else 0


def _joined(chunks: Iterable[str]) -> str:
    """The chunks as one string, refused as soon as it grows too long."""
    kept: list[str] = []
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > MAX_PROMPT_CHARS:
            raise TemplateError(f"The prompt has more than {MAX_PROMPT_CHARS} characters.")
        kept.append(chunk)
    return "".join(kept)


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    """Turn whatever a stranger's template raises, be it what it may, into a TemplateError."""
    try:
        yield
    except (_Refusal, TemplateError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON_CHARS]
        raise TemplateError(f"{what}: {reason}") from error
