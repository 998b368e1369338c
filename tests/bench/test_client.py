import asyncio

import pytest

from bench.serving.client import Address, Refused
from bench.serving.question import Question
from bench.serving.server import BenchError, piece_of


@pytest.fixture
async def serve():
    """A listener that answers every request with those bytes, in those portions."""
    servers = []

    async def start(*portions: bytes) -> tuple[Address, list[bytes]]:
        seen: list[bytes] = []

        async def answer(reader, writer):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            for portion in portions:
                writer.write(portion)
                await writer.drain()
                await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        servers.append(server)
        return Address(server.sockets[0].getsockname()[1]), seen

    yield start
    for server in servers:
        server.close()


HEAD = b"HTTP/1.1 200 OK\r\n"


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def events(address):
    return [event async for event in address.events("/v1", {"a": 1}, {"X-Key": "k"})]


async def test_events_come_out_of_chunks_that_cut_lines(serve):
    body = chunked(b'data: {"n"', b': 1}\n\n: ping\n\ndata: {"n": 2}\r\n\r\n', b"data: [DONE]\n\n")
    address, seen = await serve(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", body)

    assert await events(address) == [{"n": 1}, {"n": 2}]
    assert seen[0].startswith(b"POST /v1 HTTP/1.1\r\n")
    assert b"X-Key: k\r\n" in seen[0]


async def test_events_may_end_with_the_connection(serve):
    address, _ = await serve(HEAD + b"\r\n", b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n')

    assert await events(address) == [{"n": 1}, {"n": 2}]


async def test_what_is_not_200_is_refused_with_its_text(serve):
    address, _ = await serve(b"HTTP/1.1 429 No\r\nContent-Length: 4\r\n\r\nbusy")

    with pytest.raises(Refused, match="HTTP 429: busy") as refused:
        await events(address)
    assert refused.value.status == 429


async def test_a_stream_that_breaks_within_a_chunk_is_an_error(serve):
    address, _ = await serve(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"ff\r\ndata")

    with pytest.raises(EOFError):
        await events(address)


def test_a_piece_has_the_text_or_the_tokens_that_were_counted():
    assert piece_of({"choices": [{"delta": {"content": "a"}}]}).text == "a"
    assert piece_of({"choices": [{"delta": {"role": "assistant"}}]}).text == ""
    assert piece_of({"choices": [], "usage": {"completion_tokens": 3}}).tokens == 3


def test_an_error_within_a_stream_is_raised():
    with pytest.raises(BenchError, match="died"):
        piece_of({"error": {"message": "died"}})


def test_all_servers_are_asked_for_the_same():
    body = Question(({"role": "user", "content": "x"},), 5, seed=3).body("bench")

    assert (body["max_tokens"], body["temperature"], body["seed"]) == (5, 0.0, 3)
    assert body["ignore_eos"] is body["stream"] is True
