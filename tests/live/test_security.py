"""What only a real server shows of who is let in, and with how much."""

import json
import socket
from contextlib import suppress

import httpx
import psutil
import pytest

from inference.api.refusals import RequestTooLarge
from inference.failures import INVALID, envelope

from .server import eventually

LIMIT = 10 * 2**20
HUGE = 200 * 2**20
MB = b"x" * 2**20
GROWTH = 32 * 2**20  # bytes that a server may grow by, whatever it is sent

HEAD = "POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.fixture
def connection(server):
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        yield sock


def answer(sock):
    """Status and body of what comes until the server hangs up."""
    head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.count(b"HTTP/1.1") == 1
    return int(head.split()[1]), json.loads(body)


def send_megabytes(sock, count, frame="%b"):
    """As many as the server takes."""
    with suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(count):
            sock.sendall(frame.encode() % MB)


@pytest.fixture
def steady(server):
    """The server's memory stays where it is, and it goes on."""
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < GROWTH
    request = {"model": "fake", "prompt": "a"}
    assert httpx.post(f"{server.url}/v1/completions", json=request).status_code == 200


@pytest.mark.usefixtures("steady")
def test_200_mb_with_a_length_are_refused(connection):
    connection.sendall(f"{HEAD}content-length: {HUGE}\r\n\r\n".encode())
    send_megabytes(connection, 200)
    assert answer(connection)[0] == 413


@pytest.mark.usefixtures("steady")
def test_200_mb_in_chunks_are_refused(connection):
    connection.sendall(f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode())
    send_megabytes(connection, 200, "100000\r\n%b\r\n")
    assert answer(connection)[0] == 413


def test_the_refusal_of_a_body_comes_before_it_and_is_the_apis(connection):
    connection.sendall(
        f"{HEAD}content-length: {LIMIT + 1}\r\nexpect: 100-continue\r\n\r\n".encode()
    )
    said = f"The request is larger than {LIMIT} bytes (rule limits.max_body_mb of the server)."
    expected = envelope(said, INVALID, RequestTooLarge.default_code)
    assert answer(connection) == (RequestTooLarge.status_code, expected)


def test_a_body_as_large_as_the_limit_is_read(server):
    body = b'{"model": "fake", "prompt": ""}'
    response = httpx.post(f"{server.url}/v1/completions", content=body.ljust(LIMIT))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "prompt")


def test_who_does_not_hang_up_after_a_refusal_is_hung_up_on(server, connection):
    connection.sendall(f"{HEAD}content-length: {HUGE}\r\n\r\n".encode())
    assert answer(connection)[0] == 413
    address = connection.getsockname()
    process = psutil.Process(server.process.pid)

    def is_open():
        return address in [c.raddr for c in process.net_connections()]

    assert is_open()
    eventually(lambda: not is_open(), "the connection is closed")


def test_a_body_is_refused_before_the_key_is_asked_for(make_server):
    server = make_server(LLMSITE_SECURITY__ENABLE_AUTH="true", LLMSITE_LIMITS__MAX_BODY_MB="0.001")
    url = f"{server.start().url}/v1/completions"
    assert httpx.post(url, content=b" " * 1049).status_code == 413
    assert httpx.post(url, content=b" " * 1048).status_code == 401
