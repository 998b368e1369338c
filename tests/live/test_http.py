"""What only a real connection shows: framing, headers, and the log."""

import json
import socket

import httpx
import pytest

from .server import eventually

SECRET = "xyzzyplugh"


def body(prompt, **fields):
    return {"model": "fake", "prompt": prompt, **fields}


def raw(server, request):
    """Send the bytes, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        sock.sendall(request)
        parts = iter(lambda: sock.recv(65536), b"")
        return b"".join(parts)


@pytest.mark.parametrize("path", ["/v1/completions", "/completions"])
def test_a_chunked_body_without_a_length_is_read(server, path):
    content = json.dumps(body("a b")).encode()
    response = httpx.post(f"{server.url}{path}", content=iter([content[:10], content[10:]]))
    assert (response.status_code, "a b " in response.text) == (200, True)


def test_a_chunked_body_above_the_limit_is_413(server):
    parts = (b" " * 2**20 for _ in range(20))
    response = httpx.post(f"{server.url}/v1/completions", content=parts)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"


def test_a_body_of_20_mb_is_413_and_the_next_request_works(server):
    url = f"{server.url}/v1/completions"
    assert httpx.post(url, json=body("a" * 20_000_000)).status_code == 413
    assert httpx.post(url, json=body("a")).status_code == 200


def test_no_body_at_all_is_400(server):
    response = httpx.post(f"{server.url}/v1/completions")
    assert (response.status_code, response.json()["error"]["param"]) == (400, None)


def test_the_headers_of_a_stream_arrive_before_its_prompt_is_computed(make_server):
    """A client that gives up during prefill has the headers by then."""
    server = make_server(FAKE_STEP_SECONDS="0.3").start()
    # Other words each time: none of them is in the cache already.
    for path, word in (
        ("/v1/chat/completions", "a "),
        ("/v1/completions", "b "),
        ("/completions", "c "),
    ):
        fields = {"prompt": word * 4000, "messages": [{"role": "user", "content": word * 4000}]}
        request = {"model": "fake", "stream": True, "max_tokens": 1, **fields}
        with httpx.stream("POST", f"{server.url}{path}", json=request) as response:
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/event-stream"
            eventually(lambda: server.metric("llmsite_requests_running") == 1, "it runs")
        eventually(server.is_idle, "nothing runs")


@pytest.mark.parametrize(
    "lines",
    [
        "content-length: x",
        "content-length: -1",
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 2\r\ntransfer-encoding: chunked",
        "host: evil.example\r\ncontent-length: 2",
    ],
)
def test_framing_that_makes_no_sense_is_the_clients_fault(server, lines):
    head = f"POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{lines}"
    answer = raw(server, f"{head}\r\n\r\n{{}}".encode())
    assert answer.split()[:2] == [b"HTTP/1.1", b"400"]


def test_a_query_of_invalid_utf8_is_the_clients_fault(server):
    request = b"GET /v1/models?x=\xff HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    assert int(raw(server, request).split()[1]) < 500


def test_two_requests_on_one_connection_are_answered_in_order(server):
    with httpx.Client() as client:
        texts = [
            client.post(f"{server.url}/completions", json=body(prompt)).json()["text"]
            for prompt in ("a", "b")
        ]
    assert texts == ["a ", "b "]


def test_at_level_debug_no_line_repeats_what_was_asked(server):
    url = f"{server.url}/v1/chat/completions"
    chat = {"model": "fake", "messages": [{"role": "user", "content": f"{SECRET} a"}]}
    older = {"model-name": "fake", "prompt": SECRET, "system-prompt": SECRET}
    requests = [
        chat,
        {**chat, "stream": True},
        {**chat, "temperature": SECRET},
        {**chat, "stop": [SECRET] * 99},
        {**chat, "messages": [{"role": "user", "content": f"{SECRET} fail"}]},
        {**chat, "messages": [{"role": "user", "content": f"{SECRET} " * 5000}]},
        {**chat, "messages": [{"role": SECRET, "content": SECRET}]},
        {**older, "stream": True},
        {**older, "top-p": SECRET},
    ]
    statuses = [
        httpx.post(url.replace("/v1", ""), json=request, headers={"x-request-id": "debug-1"})
        for request in requests
    ]
    httpx.post(url, content=f'{{"prompt": "{SECRET}'.encode(), headers={"x-request-id": "debug-1"})
    assert [response.status_code for response in statuses].count(200) == 3
    eventually(lambda: len(server.log_lines(request_id="debug-1", event="request")) == 10, "lines")
    assert SECRET not in server.stderr
    assert SECRET not in server.stdout


def test_the_engines_line_about_a_failure_has_the_requests_id(server):
    headers = {"x-request-id": "trace-7"}
    httpx.post(f"{server.url}/v1/completions", json=body("fail"), headers=headers)
    named = {"request_id": "trace-7"}
    eventually(lambda: bool(server.log_lines(event="request", **named)), "it is logged")
    [edge] = server.log_lines(event="request", **named)
    [engine] = server.log_lines(logger="inference.engine.engine", **named)
    assert (edge["status"], engine["level"]) == (500, "error")


def test_a_request_that_started_an_engine_is_not_named_in_the_lines_of_others(make_server):
    server = make_server().start()
    url = f"{server.url}/v1/completions"
    httpx.post(url, json=body("a"), headers={"x-request-id": "first"})
    httpx.post(url, json=body("crash"), headers={"x-request-id": "second"})
    [death] = server.log_lines(event="engine died")
    assert death.get("request_id") != "first"
