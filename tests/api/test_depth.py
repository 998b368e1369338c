"""Bodies that are nested deeply, to every depth at which something may give up."""

import json

import pytest

from .test_tools import TEMPLATES

pytestmark = pytest.mark.usefixtures("fake_model")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_no_depth_breaks_the_server(api, headers):
    for depth in [*range(20, 500, 60), *range(500, 1010, 7)]:
        body = b'{"model":"fake","messages":[{"role":"user","content":"a","x":%s}]}'
        body = body % (b"[" * depth + b"]" * depth)
        response = await api.send("/v1/chat/completions", body, **headers)
        assert response.status_code in (200, 400, 409), depth


DEPTHS = [*range(20, 900, 80), *range(900, 940), 5000]


@pytest.mark.parametrize("name", ["generic", "hermes", "mistral args"])
@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_no_depth_of_a_tool_breaks_the_server(api, fake_model, name, choice):
    fake_model.chat_template = TEMPLATES[name]
    await fake_model.asave()
    for depth in DEPTHS:
        body = (
            b'{"model":"fake","messages":[{"role":"user","content":"a"}],"max_tokens":3,"tools":'
            b'[{"type":"function","function":{"name":"f","parameters":%s}}],"tool_choice":"%s"}'
        )
        parameters = b'{"a":' * depth + b"1" + b"}" * depth
        response = await api.send("/v1/chat/completions", body % (parameters, choice.encode()))
        assert response.status_code in (200, 400), depth


@pytest.mark.parametrize("name", ["generic", "hermes", "mistral args"])
async def test_no_depth_of_a_calls_arguments_breaks_the_server(api, fake_model, name):
    fake_model.chat_template = TEMPLATES[name]
    await fake_model.asave()
    for depth in DEPTHS:
        call = {"id": "1", "function": {"name": "f", "arguments": "[" * depth + "]" * depth}}
        messages = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "b"},
        ]
        body = json.dumps({"model": "fake", "messages": messages, "max_tokens": 3})
        response = await api.send("/v1/chat/completions", body.encode())
        assert response.status_code in (200, 400), depth


async def test_a_tool_that_is_nested_too_deeply_is_named(api):
    parameters = b'{"a":' * 600 + b"1" + b"}" * 600
    body = (
        b'{"model":"fake","messages":[{"role":"user","content":"a"}],"tool_choice":"required",'
        b'"tools":[{"type":"function","function":{"name":"f","parameters":%s}}]}' % parameters
    )
    error = (await api.send("/v1/chat/completions", body)).json()["error"]
    assert (error["param"], error["message"]) == ("tools", "tools: it is nested too deeply")
