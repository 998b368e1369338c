"""Starting, crashing, stopping: the whole service as a process among others."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import psutil
import pytest

from .server import are_gone, eventually

LONG = "word " * 50  # a second of answer


def answer_of(client, prompt="a b"):
    return client.completions.create(model="fake", prompt=prompt).choices[0].text


def test_an_engine_that_is_killed_mid_stream_fails_it_and_comes_back(make_server):
    server = make_server().start()
    with server.client() as client:
        with client.completions.create(model="fake", prompt=LONG, stream=True) as stream:
            next(stream)
            [engine] = server.engines()
            engine.kill()
            with pytest.raises(openai.APIError) as caught:
                list(stream)
        assert caught.value.code == "engine_restarting"
        assert answer_of(client) == "a b "
    [successor] = server.engines()
    assert successor.pid != engine.pid
    [death] = server.log_lines(event="engine died")
    assert (death["level"], death["status"]) == ("error", -signal.SIGKILL)


def test_an_engine_that_is_killed_fails_a_whole_answer_with_503(make_server):
    server = make_server().start()
    with server.client() as client, ThreadPoolExecutor() as threads:
        answer = threads.submit(answer_of, client, LONG)
        eventually(lambda: server.metric("llmsite_requests_running") == 1, "it runs")
        [engine] = server.engines()
        engine.kill()
        with pytest.raises(openai.InternalServerError) as caught:
            answer.result()
    assert (caught.value.status_code, caught.value.code) == (503, "engine_restarting")
    assert caught.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_running_answers_end_and_leaves_nothing_behind(make_server, number):
    server = make_server().start()
    with (
        server.client() as client,
        client.completions.create(model="fake", prompt=LONG, stream=True) as stream,
    ):
        first = next(stream).choices[0].text
        family = server.family()
        os.killpg(server.process.pid, number)  # as a terminal does: to all of them
        eventually(lambda: not is_listening(server), "it listens no more")
        with server.client() as late, pytest.raises(openai.APIConnectionError):
            answer_of(late)
        text = first + "".join(chunk.choices[0].text for chunk in stream)
    assert text == LONG
    assert server.wait() == 0
    assert len(family) >= 1
    eventually(lambda: are_gone(family), "no process is left")


def ask_for_ever(client, statuses):
    while True:
        asked = {"model": "fake", "prompt": "a"}
        statuses.append(client.post("/v1/completions", json=asked).status_code)


def test_a_connection_that_stays_open_gets_no_new_engine_while_it_stops(make_server):
    server = make_server().start()
    with (
        server.client() as client,
        client.completions.create(model="fake", prompt=LONG, stream=True) as stream,
        httpx.Client(base_url=server.url) as kept_alive,
    ):
        next(stream)
        kept_alive.get("/health")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: not is_listening(server), "it listens no more")
        statuses = []
        with pytest.raises(httpx.TransportError):
            ask_for_ever(kept_alive, statuses)
    assert set(statuses) == {503}
    assert server.wait() == 0


def test_an_answer_that_takes_too_long_is_cut_off_with_an_error(make_server):
    server = make_server(LLMSITE_SERVER__DRAIN_SECONDS="0.2").start()
    with (
        server.client() as client,
        client.completions.create(model="fake", prompt=LONG, stream=True) as stream,
    ):
        next(stream)
        server.interrupt()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        assert caught.value.code == "engine_restarting"
    assert server.wait() == 0


def test_a_second_signal_ends_it_at_once(make_server):
    server = make_server(LLMSITE_SERVER__DRAIN_SECONDS="60").start()
    with (
        server.client() as client,
        client.completions.create(model="fake", prompt="a " * 2000, stream=True) as stream,
    ):
        next(stream)
        family = server.family()
        server.interrupt()
        eventually(lambda: not is_listening(server), "it has heard the first")
        server.interrupt()
        with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
            list(stream)
    assert server.wait() != 0
    eventually(lambda: are_gone(family), "no process is left")


def is_listening(server):
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return any(c.status == psutil.CONN_LISTEN for c in connections)


def test_a_web_process_that_is_killed_takes_its_engines_along(make_server):
    server = make_server().start()
    with server.client() as client:
        answer_of(client)
    engines = server.engines()
    assert len(engines) == 1
    server.process.kill()
    eventually(lambda: are_gone(engines), "no process is left")


def test_whoever_listens_for_others_is_told_to_say_what_they_call_this_machine(make_server):
    told = "from other machines: name it as they do in server.allowed_hosts"
    server = make_server(LLMSITE_SERVER__HOST="0.0.0.0", LLMSITE_SECURITY__ENABLE_AUTH="true")
    assert told in server.start().stdout
    server.stop()
    assert told not in server.start(LLMSITE_SERVER__ALLOWED_HOSTS='["a.example"]').stdout
    server.stop()
    alone = {"LLMSITE_SERVER__HOST": "127.0.0.1", "LLMSITE_SERVER__ALLOWED_HOSTS": "[]"}
    assert told not in server.start(**alone).stdout


def test_a_second_start_finds_what_the_first_left(make_server):
    first = make_server().start()
    assert "sign in as 'admin'" in first.stdout
    first.interrupt()
    assert first.wait() == 0
    second = make_server().start()
    assert "sign in as" not in second.stdout
    with second.client() as client:
        assert answer_of(client) == "a b "


def test_a_busy_port_is_told_in_a_sentence(server, make_server):
    second = make_server(port=server.port)
    second.launch()
    assert second.wait() == 1
    assert f"server.port: cannot listen on 127.0.0.1:{server.port}" in second.stderr
    assert "Traceback" not in second.stderr
    assert not (second.data_dir / "llmsite.sqlite3").exists()
