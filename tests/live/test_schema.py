"""Requests made from the schema, right and wrong ones: none makes the service fail.

`SCHEMA_EXAMPLES=200 pytest tests/live/test_schema.py` tries more of them, at random.
"""

import json
import os

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from inference.api.openapi.operation import EVENTS
from inference.api.openapi.views import in_json

from .server import Server

KEY = "a-key-of-the-configuration"
NUM_EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "0"))
SCHEMA = json.loads(in_json())


def event_conformance(context, response, case):
    """The schema of a stream is that of each event's data, as OpenAI's own document has it;
    schemathesis would have it of the event.
    """
    if response.headers["content-type"][0].partition(";")[0] != EVENTS:
        return response_schema_conformance(context, response, case)
    answer = case.operation.definition.raw["responses"][str(response.status_code)]
    schema = {**answer["content"][EVENTS]["schema"], "components": SCHEMA["components"]}
    for data in data_of(response.text):
        jsonschema.validate(data, schema)
    return None


def data_of(text):
    """Of each event: JSON where it is an object. The end and errors have schemas of their own."""
    for event in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line.removeprefix("data:") for line in event.split("\n") if line[:5] == "data:"]
        data = "\n".join(lines)
        told = json.loads(data) if data.startswith(" {") else data
        is_error = isinstance(told, dict) and "error" in told and "type" not in told
        if lines and data.strip() != "[DONE]" and not is_error:
            yield told


CHECKS = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, event_conformance),
]
# What would only make an answer long, or compute it many times.
COSTLY = ["max_completion_tokens", "ignore_eos", "min_tokens", "n", "best_of"]

schema = schemathesis.openapi.from_dict(SCHEMA)
schema.config.phases.coverage.enabled = bool(NUM_EXAMPLES)


@pytest.fixture(scope="module")
def service(tmp_path_factory, gguf):
    """One that asks for keys and limits nothing."""
    server = Server(
        tmp_path_factory.mktemp("schema"),
        {"fake": gguf},
        FAKE_STEP_SECONDS="0",
        LLMSITE_SECURITY__ENABLE_AUTH="true",
        LLMSITE_SECURITY__API_KEYS=json.dumps([KEY]),
        LLMSITE_LIMITS__DEFAULT_RATE_LIMIT_PER_MINUTE="0",
    )
    try:
        yield server.start()
    finally:
        server.stop()


def made_askable(body):
    """The same, of a model that there is, and for a short answer."""
    if not isinstance(body, dict):
        return body
    short = {"model": "fake", "model-name": "fake", "max_tokens": 2, "max-token": 2}
    kept = {name: value for name, value in body.items() if name not in COSTLY}
    return {**kept, **{name: short[name] for name in short if is_right(kept, name)}}


def is_right(body, name):
    """Whether the field is there and right: what is wrong stays so."""
    value = body.get(name)
    return isinstance(value, str if "model" in name else int) and not isinstance(value, bool)


@schema.parametrize()
@settings(
    max_examples=NUM_EXAMPLES or 5,
    derandomize=not NUM_EXAMPLES,
    phases=[Phase.generate],  # a failure is shown as it came: to make it small takes minutes
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
def test_no_request_makes_it_fail(case, service):
    case.body = made_askable(case.body)
    response = case.call(
        base_url=service.url, headers={"authorization": f"Bearer {KEY}"}, timeout=60
    )
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize("path", ["/completions", "/v1/completions"])
def test_events_are_looked_at(path, service):
    case = schema[path]["POST"].Case(
        body={"model": "fake", "prompt": "a b\nc", "stream": True}, media_type="application/json"
    )
    response = case.call(base_url=service.url, headers={"authorization": f"Bearer {KEY}"})
    case.validate_response(response, checks=CHECKS)

    assert len([*data_of(response.text)]) >= 1
