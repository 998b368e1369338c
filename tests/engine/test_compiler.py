"""Grammars by themselves, on bytes instead of a model's tokens."""

import json

import pytest

from inference.engine import bytewise, compiler
from inference.engine.bytewise import END, Bytewise, make_compiler, shortest
from inference.engine.errors import GrammarTooComplex, InvalidParameter
from inference.engine.grammar import MAX_GRAMMAR_CHARS, Grammar

from .test_engine import Bench


def regex(source):
    return Grammar("regex", source, "guided_regex")


@pytest.fixture
def compiled(monkeypatch):
    """The sources that were compiled, in order."""
    sources = []
    source_of = compiler._source

    def noted(grammar):
        sources.append(grammar.source)
        return source_of(grammar)

    monkeypatch.setattr(compiler, "_source", noted)
    return sources


def likely(constraint):
    return shortest({*constraint.allowed().tolist()})


def test_a_grammar_is_compiled_once_and_each_answer_follows_it_by_itself(compiled):
    made = make_compiler()
    first, second = (Bytewise(made.constraint(regex("ab"))) for _ in range(2))
    first.accept(likely(first))
    assert bytewise.piece(likely(first)) == b"b"
    assert bytewise.piece(likely(second)) == b"a"
    assert compiled == ["ab"]


def test_nobody_can_tell_what_others_have_asked_for(compiled):
    made = make_compiler()
    for owner in ("alice", "bob", "alice"):
        made.constraint(regex("ab"), owner)
    assert compiled == ["ab", "ab"]


def test_of_many_grammars_those_used_last_stay_compiled(compiled, monkeypatch):
    monkeypatch.setattr(compiler, "CACHE_SIZE", 2)
    made = make_compiler()
    for source in ("a", "b", "a", "c", "a", "b"):
        made.constraint(regex(source))
    assert compiled == ["a", "b", "c", "b"]


def test_what_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(compiler, "COMPILE_SECONDS", 0)
    with pytest.raises(InvalidParameter, match="takes more than 0 s"):
        make_compiler().constraint(regex("a{1,1000}" * 50))


@pytest.mark.parametrize("source", ["", "  ", "a" * (MAX_GRAMMAR_CHARS + 1)])
def test_a_grammar_is_neither_empty_nor_endless(source):
    with pytest.raises(InvalidParameter, match="guided_regex: "):
        regex(source)


def test_only_the_end_may_follow_a_complete_answer():
    constraint = Bytewise(make_compiler().constraint(regex("a?")))
    assert END in constraint.allowed()
    constraint.accept(bytewise.FIRST + ord("a"))
    assert constraint.is_complete
    assert constraint.allowed().tolist() == [END]


def test_an_answer_whose_grammar_grows_too_complex_fails_alone(monkeypatch):
    bench = Bench()
    lost = bench.submit("a b", grammar=regex("[a-c]{9}"))
    kept = bench.submit("a b", grammar=regex("[a-c]{3}"))
    bench.step(2)
    follow = bench.engine._sequences[lost].constraint._inner
    follow._matcher.consume_token(1)  # a byte that is not allowed
    bench.finish()
    assert isinstance(bench.error(lost), GrammarTooComplex)
    assert bench.text(kept) == "aaa"
    assert bench.is_empty()


def test_a_complete_answer_ends_whatever_its_least_length():
    bench = Bench()
    id = bench.submit("a b", grammar=regex("xyz"), min_tokens=20, ignore_eos=True)
    bench.finish()
    assert bench.text(id) == "xyz"
    assert bench.ending(id).reason == "stop"


def follows(schema, text):
    """Whether the text, as a JSON string, is a complete answer."""
    grammar = Grammar("json_schema", json.dumps(schema), "response_format")
    constraint = Bytewise(make_compiler().constraint(grammar))
    for byte in json.dumps(text).encode():
        token = bytewise.FIRST + byte
        if token not in constraint.allowed():
            return False
        constraint.accept(token)
    return constraint.is_complete or END in constraint.allowed()


@pytest.mark.parametrize("kind", ["time", "date-time"])
def test_no_minute_has_a_60th_second(kind):
    schema = {"type": "string", "format": kind}
    day = "2026-11-26T" if kind == "date-time" else ""
    assert follows(schema, f"{day}10:59:59Z")
    assert not follows(schema, f"{day}10:59:60Z")
    assert not follows({"anyOf": [schema]}, f"{day}10:59:60Z")


def test_values_that_look_like_a_schema_stay_as_they_are():
    kept = {"const": {"format": "time"}, "x": [{"enum": [{"format": "time"}]}]}
    source = json.dumps(kept)
    assert json.loads(compiler._without_leap_seconds(source)) == kept
