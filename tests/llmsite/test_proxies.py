from types import SimpleNamespace

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import override_settings

from accounts.addresses import client_address
from llmsite.proxies import BelievedProxies
from llmsite.sections import Server

PROXY = "10.0.0.1"
STRANGER = "203.0.113.9"
FORWARDED = {
    b"x-forwarded-for": b"198.51.100.7",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"evil.example",
    b"X-Forwarded-Port": b"443",
    b"forwarded": b"for=198.51.100.7",
    b"x-real-ip": b"198.51.100.7",
}
OTHERS = {b"host": b"testserver", b"x-api-key": b"k"}


@pytest.fixture(autouse=True)
def configured():
    with public_url(""):
        yield


def public_url(url):
    server = Server(trusted_proxies=["10.0.0.0/8"], public_url=url)
    return override_settings(CONFIG=SimpleNamespace(server=server))


async def seen(peer, headers, **scope):
    """The scope that reaches the application."""
    scopes = []

    async def application(scope, receive, send):
        scopes.append(scope)

    client = [peer, 1234] if peer else None
    lines = list(headers.items()) if isinstance(headers, dict) else headers
    asked = {"type": "http", "scheme": "http", "client": client, "headers": lines, **scope}
    await BelievedProxies(application)(asked, None, None)
    return scopes[0]


async def scheme(peer, proto=None, **scope):
    headers = {} if proto is None else {b"x-forwarded-proto": proto}
    return (await seen(peer, headers, **scope))["scheme"]


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", None])
async def test_what_strangers_forward_does_not_arrive(peer):
    scope = await seen(peer, OTHERS | FORWARDED)
    assert dict(scope["headers"]) == OTHERS
    assert scope["scheme"] == "http"


async def test_what_a_trusted_proxy_forwards_does():
    scope = await seen(PROXY, OTHERS | FORWARDED)
    assert dict(scope["headers"]) == OTHERS | FORWARDED
    assert scope["scheme"] == "https"


async def test_django_finds_the_client_in_several_lines():
    lines = [(b"x-forwarded-for", value) for value in (b"1.1.1.1, 2.2.2.2", b"10.0.0.3")]
    scope = await seen(PROXY, lines, method="GET", path="/")
    assert client_address(ASGIRequest(scope, None)) == "2.2.2.2"


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        *((b"https", "https"), (b"HTTPS ", "https"), (b"http", "http"), (b"", "http")),
        *(
            (b"http, https", "https"),
            (b"https, http", "http"),
            (b"gopher", "http"),
            (b"on", "http"),
        ),
    ],
)
async def test_a_trusted_proxys_own_word_is_the_last(proto, expected):
    assert await scheme(PROXY, proto) == expected


async def test_the_last_of_several_lines_counts():
    lines = [(b"x-forwarded-proto", value) for value in (b"https", b"http")]
    assert (await seen(PROXY, lines))["scheme"] == "http"


@pytest.mark.parametrize(("proto", "expected"), [(b"https", "wss"), (b"wss", "wss"), (None, "ws")])
async def test_sockets_have_schemes_of_their_own(proto, expected):
    assert await scheme(PROXY, proto, type="websocket", scheme="ws") == expected


async def test_without_a_word_a_request_came_as_people_are_told_to():
    with public_url("https://llm.example.org"):
        assert await scheme(PROXY) == await scheme(STRANGER) == "https"
        assert await scheme(STRANGER, b"http") == "https"
        assert await scheme(PROXY, b"http") == "http"
        assert await scheme(PROXY, type="websocket", scheme="ws") == "wss"


async def test_a_server_that_speaks_tls_itself_is_believed():
    assert await scheme(STRANGER, scheme="https") == "https"


async def test_a_server_that_names_no_scheme_speaks_http():
    assert await scheme(STRANGER, scheme=None) == "http"


async def test_what_is_no_request_passes_untouched():
    assert await seen(None, {}, type="lifespan") == {
        "type": "lifespan",
        "scheme": "http",
        "client": None,
        "headers": [],
    }
