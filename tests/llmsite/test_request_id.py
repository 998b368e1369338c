import asyncio
import re
from http import HTTPStatus

import pytest
import structlog
from asgiref.sync import iscoroutinefunction
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings
from django.urls import path
from structlog.testing import capture_logs

from llmsite.request_id import RequestIdMiddleware

GENERATED = re.compile(r"req_[0-9a-f]{32}")


@pytest.fixture
def lines():
    with capture_logs() as lines:
        yield lines
    structlog.contextvars.clear_contextvars()


def get(request, status=HTTPStatus.OK):
    """The response to a request, sent and closed as a server does."""
    response = RequestIdMiddleware(lambda _: HttpResponse(status=status))(request)
    response.close()
    return response


def get_path(path, **headers):
    return get(RequestFactory().get(path, headers=headers))


# --- the id


def test_every_response_has_an_id():
    first, second = get_path("/"), get_path("/")
    assert GENERATED.fullmatch(first["x-request-id"])
    assert first["x-request-id"] != second["x-request-id"]


@pytest.mark.parametrize("given", ["a", "Trace-1.2_3", "x" * 64])
def test_the_clients_id_is_taken(given):
    assert get_path("/", **{"x-request-id": given})["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\n", 'a"', "é", "a/b", "{}"])
def test_an_id_that_could_do_harm_is_not_taken(given):
    assert GENERATED.fullmatch(get_path("/", **{"x-request-id": given})["x-request-id"])


def test_the_view_and_its_log_lines_know_it():
    seen = []

    def view(request):
        seen.extend([request.request_id, structlog.contextvars.get_contextvars()["request_id"]])
        return HttpResponse()

    response = RequestIdMiddleware(view)(RequestFactory().get("/"))
    assert seen == [response["x-request-id"]] * 2


def test_one_request_leaves_nothing_to_the_next():
    structlog.contextvars.bind_contextvars(user="alice")
    get_path("/")
    assert "user" not in structlog.contextvars.get_contextvars()


# --- the line


def test_a_request_is_one_line(lines):
    response = get(RequestFactory().post("/v1/chat?key=secret"), HTTPStatus.CREATED)
    [line] = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": response["x-request-id"],
        "method": "POST",
        "path": "/v1/chat",
        "status": 201,
    }


@pytest.mark.parametrize("path", ["/health", "/readiness", "/metrics"])
def test_what_is_polled_is_for_debugging(lines, path):
    get_path(path)
    assert [line["log_level"] for line in lines] == ["debug"]


def test_a_path_cannot_forge_a_line(lines):
    get_path("/a%0aGET%1b[2J")
    assert lines[0]["path"] == "/a%0AGET%1B%5B2J"


# --- without a thread


async def test_an_async_view_needs_no_thread(lines):
    async def view(request):
        return HttpResponse(request.request_id)

    middleware = RequestIdMiddleware(view)
    assert iscoroutinefunction(middleware)
    response = await middleware(AsyncRequestFactory().get("/"))
    response.close()
    assert response.content.decode() == response["x-request-id"] == lines[0]["request_id"]


def test_a_sync_view_stays_sync():
    assert not iscoroutinefunction(RequestIdMiddleware(lambda _: HttpResponse()))


async def test_a_client_that_leaves_before_the_answer_is_logged(lines):
    async def view(request):
        await asyncio.Event().wait()

    task = asyncio.create_task(RequestIdMiddleware(view)(AsyncRequestFactory().get("/")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(line["status"], line["path"]) for line in lines] == [(499, "/")]


# --- streams, through Django's own handler


async def stream(request):
    """Says the id its log lines would have, and goes on until the test says so."""

    async def parts():
        yield structlog.contextvars.get_contextvars()["request_id"]
        await request.scope["may_end"].wait()

    return StreamingHttpResponse(parts())


urlpatterns = [path("stream", stream)]


@pytest.fixture
def client():
    """Someone who asks for `/stream`, over ASGI."""
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=["llmsite.request_id.RequestIdMiddleware"]
    ):
        scope = {"type": "http", "method": "GET", "path": "/stream", "headers": []}
        scope["may_end"] = asyncio.Event()
        yield ApplicationCommunicator(ASGIHandler(), scope)


async def test_a_stream_knows_the_id_and_is_logged_at_its_end(client, lines):
    await client.send_input({"type": "http.request"})
    start = await client.receive_output()
    part = await client.receive_output()
    assert part["body"] == dict(start["headers"])[b"x-request-id"]
    assert lines == []
    client.scope["may_end"].set()
    await client.receive_output()
    await client.wait()
    assert [line["request_id"].encode() for line in lines] == [part["body"]]


async def test_a_stream_whose_client_leaves_is_logged(client, lines):
    await client.send_input({"type": "http.request"})
    await client.receive_output()
    await client.receive_output()
    await client.send_input({"type": "http.disconnect"})
    await client.wait()
    assert [(line["path"], line["status"]) for line in lines] == [("/stream", 200)]
