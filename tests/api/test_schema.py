"""The schema says what there is: every path, every method, every field that is read."""

import json

import pytest
import yaml
from django.urls import URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate

from inference.api.openapi.components import short_name
from inference.api.openapi.inspector import Inspector
from inference.api.openapi.views import in_json
from inference.api.schemas import ChatCompletionRequest, CompletionRequest
from inference.api.views import ModelsView

API_URLS = "llmsite.api_urls"
ABOUT_ITSELF = "/api/schema/"
PARAMETERS = {
    "<uuid:receipt>": "{receipt}",
    "<any:name>": "{name}",
    "<str:slug>": "{slug}",
    "<str:response_id>": "{response_id}",
    "<str:session_id>": "{session_id}",
}
SCHEMA = json.loads(in_json())
PATHS = SCHEMA["paths"]
COMPONENTS = SCHEMA["components"]["schemas"]
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in PATHS.items()
    for method, operation in methods.items()
]


def patterns(resolver=None, prefix="/"):
    for pattern in (resolver or get_resolver(API_URLS)).url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, path)
        elif "^" not in path and path != ABOUT_ITSELF:
            yield path, pattern.callback.cls


def templated(path):
    for written, name in PARAMETERS.items():
        path = path.replace(written, name)
    return path


def methods_of(view):
    return {m.lower() for m in view().allowed_methods} - {"options", "head"}


def at(*steps):
    found = SCHEMA
    for step in steps:
        found = found[step]
    return found


def followed(schema):
    """What a reference leads to."""
    return COMPONENTS[schema["$ref"].rpartition("/")[2]]


def body_of(path, method="post"):
    return followed(
        at("paths", path, method, "requestBody", "content", "application/json")["schema"]
    )


def answer_of(path, status="200", media="application/json", method="post"):
    return at("paths", path, method, "responses", status, "content", media, "schema")


def test_it_has_every_path_with_every_method():
    there_are = {templated(path): methods_of(view) for path, view in patterns()}

    assert {path: {*methods} for path, methods in PATHS.items()} == there_are
    assert {"/v1/chat/completions", "/v1/admin/models/{slug}", "/sessions"} <= {*PATHS}


def test_it_is_valid_and_nothing_in_it_was_guessed():
    GENERATOR_STATS.reset()
    SchemaGenerator(urlconf=API_URLS).get_schema(public=True)

    assert not GENERATOR_STATS
    validate(SCHEMA)


def test_every_component_is_used():
    text = json.dumps(SCHEMA)

    assert [name for name in COMPONENTS if f'schemas/{name}"' not in text] == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_says_what_it_does_and_how_it_fails(operation):
    failures = {status for status in operation["responses"] if status >= "400"}

    assert operation["summary"]
    assert failures >= {"500", "503"}
    for status in failures:
        assert operation["responses"][status]["content"]["application/json"]["schema"]["$ref"]


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for [operation] in (param.values for param in OPERATIONS)]

    assert len({*names}) == len(names)
    assert "get_v1_models_by_name" in names


@pytest.mark.parametrize(
    ("path", "model"),
    [("/v1/chat/completions", ChatCompletionRequest), ("/v1/completions", CompletionRequest)],
)
def test_every_field_of_a_request_is_in_it(path, model):
    assert body_of(path)["properties"].keys() == model.model_fields.keys()


def test_null_means_absent_but_for_what_is_required():
    fields = body_of("/v1/chat/completions")["properties"]

    assert {"type": "null"} in fields["stream"]["anyOf"]
    assert {"type": "null"} in fields["temperature"]["anyOf"]
    assert "anyOf" not in fields["model"]


def test_a_stream_is_another_media_type_of_the_same_answer():
    path = "/v1/chat/completions"

    assert answer_of(path)["$ref"].endswith("/ChatCompletion")
    assert answer_of(path, media="text/event-stream")["$ref"].endswith("/ChatCompletionChunk")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/embeddings", "Error"),
        ("/v1/messages", "AnthropicError"),
        ("/completions", "OlderError"),
        ("/chat/completions", "EitherError"),
    ],
)
def test_errors_are_those_of_the_dialect(path, error):
    assert answer_of(path, "429")["$ref"].endswith(f"/{error}")


def test_keys_are_sent_in_one_of_two_ways_and_probes_need_none():
    assert at("components", "securitySchemes").keys() == {"bearer", "x-api-key"}
    assert at("paths", "/v1/models", "get")["security"][:2] == [{"bearer": []}, {"x-api-key": []}]
    assert "security" not in at("paths", "/health", "get")


@pytest.mark.parametrize(
    ("path", "has_key"),
    [("/v1/messages", True), ("/chat/completions", True), ("/v1/tokenize", False)],
)
def test_it_says_where_an_idempotency_key_is_read(path, has_key):
    names = {parameter["name"] for parameter in at("paths", path, "post").get("parameters", ())}

    assert ("Idempotency-Key" in names) == has_key


def test_models_of_one_name_have_their_modules_before_it():
    assert short_name("inference__api__anthropic__bodies__Message") == "BodiesMessage"
    assert short_name("Tool") == "Tool"


def test_a_view_that_says_nothing_is_named():
    inspector = Inspector()
    inspector.view, inspector.method, inspector.path = ModelsView(), "OPTIONS", "/v1/models"

    with pytest.raises(LookupError, match="OPTIONS /v1/models"):
        _ = inspector.operation


# Served


async def test_it_is_served_as_json_and_as_yaml(api):
    as_json = await api.get(ABOUT_ITSELF)
    as_yaml = await api.get(ABOUT_ITSELF + "?format=yaml")

    assert as_json["content-type"] == "application/vnd.oai.openapi+json"
    assert as_yaml["content-type"] == "application/yaml"
    assert as_json.json() == yaml.safe_load(as_yaml.content) == SCHEMA


@pytest.mark.parametrize(
    ("accept", "is_yaml"),
    [
        ("application/yaml", True),
        ("application/vnd.oai.openapi", False),
        ("application/json,*/*", False),
        ("application/yaml, application/json;q=0.5", False),
    ],
)
async def test_who_accepts_yaml_alone_gets_that(api, accept, is_yaml):
    response = await api.get(ABOUT_ITSELF, accept=accept)

    assert (response["content-type"] == "application/yaml") == is_yaml
