"""Grammars on llguidance: compiled once each, within limits, and followed token by token."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import llguidance
import numpy as np
from numpy.typing import NDArray

from .errors import GrammarTooComplex, InvalidParameter
from .grammar import Grammar

CACHE_SIZE = 64  # grammars, some 100 kB each
COMPILE_SECONDS = 0.8
MAX_PROPERTIES = 1000  # of a schema; an object's time grows with their square
# llguidance descends into rules and references recursively, and what overruns the stack
# ends the process. This much takes the longest chain that MAX_GRAMMAR_CHARS can hold.
STACK_BYTES = 512 * 2**20
# Neither endless, as small models like it, nor none, which they do not know from training.
JSON_OPTIONS: Any = {"whitespace_pattern": r"( |\n[ \t]{0,20})?"}
MAX_REASON_CHARS = 500
TIME_FORMATS = ("date-time", "time")
TO_SECOND_59 = "^[^:]*:[^:]*:[0-5]"
VALUES = {"const", "enum", "default", "examples"}  # of a schema, what are no schemas


class Compiler:
    """One model's grammars. `make_tokenizer` is slow, and called when the first one comes."""

    def __init__(self, make_tokenizer: Callable[[], llguidance.LLTokenizer]) -> None:
        self._make_tokenizer = make_tokenizer
        self._tokenizer: llguidance.LLTokenizer | None = None
        self._lock = threading.Lock()
        self._compiled: OrderedDict[tuple[str, Grammar], llguidance.LLMatcher] = OrderedDict()

    def constraint(self, grammar: Grammar, owner: str = "") -> "Matcher":
        """At the beginning of the grammar. It is compiled once for each owner: by the time it
        takes nobody can tell what others have asked for.

        Raises:
            InvalidParameter: it cannot be compiled, or takes too long; it says why.
        """
        with self._lock:
            key = owner, grammar
            compiled = self._compiled.pop(key, None) or self._compile(grammar)
            self._compiled[key] = compiled
            if len(self._compiled) > CACHE_SIZE:
                self._compiled.popitem(last=False)
            return Matcher(compiled.deep_copy())

    def _compile(self, grammar: Grammar) -> llguidance.LLMatcher:
        if self._tokenizer is None:
            self._tokenizer = self._make_tokenizer()
        work = _Compilation(self._tokenizer, grammar)
        previous = threading.stack_size(STACK_BYTES)
        try:
            work.start()
        finally:
            threading.stack_size(previous)
        work.join(COMPILE_SECONDS)
        if work.is_alive():
            raise _refusal(grammar, f"takes more than {COMPILE_SECONDS:g} s to compile")
        if isinstance(work.made, llguidance.LLMatcher):
            return work.made
        raise _refusal(grammar, f"cannot be used: {work.made[:MAX_REASON_CHARS]}")


class _Compilation(threading.Thread):
    """On a thread of its own, for the stack, and since nothing can interrupt it.

    What it `made` is a matcher, or the reason why there is none.
    """

    def __init__(self, tokenizer: llguidance.LLTokenizer, grammar: Grammar) -> None:
        super().__init__(name="compilation", daemon=True)
        self._tokenizer = tokenizer
        self._grammar = grammar
        self.made: llguidance.LLMatcher | str = "the compiler failed"

    def run(self) -> None:
        try:
            matcher = llguidance.LLMatcher(
                self._tokenizer, _source(self._grammar), log_level=0, limits=_limits()
            )
            if not matcher.is_error():
                matcher.compute_bitmask()  # some limits show here only
        except (ValueError, RecursionError) as error:
            self.made = str(error)
        else:
            self.made = matcher.get_error() or matcher


class Matcher:
    """See `Constraint` for what the methods promise."""

    def __init__(self, matcher: llguidance.LLMatcher) -> None:
        self._matcher = matcher
        self._allowed: NDArray[np.intp] | None = None
        self.is_complete = False
        self.error: GrammarTooComplex | None = None

    def prepare(self) -> None:
        if self._allowed is None:
            mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
            self._allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little"))
            self._check()

    def allowed(self) -> NDArray[np.intp]:
        self.prepare()
        assert self._allowed is not None
        return np.zeros(1, np.intp) if self.error else self._allowed

    def accept(self, token: int) -> None:
        self._allowed = None
        self._matcher.consume_token(token)
        self._check()
        self.is_complete = self._matcher.is_stopped()

    def _check(self) -> None:
        if self._matcher.is_error() and not self.error:
            self.error = GrammarTooComplex(self._matcher.get_error()[:MAX_REASON_CHARS])


def _limits() -> llguidance.LLParserLimits:
    """Some milliseconds a token: whoever shares the step waits for it."""
    return llguidance.LLParserLimits(
        max_grammar_size=200_000, max_lexer_states=50_000, verbose_errors=False
    )


def _source(grammar: Grammar) -> str:
    match grammar.kind:
        case "json_schema":
            _check_properties(grammar)
            return llguidance.LLMatcher.grammar_from_json_schema(
                _without_leap_seconds(grammar.source), overrides=JSON_OPTIONS
            )
        case kind:
            return llguidance.grammar_from(kind, grammar.source)


def _without_leap_seconds(source: str) -> str:
    """The schema, with times that all programs read: llguidance writes a minute's 60th second,
    too, which RFC 3339 has in its grammar, and hardly any minute and library have.
    """
    if not any(f'"{kind}"' in source for kind in TIME_FORMATS):
        return source
    schema = json.loads(source)
    _restrict_times(schema)
    return json.dumps(schema)


def _restrict_times(schema: Any) -> None:
    if isinstance(schema, list):
        for part in schema:
            _restrict_times(part)
    elif isinstance(schema, dict):
        if schema.get("format") in TIME_FORMATS:
            schema.setdefault("pattern", TO_SECOND_59)
        for key, part in schema.items():
            if key not in VALUES:
                _restrict_times(part)


def _check_properties(grammar: Grammar) -> None:
    """In the text, which is at least as many as in the schema, and cheap."""
    number = grammar.source.count('":')
    if number > 4 * MAX_PROPERTIES:
        raise ValueError(f"it has {number} members, more than {4 * MAX_PROPERTIES}")


def _refusal(grammar: Grammar, why: str) -> InvalidParameter:
    return InvalidParameter(grammar.param, grammar.source, why)
