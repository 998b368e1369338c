"""Programs' requests take the short way, and lose nothing on it."""

import httpx
import pytest
from django.urls import get_resolver

from llmsite.api_handler import ApiHandler, ByPath
from llmsite.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "is_for_programs"),
    [
        ("/v1/chat/completions", True),
        ("/v1/whatever", True),
        ("/chat/completions", True),
        ("/completions", True),
        ("/models/a/b", True),
        ("/health", True),
        ("/metrics", True),
        ("/", False),
        ("/admin/", False),
        ("/accounts/keys/", False),
        ("/static/css/site.css", False),
        ("/chat/", False),
        ("/v1", False),
    ],
)
def test_paths_tell_programs_from_people(path, is_for_programs):
    assert ByPath(ApiHandler(), ApiHandler()).is_for_programs(path) is is_for_programs


def test_pages_keep_their_middleware(settings):
    everything = [*settings.MIDDLEWARE]
    ApiHandler()
    assert everything == settings.MIDDLEWARE


async def test_an_answer_of_the_api_has_its_id_and_its_security_headers(client):
    response = await client.get("/health")
    assert response.status_code == 200
    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in response.headers


async def test_requests_without_tls_are_sent_to_it_where_there_is_tls(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    handler = ApiHandler()
    transport = httpx.ASGITransport(handler)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as plain:
        response = await plain.get("/v1/models")
    assert (response.status_code, response.headers["location"]) == (
        301,
        "https://127.0.0.1/v1/models",
    )


async def test_requests_are_counted_by_view(client):
    async def counted():
        text = (await client.get("/metrics")).text
        name = 'django_http_responses_total_by_status_view_method_total{method="GET",status="200"'
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return [float(line.split()[-1]) for line in lines if 'view="health"' in line]

    await client.get("/health")
    (before,) = await counted()
    await client.get("/health")
    assert await counted() == [before + 1]


def test_every_route_of_the_api_is_there():
    routed = {str(pattern.pattern) for pattern in get_resolver("inference.api.urls").url_patterns}
    assert {"v1/chat/completions", "v1/usage", "health", "metrics"} <= routed
