"""Answers that are held to a form, over the API. The fake model writes the shortest."""

import json

import pytest

from .client import events_of, texts_of

pytestmark = pytest.mark.usefixtures("fake_model")

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 1}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "person", "strict": True, "schema": SCHEMA},
}
PERSON = {"name": "", "age": 1}


async def answered(api, **fields):
    response = await api.chat("a b c", **fields)
    assert response.status_code == 200, response.content
    choice = response.json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    return choice["message"]["content"]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": FORMAT},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"json_schema": SCHEMA},
        {"json_schema": json.dumps(SCHEMA)},
        {"structured_outputs": {"json": SCHEMA}},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_an_answer_has_the_schemas_form_however_it_is_asked_for(api, fields):
    assert json.loads(await answered(api, **fields)) == PERSON


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"response_format": {"type": "json_object"}}, "{}"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "any"}}}, "{}"),
        ({"grammar": 'root ::= "yes" | "no"'}, "no"),
        ({"grammar": 'start: "x" DIGIT\nDIGIT: /[5-9]/'}, "x5"),
        ({"guided_regex": "[b-d]{3}"}, "bbb"),
        ({"structured_outputs": {"regex": "[b-d]{2}"}}, "bb"),
        ({"structured_outputs": {"grammar": 'root ::= "z"'}}, "z"),
        ({"structured_outputs": {"choice": ['"q" \\', "r"]}}, '"q" \\'),
    ],
)
async def test_there_is_a_field_for_every_kind_of_form(api, fields, text):
    assert await answered(api, **fields) == text


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "text"}},
        {"grammar": ""},
        {"guided_regex": ""},
        {"structured_outputs": {}},
        {"response_format": {"type": "json_schema", "json_schema": None}, "json_schema": None}
        | {"response_format": None},
    ],
)
async def test_such_a_field_may_say_that_any_form_will_do(api, fields):
    assert await answered(api, **fields) == "a b c "


async def test_a_stream_has_the_form_too(api):
    chunks = await events_of(await api.chat("a", response_format=FORMAT, stream=True))
    assert json.loads(texts_of(chunks)) == PERSON
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


async def test_a_completion_has_the_form_too(api):
    response = await api.complete(["a", "b"], guided_regex="[b-d]{3}")
    assert [choice["text"] for choice in response.json()["choices"]] == ["bbb", "bbb"]


async def test_a_limit_cuts_the_form_and_says_so(api):
    choice = (await api.chat("a", response_format=FORMAT, max_tokens=4)).json()["choices"][0]
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "param", "named"),
    [
        ({"json_schema": {"type": "array", "uniqueItems": True}}, "json_schema", "uniqueItems"),
        ({"json_schema": "{"}, "json_schema", "EOF"),
        ({"grammar": "root ::= other"}, "grammar", "other"),
        ({"guided_regex": "a(?!b)"}, "guided_regex", "look-around"),
        ({"structured_outputs": {"regex": "("}}, "structured_outputs.regex", "unclosed"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing",
        ),
        ({"response_format": {"type": "yaml"}}, "response_format.type", "yaml"),
        ({"grammar": 'root ::= "a"', "guided_regex": "a"}, "guided_regex", "grammar"),
        ({"json_schema": {"enum": ["x" * 70_000]}}, "json_schema", "65536"),
        ({"grammar": 5}, "grammar", "5"),
    ],
)
async def test_a_form_that_cannot_be_followed_is_refused_before_anything_is_computed(
    api, fields, param, named, stream, num_computed
):
    response = await api.chat("a b c", stream=stream, **fields)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param)
    assert named in error["message"]
    assert error["code"] == "invalid_request_error"


async def test_a_schema_that_is_nested_too_deeply_is_refused(api):
    schema = b'{"items":' * 400 + b"{}" + b"}" * 400
    body = b'{"model": "fake", "prompt": "a", "json_schema": ' + schema + b"}"
    response = await api.send("/v1/completions", body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "json_schema"
