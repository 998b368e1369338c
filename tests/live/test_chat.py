"""Answers outlive sockets and server processes."""

import os
import signal
import uuid

import psycopg
import pytest
import redis

from tests.environment import POSTGRES, REDIS
from tests.inference.gguf_maker import make_gguf

from .chat_client import chatting
from .server import Server

WORDS = [f"w{number}" for number in range(150)]
LONG = " ".join(WORDS)  # three seconds of answer
CHECKPOINTED = 300  # characters; by then a second has passed


def begun(client, text=LONG):
    client.say("send", text=text)
    accepted = client.hear_until("accepted")
    return {name: accepted[name] for name in ("conversation", "message")}


def test_an_answer_goes_on_without_a_socket_and_is_whole(server):
    with chatting(server) as client:
        ids = begun(client)
        client.hear_characters(ids["message"], 10)
    with chatting(server) as client:
        client.say("resume", **ids)
        assert client.hear_until("done")["status"] == "complete"

        assert client.texts[ids["message"]] == LONG + " "


def test_two_sockets_hear_the_same(server):
    with chatting(server) as one, chatting(server) as other:
        ids = begun(one)
        other.say("resume", **ids)
        one.hear_until("done")
        other.hear_until("done")

        assert one.texts == other.texts == {ids["message"]: LONG + " "}


def test_what_a_killed_server_had_written_is_there_and_goes_on(make_server):
    server = make_server().start()
    with chatting(server) as client:
        ids = begun(client)
        client.hear_characters(ids["message"], CHECKPOINTED)
        server.process.kill()
        server.process.wait()
    server.start()
    with chatting(server) as client:
        client.say("resume", **ids)
        assert client.hear_until("done")["status"] == "interrupted"
        partial = client.texts[ids["message"]]
        client.say("continue", message=ids["message"])
        assert client.hear_until("accepted")["seq"] == len(partial)
        client.hear_characters(ids["message"], len(partial) + 10)
        client.say("stop", message=ids["message"])
        client.hear_until("done")

    assert 50 < len(partial) < len(LONG)
    assert LONG.startswith(partial.strip())


def test_a_stopping_server_lets_answers_end(make_server):
    server = make_server().start()
    with chatting(server) as client:
        ids = begun(client)
        client.hear_characters(ids["message"], 10)
        server.interrupt()
        assert client.hear_until("done")["status"] == "complete"
    assert server.wait() == 0


def test_an_answer_that_a_stopping_server_cuts_off_is_interrupted(make_server):
    server = make_server(LLMSITE_SERVER__DRAIN_SECONDS="0.2").start()
    with chatting(server) as client:
        ids = begun(client)
        client.hear_characters(ids["message"], 10)
        os.killpg(server.process.pid, signal.SIGTERM)
        assert client.hear_until("done")["status"] == "interrupted"
    assert server.wait() == 0


# Two server processes


@pytest.fixture
def servers(tmp_path):
    """One PostgreSQL and one Redis of the test's own, and two services on them."""
    name = f"llmsite_live_{uuid.uuid4().hex[:8]}"
    try:
        control = psycopg.connect(POSTGRES, connect_timeout=3, autocommit=True)
        store = redis.Redis.from_url(REDIS, socket_connect_timeout=3)
        store.flushdb()
    except (psycopg.OperationalError, redis.RedisError) as error:
        pytest.skip(f"NO SERVERS, so two processes were not tested together: {error}")
    control.execute(f"CREATE DATABASE {name}")
    gguf = tmp_path / "tiny.gguf"
    make_gguf(gguf)
    database = POSTGRES.rsplit("/", 1)[0] + "/" + name
    both = [
        Server(tmp_path / one, {"fake": gguf}, DATABASE_URL=database, REDIS_URL=REDIS)
        for one in ("one", "other")
    ]
    try:
        yield [server.start() for server in both]
    finally:
        for server in both:
            server.stop()
        control.execute(f"DROP DATABASE {name} WITH (FORCE)")
        control.close()
        store.flushdb()


@pytest.mark.timeout(240)
def test_an_answer_is_followed_and_stopped_through_another_process(servers):
    one, other = servers
    with chatting(one) as here, chatting(other) as there:
        ids = begun(here)
        here.hear_characters(ids["message"], 100)
        there.say("resume", **ids)
        there.hear_characters(ids["message"], 200)
        there.say("stop", message=ids["message"])
        assert here.hear_until("done")["status"] == there.hear_until("done")["status"] == "stopped"
        assert here.texts == there.texts

        ids = begun(here)
        here.hear_characters(ids["message"], CHECKPOINTED)
        there.say("resume", **ids)
        there.hear_characters(ids["message"], CHECKPOINTED)
        one.process.kill()
        one.process.wait()
    with chatting(other) as there:
        there.say("resume", **ids)
        assert there.hear_until("done")["status"] == "interrupted"
        there.say("continue", message=ids["message"])
        there.hear_until("accepted")
        assert eventually_more(there, ids["message"])


def eventually_more(client, message):
    before = len(client.texts[message])
    client.hear_characters(message, before + 5)
    client.say("stop", message=message)
    return client.hear_until("done")["status"] == "stopped"
