"""The collection for Postman says what the schema says."""

import json
from pathlib import Path

import jsonschema
import pytest

from inference.api.openapi.postman import collection
from inference.api.openapi.views import in_json

SCHEMA = json.loads(in_json())
MADE = collection(SCHEMA)
FILE = Path(__file__).resolve().parents[2] / "docs/postman.json"
BODIES = [
    pytest.param(operation["requestBody"]["content"]["application/json"], id=operation["summary"])
    for methods in SCHEMA["paths"].values()
    for operation in methods.values()
    if "requestBody" in operation
]


def requests():
    return [item["request"] for folder in MADE["item"] for item in folder["item"]]


def test_the_file_is_up_to_date():
    assert json.loads(FILE.read_text()) == MADE, "run `make collection`"


def test_it_has_every_operation():
    asked = sorted((r["method"], "/" + "/".join(r["url"]["path"])) for r in requests())

    assert asked == sorted(
        (method.upper(), path.replace("{", ":").replace("}", ""))
        for path, methods in SCHEMA["paths"].items()
        for method in methods
    )


@pytest.mark.parametrize("content", BODIES)
def test_every_example_is_valid(content):
    jsonschema.validate(
        content["example"], {**content["schema"], "components": SCHEMA["components"]}
    )


def test_parts_of_a_path_are_postmans_parameters():
    [request] = [r for r in requests() if r["url"]["raw"].endswith("/v1/models/:name")]

    assert request["url"]["variable"] == [{"key": "name", "value": ""}]


def test_probes_are_asked_without_a_key():
    open_to_all = {r["url"]["raw"] for r in requests() if "auth" in r}

    assert open_to_all == {"{{url}}/health", "{{url}}/readiness"}
