"""Answers with calls in them, whole and in pieces."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.tools import Begun, CallParser, Function, More, Text
from inference.tools.generic import Generic
from inference.tools.hermes import Hermes
from inference.tools.llama3 import Llama3
from inference.tools.mistral import Mistral, MistralArgs
from inference.tools.qwen_coder import QwenCoder

FUNCTIONS = [
    Function(
        "add",
        "",
        {
            "properties": {
                "a": {"type": "integer"},
                "b": {"type": "array"},
                "s": {"type": "string"},
                "ok": {"type": "boolean"},
            }
        },
    ),
    Function("find", "", {"properties": {"what": {"type": "string"}}}),
]
ADD = '{"name": "add", "arguments": {"a": 1, "b": [2, "}\\"{"]}}'
FIND = '{"arguments": {"what": "<tool_call>"}, "name": "find"}'
ADDED = ("add", {"a": 1, "b": [2, '}"{']})
FOUND = ("find", {"what": "<tool_call>"})

ADD_TAGS = (
    "<function=add>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\n[2, "
    '"}\\"{"]\n</parameter>\n</function>'
)
FIND_TAGS = "<function=find>\n<parameter=what>\n<tool_call>\n</parameter>\n</function>"

ANSWERS = [
    (Hermes(), "No calls here.\n", "No calls here.\n", []),
    (Hermes(), f"<tool_call>\n{ADD}\n</tool_call>", "", [ADDED]),
    (
        Hermes(),
        f"Let me see.\n\n<tool_call>{ADD}</tool_call>\n<tool_call>\n{FIND}\n</tool_call>\n",
        "Let me see.",
        [ADDED, FOUND],
    ),
    (Hermes(), f"<tool_call>{ADD}</tool_call> Done.", " Done.", [ADDED]),
    (Hermes(), "<tool_call> is how it is done", "<tool_call> is how it is done", []),
    (Hermes(), "a < b <tool", "a < b <tool", []),
    (
        Hermes(),
        '<tool_call>{"name": "rm"}</tool_call>',
        '<tool_call>{"name": "rm"}</tool_call>',
        [],
    ),
    (Hermes(), ADD, "", [ADDED]),
    (Llama3(), '{"name": "add", "parameters": {"a": 1}}', "", [("add", {"a": 1})]),
    (Llama3(), '<|python_tag|>{"name": "add"}; {"name": "find"}', "", [("add", {}), ("find", {})]),
    (Llama3(), '{"answer": 42}', '{"answer": 42}', []),
    (Llama3(), "So: " + ADD, "So: " + ADD, []),
    (Mistral(), f"[TOOL_CALLS] [{ADD}, {FIND}]", "", [ADDED, FOUND]),
    (Mistral(), f"[{ADD}]", "", [ADDED]),
    (Mistral(), "[TOOLS] are fine", "[TOOLS] are fine", []),
    (Mistral(), "[1, 2]", "[1, 2]", []),
    (MistralArgs(), "No [TOOL", "No [TOOL", []),
    (
        MistralArgs(),
        'So:[TOOL_CALLS]add[ARGS]{"a": 1, "b": [2, "}\\"{"]}[TOOL_CALLS]find[CALL_ID]x1[ARGS]'
        '{"what": "<tool_call>"}',
        "So:",
        [ADDED, FOUND],
    ),
    (MistralArgs(), "[TOOL_CALLS]add[ARGS] {}", "", [("add", {})]),
    (MistralArgs(), f"[TOOL_CALLS]{ADD}", "", [ADDED]),
    (MistralArgs(), "[TOOL_CALLS]rm[ARGS]{}", "[TOOL_CALLS]rm[ARGS]{}", []),
    (MistralArgs(), "[TOOL_CALLS]adder[ARGS]{}", "[TOOL_CALLS]adder[ARGS]{}", []),
    (MistralArgs(), "[TOOL_CALLS]add[ARGS]1", "[TOOL_CALLS]add[ARGS]1", []),
    (QwenCoder(), f"<tool_call>\n{ADD_TAGS}\n</tool_call>", "", [ADDED]),
    (
        QwenCoder(),
        f"So:\n<tool_call>{ADD_TAGS}</tool_call>\n<tool_call>{FIND_TAGS}</tool_call> Done.",
        "So: Done.",
        [ADDED, FOUND],
    ),
    (QwenCoder(), f"I look. {FIND_TAGS}", "I look.", [FOUND]),
    (QwenCoder(), f"<tool_call>{ADD}</tool_call>", "", [ADDED]),
    (
        QwenCoder(),
        '<tool_call><function=add><parameter=s>\n\n a\n"<b>\n\n</parameter>'
        "<parameter=ok>\nTrue\n</parameter><parameter=c>NaN</parameter></tool_call>",
        "",
        [("add", {"s": '\n a\n"<b>\n', "ok": True, "c": "NaN"})],
    ),
    (
        QwenCoder(),
        "<function=add><parameter=s></parameter><parameter=a>one</parameter></function>",
        "",
        [("add", {"s": "", "a": "one"})],
    ),
    (QwenCoder(), "<function=rm></function>", "<function=rm></function>", []),
    (QwenCoder(), "<function=<function=find></function>", "<function=", [("find", {})]),
    (QwenCoder(), "a <func", "a <func", []),
    (Generic(), f"```json\n[{ADD},\n{FIND}]\n```", "", [ADDED, FOUND]),
    (Generic(), '{"name": "add", "arguments": "{\\"a\\": 1}"}', "", [("add", {"a": 1})]),
    (Generic(), '```json\n{"a": 1}\n```', '```json\n{"a": 1}\n```', []),
    (Generic(), " \n", " \n", []),
    (Generic(), "", "", []),
    (Generic(), '{"name": {"x": 1}, "name": "add"}', '{"name": {"x": 1}, "name": "add"}', []),
]


SCRAPS = (
    *("<tool_call>", "</tool_call>", "<function=", "add", ">", "</function>", "<parameter=", "s"),
    *("</parameter>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "{", "}", '"', "\n", "<", "a"),
)


def parsed(format, pieces, **options):
    """The text, the calls' names and arguments, and the parser."""
    parser = CallParser(format, FUNCTIONS, **options)
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    text = "".join(event.text for event in events if isinstance(event, Text))
    begun = [event for event in events if isinstance(event, Begun)]
    arguments = [
        "".join(e.arguments for e in events if isinstance(e, More) and e.index == call.index)
        for call in begun
    ]
    assert [call.index for call in begun] == list(range(len(begun)))
    return text, list(zip([call.name for call in begun], arguments, strict=True)), parser


