"""What each family of models is told."""

import json

import pytest

from inference.engine.template import ChatTemplate
from inference.tools import Function, format_of
from inference.tools.generic import Generic
from inference.tools.hermes import Hermes
from inference.tools.llama3 import Llama3
from inference.tools.mistral import Mistral, MistralArgs
from inference.tools.qwen_coder import QwenCoder

ADD = Function("add", "Adds.", {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}})
FIND = Function("find", "", {"type": "object"})
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TALK = [
    {"role": "user", "content": "Well?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "2"},
]
# In the style of each family, as short as it can be.
QWEN = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}"
    "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>"
    "{{ c.function.name }} {{ c.function.arguments | tojson }}</tool_call>{% endfor %}"
    "{% else %}{{ m.role }}: {{ m.content }}{% endif %}\n{% endfor %}"
)
MISTRAL = (
    "{% for m in messages %}{% if m.tool_calls %}[TOOL_CALLS]{% for c in m.tool_calls %}"
    "{% if c.id | length != 9 %}{{ raise_exception('ids have 9 signs') }}{% endif %}{{ c.id }}"
    "{% endfor %}{% elif m.role == 'tool' %}{{ m.tool_call_id }}{% endif %}|{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        (QWEN, Hermes),
        (MISTRAL, Mistral),
        ("{{ tools }}<|python_tag|>", Llama3),
        ("{{ tools }}<tool_call><function=name>", QwenCoder),
        ("{{ tools }}[TOOL_CALLS]name[ARGS]", MistralArgs),
        ("{{ messages }}", Generic),
        ("", Generic),
    ],
)
def test_the_template_decides_on_the_format(template, kind):
    assert type(format_of(template)) is kind


def test_a_template_gets_tools_and_arguments_as_objects():
    format = Hermes()
    template = ChatTemplate(QWEN, "", "")
    text = template.render(format.messages(TALK, [ADD]), extra=format.options([ADD]))
    assert text.startswith('{"type": "function", "function": {"name": "add"')
    assert '<tool_call>add {"a": 1}</tool_call>' in text
    assert "tool: 2" in text


def test_ids_become_such_that_mistrals_template_takes_them():
    text = ChatTemplate(MISTRAL, "", "").render(Mistral().messages(TALK, [ADD]))
    _, called, returned, *_ = text.split("|")
    assert called.removeprefix("[TOOL_CALLS]") == returned


@pytest.mark.parametrize("arguments", ["{", "", None, {"a": 1}, "[" * 5000 + "]" * 5000])
def test_odd_arguments_in_a_history_do_no_harm(arguments):
    call = {**CALL, "function": {"name": "add", "arguments": arguments}}
    for format in (Hermes(), Generic(), Mistral()):
        assert format.messages([{"role": "assistant", "content": "", "tool_calls": [call]}], [])


@pytest.mark.parametrize("calls", ["x", [1], [{}], [{"function": 1}], {}])
def test_a_history_may_hold_anything(calls):
    for format in (Hermes(), Generic(), Mistral()):
        assert format.messages([{"role": "assistant", "content": "a", "tool_calls": calls}], [])


@pytest.mark.parametrize("id", [["a"], {"a": 1}, None, 1])
def test_an_id_may_be_anything(id):
    messages = [
        {"role": "assistant", "tool_calls": [{**CALL, "id": id}]},
        {**TALK[2], "tool_call_id": id},
    ]
    for format in (Hermes(), Generic(), Mistral()):
        assert len(format.messages(messages, [])) == 2


def test_what_is_told_in_words_joins_the_system_message():
    told = Generic().messages([{"role": "system", "content": "Be brief."}, *TALK], [ADD, FIND])
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
    assert told[0]["content"].startswith("Be brief.\n\n")
    assert json.loads(told[2]["content"]) == {"name": "add", "arguments": {"a": 1}}
    assert "tool_calls" not in told[2]
    assert told[3]["content"] == "add returned: 2"


def test_a_schemas_references_to_itself_still_lead_there():
    schema = Hermes().schema([FIND, ADD], several=True)
    assert schema["$defs"]["f1"]["properties"]["a"] == {"$ref": "#/$defs/f1/$defs/n"}
    assert [c["properties"]["name"]["const"] for c in schema["anyOf"]] == ["find", "add"]


def test_how_many_calls_there_may_be():
    assert "maxItems" not in Mistral().schema([ADD], several=True)
    assert Mistral().schema([ADD], several=False)["maxItems"] == 1


def test_newer_mistrals_are_made_to_write_one_functions_arguments_or_a_call_of_several():
    format = MistralArgs()
    assert format.lead([ADD]) == "[TOOL_CALLS]add[ARGS]"
    assert format.schema([ADD], several=True) == ADD.parameters
    assert format.lead([ADD, FIND]) == "[TOOL_CALLS]"
    assert len(format.schema([ADD, FIND], several=True)["anyOf"]) == 2
