"""The older dialect's sessions over real connections, which break."""

import json
from urllib.parse import quote

import httpx
from websockets.sync.client import connect

from .server import PATIENCE_SECONDS, Server, eventually

LONG = " ".join(f"w{number}" for number in range(150))  # three seconds of answer
ODD = "é ü?"
CHECKPOINTED = 300  # characters; by then a second has passed


def body(prompt, session):
    own = {"system-prompt": "be", "max-token": 1000}
    return {"model-name": "fake", "prompt": prompt, "session-id": session, **own}


def begin_and_leave(server: Server, session, num_characters=1):
    """Ask, read so much, and break the connection."""
    url, read = f"{server.url}/chat/completions", ""
    with httpx.stream("POST", url, json=body(LONG, session), timeout=PATIENCE_SECONDS) as stream:
        for part in stream.iter_text():
            read += part.replace("data:", "").replace("\n", "")
            if len(read) >= num_characters:
                return


def texts(server: Server, session):
    history = httpx.get(f"{server.url}/chat/history/{quote(session)}").json()
    return [message["content"] for message in history]


def test_an_answer_goes_on_when_its_connection_breaks(server):
    begin_and_leave(server, ODD)

    eventually(lambda: texts(server, ODD)[2:] == [f"be {LONG} "], "the answer is in the session")
    assert ODD in httpx.get(f"{server.url}/sessions").json()


def test_a_socket_answers_frame_by_frame(server):
    with connect(f"{server.url.replace('http', 'ws')}/chat/ws") as socket:
        heard = ""
        for prompt in ("one", "two"):
            socket.send(json.dumps(body(prompt, "socket")))
        while not heard.endswith("two "):
            heard += str(socket.recv(PATIENCE_SECONDS))

    assert heard == "be one be one be one two "


def test_what_a_killed_server_had_written_is_in_the_session_and_it_goes_on(make_server):
    server = make_server().start()
    begin_and_leave(server, "s", CHECKPOINTED)
    server.process.kill()
    server.process.wait()
    server.start()
    partial = texts(server, "s")[-1]
    answer = httpx.post(f"{server.url}/chat/completions", json=body("two", "s"))

    assert f"be {LONG} ".startswith(partial)
    assert len(partial) > 10
    assert "two" in answer.text
