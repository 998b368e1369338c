"""The schema, for programs and for the page that shows it."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from rest_framework.request import Request

from inference.api.health import ProbeView

JSON = "application/vnd.oai.openapi+json"
YAML = "application/yaml"


class SchemaView(ProbeView):
    """Open to anybody: it is the same everywhere, and tells nothing about anyone.

    YAML for `?format=yaml`, or for whoever accepts that and no JSON.
    """

    schema = None  # of itself it says nothing

    def get(self, request: Request) -> HttpResponse:
        if is_for_yaml(request):
            return HttpResponse(in_yaml(), content_type=YAML)
        return HttpResponse(in_json(), content_type=JSON)


def is_for_yaml(request: Request) -> bool:
    if "format" in request.query_params:
        return bool(request.query_params["format"] == "yaml")
    accepted = request.headers.get("accept", "")
    return "yaml" in accepted and "json" not in accepted


@cache
def schema() -> dict[str, Any]:
    """Of all that is under `llmsite.api_urls`; made once, since nothing in it changes."""
    made: dict[str, Any] = SchemaGenerator(urlconf="llmsite.api_urls").get_schema(public=True)
    return made


@cache
def in_json() -> bytes:
    rendered: bytes = OpenApiJsonRenderer().render(schema())
    return rendered


@cache
def in_yaml() -> bytes:
    rendered: bytes = OpenApiYamlRenderer().render(schema())
    return rendered
