"""What a client may cost on a socket: it sends too fast, or reads nothing."""

import base64
import json
import socket
import struct
import time
from contextlib import suppress

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .chat_client import chatting
from .server import Server, eventually


def address(server: Server) -> str:
    return f"{server.url.replace('http', 'ws')}/ws/chat/"


def opened(server: Server) -> socket.socket:
    """A socket of a client that does no more than the handshake."""
    plain = socket.create_connection(("127.0.0.1", server.port))
    key = base64.b64encode(b"x" * 16).decode()
    plain.sendall(
        f"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "\r\n".encode()
    )
    assert plain.recv(1000).startswith(b"HTTP/1.1 101")
    return plain


def frame(**fields: object) -> bytes:
    """Of 126 to 65,535 bytes, masked with nothing."""
    body = json.dumps(fields).encode().ljust(126)
    return b"\x81" + struct.pack("!BH", 0x80 | 126, len(body)) + bytes(4) + body


def test_a_client_that_sends_too_fast_is_cut_off(server):
    with connect(address(server)) as client, suppress(ConnectionClosed):
        for _ in range(2000):
            client.send(json.dumps({"type": "leave", "conversation": "0" * 32}))

    eventually(lambda: "too many frames" in server.stderr, "the log says so")


def test_a_client_that_reads_nothing_is_cut_off_and_costs_little(make_server):
    server = make_server().start()
    with chatting(server) as client:
        client.say("send", text="one")
        accepted = client.hear_until("accepted")
        client.hear_until("done")
    long = "Message.objects.filter(role='assistant').update(text='word ' * 200_000)"
    server.manage("shell", "--no-imports", "-c", f"from chat.models import Message; {long}")
    resume = frame(
        type="resume", conversation=accepted["conversation"], message=accepted["message"]
    )
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss

    with opened(server) as plain, suppress(ConnectionError):
        for _ in range(100):
            plain.sendall(resume)
            time.sleep(0.06)  # as fast as is allowed

    assert process.memory_info().rss - before < 64 * 2**20
    eventually(lambda: "reads too slowly" in server.stderr, "the log says so")