def cut(text, places):
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize(("format", "answer", "text", "calls"), ANSWERS)
def test_calls_are_told_from_text(format, answer, text, calls):
    said, made, parser = parsed(format, [answer])
    assert said == text
    assert [(name, json.loads(arguments)) for name, arguments in made] == calls
    assert parser.is_complete == bool(calls)


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 200), max_size=12))
def test_it_does_not_matter_where_an_answer_is_cut(case, places):
    format, answer, *_ = case
    assert parsed(format, cut(answer, places))[:2] == parsed(format, [answer])[:2]


@given(
    st.sampled_from([Hermes(), Llama3(), Mistral(), MistralArgs(), QwenCoder(), Generic()]),
    st.one_of(
        st.text(alphabet='<tool_ca>/{}[]"\\:,;name add`jsn|py1 \n', max_size=60),
        st.lists(st.sampled_from(SCRAPS), max_size=12).map("".join),
    ),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_noise_is_cut_like_anything_else_and_never_lost(format, noise, places):
    whole = parsed(format, [noise])
    assert parsed(format, cut(noise, places))[:2] == whole[:2]
    assert whole[1] or whole[0] == noise


@pytest.mark.parametrize("end", range(1, len(ADD)))
def test_a_call_that_is_cut_off_is_not_complete(end):
    text, calls, parser = parsed(Hermes(), ["<tool_call>", ADD[:end]])
    assert not parser.is_complete
    assert bool(text) != bool(calls)
    written = ADD[ADD.index('{"a"') :]
    assert all(name == "add" and written.startswith(arguments) for name, arguments in calls)


def test_arguments_come_as_they_are_written():
    parser = CallParser(Hermes(), FUNCTIONS)
    pieces = ['<tool_call>{"name": "a', 'dd", "arguments": {"a"', ": 1}}"]
    assert [parser.feed(piece) for piece in pieces] == [
        [],
        [Begun(0, "add"), More(0, '{"a"')],
        [More(0, ": 1}")],
    ]


def test_a_name_that_is_nested_deeply_is_none():
    answer = '{"name": ' + "[" * 5000 + "]" * 5000 + ', "arguments": {}}'
    text, calls, _ = parsed(Hermes(), [answer])
    assert (text, calls) == (answer, [])


def test_an_answer_that_has_to_be_a_call_begins_within_one():
    assert parsed(Hermes(), [ADD], forced=FUNCTIONS)[1] == [("add", '{"a": 1, "b": [2, "}\\"{"]}')]


def test_where_one_function_is_forced_its_name_has_been_written():
    _, calls, parser = parsed(MistralArgs(), ['{"a"', ": 1}"], forced=FUNCTIONS[:1])
    assert calls == [("add", '{"a": 1}')]
    assert parser.is_complete
    assert parsed(MistralArgs(), [ADD], forced=FUNCTIONS)[1][0][0] == "add"


def test_a_string_in_tags_comes_as_it_is_written():
    parser = CallParser(QwenCoder(), FUNCTIONS)
    pieces = ["<tool_call><function=find><parameter=what>\na", 'b"', "\n", "c</para", "meter>"]
    assert [parser.feed(piece) for piece in pieces] == [
        [Begun(0, "find"), More(0, '{"what": "a')],
        [More(0, 'b\\"')],
        [],
        [More(0, "\\nc")],
        [More(0, '"')],
    ]
