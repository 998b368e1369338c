"""The examples of docs/api.md do what the schema says, each as it is written."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from inference import fetching
from inference.api.openapi.views import in_json
from inference.models import LanguageModel, Task
from tests.curl import Curl, curls

from .client import Api, body_of

DOCS = Path(__file__).resolve().parents[2] / "docs/api.md"
KEY = "a-key-of-the-configuration"
URL = "http://127.0.0.1:8000"
EXAMPLES = [*curls(DOCS.read_text(), URL=URL, KEY=KEY)]
SCHEMA = json.loads(in_json())
# What an example takes from an answer before it, and the field that has it.
TAKEN = {"$RESPONSE": "id", "$RECEIPT": "receipt"}

MODELS = {
    "smollm2-135m-instruct": Task.GENERATE,
    "bge-small": Task.EMBED,
    "reranker": Task.RERANK,
}


@pytest.fixture
def as_documented(configure, settings, monkeypatch, transactional_db, fake_engines):
    """The models that the examples name, on engines that need no weights, and no network."""
    configure(security={"enable_auth": True, "api_keys": [KEY]})
    monkeypatch.setattr(fetching, "start", fetched)
    for slug, task in MODELS.items():
        file = f"/{slug}.gguf"
        LanguageModel.objects.create(slug=slug, source=f"file://{file}", file=file, file_task=task)


def fetched(row):
    LanguageModel.objects.filter(pk=row.pk).update(file="/fetched.gguf")


def operation_of(example: Curl):
    """Its path in the schema, and what that says of it."""
    fits = [path for path in SCHEMA["paths"] if pattern_of(path).fullmatch(example.path)]
    path = min(fits, key=lambda path: path.count("{"))
    return path, SCHEMA["paths"][path][example.method.lower()]


def pattern_of(path):
    return re.compile(re.sub(r"{\w+}", "[^/]+", path))


def is_valid(value, schema):
    """Where the schema is used in the document, for what it refers to."""
    jsonschema.validate(value, {**schema, "components": SCHEMA["components"]})


def check_events(text, schema):
    events = [line.removeprefix("data:") for line in text.splitlines() if line[:5] == "data:"]
    assert events
    for event in events:
        if event.strip() != "[DONE]":
            is_valid(json.loads(event) if event.startswith(" {") else event, schema)


def check(response, text, operation):
    """That the answer is one that the schema has."""
    answer = operation["responses"][str(response.status_code)]
    assert response.status_code < 300
    if "content" not in answer:
        assert text == ""
        return
    media = response["content-type"].partition(";")[0]
    schema = answer["content"][media]["schema"]
    match media:
        case "application/json":
            is_valid(json.loads(text), schema)
        case "text/event-stream":
            check_events(text, schema)
        case _:
            assert text


@pytest.mark.usefixtures("as_documented")
async def test_every_example_answers_what_the_schema_says():
    taken = {}
    for example in EXAMPLES:
        api = Api()
        url = example.url
        for name, value in taken.items():
            url = url.replace(name, value)
        response = await api._client.generic(
            example.method,
            url.removeprefix(URL),
            example.body,
            headers={"authorization": f"Bearer {KEY}", **example.headers},
        )
        text = await body_of(response)
        try:
            check(response, text, operation_of(example)[1])
        except (AssertionError, KeyError, jsonschema.ValidationError) as error:
            raise AssertionError(f"{example}\n{response.status_code} {text}") from error
        if text.startswith("{"):
            said = json.loads(text)
            taken |= {n: said[field] for n, field in TAKEN.items() if field in said}


def test_every_operation_has_an_example():
    shown = {(operation_of(example)[0], example.method) for example in EXAMPLES}
    there_are = {
        (path, method.upper()) for path, methods in SCHEMA["paths"].items() for method in methods
    }

    assert there_are <= shown


def test_a_command_becomes_a_request():
    text = "```sh\ncurl -X PUT $URL/a -H 'X-Key: 1'\ncurl -N \"$URL/b?c=d\" -d '{\n}'\n```\n"

    assert [*curls(text, URL="http://x")] == [
        Curl("PUT", "http://x/a", {"x-key": "1"}, ""),
        Curl("POST", "http://x/b?c=d", {}, "{\n}"),
    ]
