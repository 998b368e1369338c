"""Clients that read badly, or not at all, hold neither memory nor sequences."""

import json
import socket
from contextlib import ExitStack

import psutil
import pytest

from .server import eventually

NUM_CLIENTS = 8
# An answer to it has no end that anybody waits for: some 80 MB, in eighty seconds.
BODY = {
    "model": "fake",
    "prompt": "x" * 20_000,
    "stream": True,
    "ignore_eos": True,
}
SAID = {"event": "connection closed: its client does not read its answer"}
MIB = 2**20


@pytest.fixture
def strict(make_server):
    """One that has little patience with them."""
    return make_server(LLMSITE_SERVER__SLOW_CLIENT_SECONDS="2").start()


def asked(server, **fields):
    """A connection on which an answer has begun, with next to no buffer of its own."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(30)
    sock.connect(("127.0.0.1", server.port))
    body = json.dumps(BODY | fields).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    sock.sendall(head.encode() + body)
    assert sock.recv(12) == b"HTTP/1.1 200"
    return sock


def memory(server):
    return psutil.Process(server.process.pid).memory_info().rss


def num_hung_up(server):
    return len(server.log_lines(**SAID))


def test_who_never_reads_is_hung_up_on_and_costs_little_until_then(strict):
    with asked(strict, max_tokens=1):  # the engine is there
        eventually(strict.is_idle, "nothing runs")
    before = memory(strict)
    with ExitStack() as stack:
        for _ in range(NUM_CLIENTS):
            stack.enter_context(asked(strict))
        eventually(lambda: num_hung_up(strict) == NUM_CLIENTS, "all are hung up on")
        most = memory(strict) - before
    eventually(strict.is_idle, "nothing runs")
    assert most < NUM_CLIENTS * 16 * MIB


def test_who_reads_slowly_keeps_its_answer(strict):
    with asked(strict, max_tokens=200) as sock:  # 4 MB, in some four seconds
        text = b""
        while b"[DONE]" not in text[-100:]:
            text += sock.recv(65536)
    assert num_hung_up(strict) == 0
    assert text.count(b"x" * 20_000) >= 150


def test_half_of_a_connection_is_no_client(strict):
    with asked(strict) as sock:
        sock.shutdown(socket.SHUT_WR)
        eventually(strict.is_idle, "nothing runs")


def test_rubbish_behind_a_request_is_not_kept(strict):
    before = memory(strict)
    with asked(strict) as sock:
        with pytest.raises(OSError, match=r"reset|timed out|pipe"):
            sock.sendall(b"rubbish " * (256 * MIB // 8))
        assert memory(strict) - before < 64 * MIB
        eventually(strict.is_idle, "nothing runs")
