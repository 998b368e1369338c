import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap

import psutil
import pytest

from inference.engine import host as host_module
from inference.engine.config import EngineConfig
from inference.engine.errors import (
    DecodeFailed,
    EngineError,
    EngineRestarting,
    EngineStopped,
    InvalidParameter,
    ModelLoadFailed,
    PromptTooLong,
    QueueFull,
)
from inference.engine.host import EngineHost
from inference.engine.progress import Progress
from inference.engine.request import ContextPolicy, FinishReason, Request
from inference.engine.sampling import SamplingParams
from inference.engine.stream import Piece
from inference.engine.wire import (
    HEADER,
    Accepted,
    Detokenize,
    Loading,
    Ready,
    Render,
    Start,
    Submit,
    Tokenize,
    decode_from_engine,
    encode,
)

ENDLESS = SamplingParams(ignore_eos=True)
SLOW = {"fake_step_seconds": 0.01}
DEADLINE = 10.0  # seconds; nothing here takes so long unless it fails


def config_of(**config):
    return EngineConfig(**{"model_id": "m", "path": "", "backend": "fake", **config})


def ignore(_):
    pass


@pytest.fixture
async def start_host(quiet_loop):
    """Starts hosts in real processes, and leaves none behind."""
    hosts = []

    async def start(time_limit=DEADLINE, *, on_exit=ignore, on_progress=ignore, **config):
        host = EngineHost(config_of(**config), on_exit, on_progress)
        await host.start(time_limit)
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        await host.kill()


async def read(stream):
    return "".join([piece.text async for piece in stream])


async def gone(pid):
    """Wait until there is no such process."""
    async with asyncio.timeout(DEADLINE):
        with contextlib.suppress(ProcessLookupError):
            while not os.kill(pid, 0):  # noqa: ASYNC110  no event tells it
                await asyncio.sleep(0.01)


def halt(pid):
    """None of its threads goes on when this is over."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


# Requests


async def test_a_request_is_accepted_and_answered(start_host):
    host = await start_host()

    stream = await host.submit(text="a b c")

    assert stream.prompt_tokens == 3
    assert await read(stream) == "a b c "
    assert stream.finish.reason is FinishReason.STOP
    assert stream.finish.usage.completion_tokens == 4
    assert not host.is_busy


async def test_the_engine_says_what_it_became(start_host):
    host = await start_host(context_length=100, max_sequences=3)

    assert (host.info.context_length, host.info.cache_tokens) == (100, 300)
    assert host.is_open
    assert os.kill(host.pid, 0) is None


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"text": "a b c d e f g h"}, PromptTooLong),
        ({"text": ""}, InvalidParameter),
        ({"tokens": [999]}, InvalidParameter),
        ({"text": "half a character: \ud83d"}, InvalidParameter),
        ({"tokens": [2**70]}, InvalidParameter),
    ],
)
async def test_a_request_may_be_refused(start_host, fields, kind):
    host = await start_host(context_length=8)
    outcomes = []

    with pytest.raises(kind) as caught:
        await host.submit(outcomes.append, **fields)

    assert caught.value.param == "prompt"
    assert outcomes == []
    assert not host.is_busy
    assert await read(await host.submit(text="a b")) == "a b "


async def test_a_full_queue_refuses(start_host):
    host = await start_host(max_sequences=1, max_waiting=1, **SLOW)
    streams = [await host.submit(text="a", params=ENDLESS) for _ in range(2)]

    with pytest.raises(QueueFull):
        await host.submit(text="a")

    for stream in streams:
        stream.cancel()
        await read(stream)
    assert await read(await host.submit(text="a")) == "a "


async def test_requests_are_answered_side_by_side(start_host):
    host = await start_host(**SLOW)
    streams = [await host.submit(text=f"{name} {name}", params=ENDLESS) for name in "abc"]

    answers = [aiter(stream) for stream in streams]
    assert [(await anext(answer)).text[0] for answer in answers] == ["a", "b", "c"]
    assert host.load.running == 3


async def test_the_end_is_told_exactly_once(start_host):
    host = await start_host()
    outcomes = []

    stream = await host.submit(outcomes.append, text="a b")
    await read(stream)
    await host.stop()

    assert outcomes == [stream.finish]


async def test_a_failed_step_fails_its_requests_and_the_engine_goes_on(start_host, caplog):
    host = await start_host()

    with pytest.raises(DecodeFailed):
        await read(await host.submit(text="fail", request_id="req-1"))

    assert await read(await host.submit(text="a b")) == "a b "
    lines = [record for record in caplog.records if getattr(record, "request_id", "") == "req-1"]
    assert [(line.name, line.levelname) for line in lines] == [("inference.engine.engine", "ERROR")]
    assert lines[0].model == "m"


# Cancelling


async def test_a_cancelled_request_ends_and_makes_room(start_host):
    host = await start_host(max_sequences=1, **SLOW)
    first = await host.submit(text="a", params=ENDLESS)
    second = await host.submit(text="b")

    first.cancel()

    assert await read(second) == "b "
    await read(first)
    assert first.finish.reason is FinishReason.CANCELLED


async def test_a_dropped_stream_ends(start_host):
    host = await start_host(**SLOW)
    outcomes = []
    stream = await host.submit(outcomes.append, text="a", params=ENDLESS)

    del stream
    await asyncio.wait_for(host.wait_idle(), DEADLINE)

    assert [outcome.reason for outcome in outcomes] == [FinishReason.CANCELLED]


async def test_who_leaves_before_being_accepted_leaves_nothing_behind(start_host):
    host = await start_host(**SLOW)
    asking = asyncio.create_task(host.submit(text="a", params=ENDLESS))
    await asyncio.sleep(0)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await asyncio.wait_for(host.wait_idle(), DEADLINE)
    assert await read(await host.submit(text="a b")) == "a b "


# Progress


async def test_who_waits_hears_of_its_place_and_then_of_its_prompt(start_host):
    host = await start_host(max_sequences=1, batch_tokens=2, **SLOW)
    first = await host.submit(text="a", params=ENDLESS)
    second = await host.submit(text="b c d", with_progress=True)
    pieces = aiter(second)

    assert (await anext(pieces)).progress == Progress("queued", position=0)
    assert second.progress == Progress("queued", position=0)
    first.cancel()
    rest = [piece async for piece in pieces]

    assert rest[0].progress == Progress("prefill", done=0, total=3)
    assert "".join(piece.text for piece in rest) == "b c d "
    assert second.progress is None


async def test_who_does_not_ask_for_progress_gets_text_only(start_host):
    host = await start_host(max_sequences=1, **SLOW)
    streams = [await host.submit(text="a b") for _ in range(2)]

    pieces = [piece for stream in streams async for piece in stream]

    assert {piece.progress for piece in pieces} == {None}
    assert all(piece.tokens for piece in pieces)


# Messages and their tokens


async def test_texts_and_messages_are_counted(start_host):
    host = await start_host()
    messages = [{"role": "user", "content": "a b"}, {"role": "user", "content": "c"}]

    assert await host.count(texts=["a b c", "", "d"]) == [3, 0, 1]
    assert await host.count(messages=messages) == [3]
    assert not host.is_busy


@pytest.mark.parametrize("fields", [{"texts": ["\ud83d"]}, {"messages": [{"n": 2**70}]}])
async def test_what_cannot_travel_cannot_be_counted(start_host, fields):
    host = await start_host()

    with pytest.raises(InvalidParameter) as caught:
        await host.count(**fields)

    assert [caught.value.param] == list(fields)


async def test_other_questions_are_answered_too(start_host):
    host = await start_host()
    messages = [{"role": "user", "content": "a  b"}]

    assert (await host.ask(Tokenize, text="a b a")).tokens == [1, 2, 1]
    assert (await host.ask(Detokenize, tokens=[2, 1])).text == "b a "
    assert (await host.ask(Render, messages=messages)).text == "a  b"


async def test_who_waits_for_a_count_hears_of_a_failure(start_host):
    host = await start_host()

    with pytest.raises(EngineError, match="see the server's log"):
        await host.count(messages=[{"role": "user"}])

    assert await host.count(texts=["a"]) == [1]


async def test_who_waits_for_a_count_hears_of_the_engines_death(start_host):
    host = await start_host()
    halt(host.pid)
    counting = asyncio.create_task(host.count(texts=["a"]))
    await asyncio.sleep(0)

    host.abort()

    with pytest.raises(EngineRestarting):
        await counting


async def test_a_stopped_engine_counts_nothing(start_host):
    host = await start_host()
    await host.stop()

    with pytest.raises(EngineStopped):
        await host.count(texts=["a"])


async def test_a_stream_tells_which_messages_had_no_room(start_host):
    host = await start_host(context_length=8)
    messages = [{"role": "user", "content": text} for text in ("a b c", "d e", "f g")]

    stream = await host.submit(messages=messages, context_policy=ContextPolicy.DROP_OLDEST)

    assert (stream.dropped, stream.prompt_tokens, stream.context_length) == ([0], 4, 8)
    assert await read(stream) == "d e f g "


# Admission


async def test_a_request_is_computed_once_it_is_admitted(start_host):
    host = await start_host(context_length=100)
    asked = []

    async def admit(*tokens):
        asked.append(tokens)
        return 2

    stream = await host.submit(admit=admit, text="a b c")

    assert asked == [(3, 97)]
    assert await read(stream) == "a b "
    assert stream.finish.reason is FinishReason.LENGTH


async def test_a_request_that_is_not_admitted_leaves_nothing(start_host):
    host = await start_host(max_sequences=1)
    outcomes = []

    async def admit(*tokens):
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        await host.submit(outcomes.append, admit=admit, text="a")

    await asyncio.wait_for(host.wait_idle(), DEADLINE)
    assert outcomes == []
    assert await read(await host.submit(text="a b")) == "a b "


async def test_who_leaves_while_admission_is_decided_is_not_computed(start_host):
    host = await start_host()
    is_asked = asyncio.Event()

    async def admit(*tokens):
        is_asked.set()
        await asyncio.Event().wait()

    asking = asyncio.create_task(host.submit(admit=admit, text="a"))
    await is_asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await asyncio.wait_for(host.wait_idle(), DEADLINE)


async def test_an_engine_that_dies_during_admission_fails_the_request(start_host):
    host = await start_host()

    async def admit(*tokens):
        os.kill(host.pid, signal.SIGKILL)
        await gone(host.pid)
        return 5

    stream = await host.submit(admit=admit, text="a")

    with pytest.raises(EngineRestarting):
        await read(stream)


# Death


async def test_a_killed_engine_fails_who_runs_and_who_waits(start_host):
    exits = []
    host = await start_host(on_exit=exits.append, max_sequences=1, **SLOW)
    outcomes = []
    running = await host.submit(outcomes.append, text="a", params=ENDLESS)
    waiting = await host.submit(outcomes.append, text="b")
    answer = aiter(running)
    await anext(answer)

    os.kill(host.pid, signal.SIGKILL)

    for pieces in (answer, waiting):
        with pytest.raises(EngineRestarting, match="killed by signal 9"):
            await read(pieces)
    await gone(host.pid)
    assert [type(outcome) for outcome in outcomes] == [EngineRestarting] * 2
    assert exits == [host]
    assert not host.is_open
    assert not host.is_busy


async def test_a_stopped_process_can_be_aborted(start_host):
    host = await start_host(**SLOW)
    stream = await host.submit(text="a", params=ENDLESS)
    halt(host.pid)

    host.abort()

    with pytest.raises(EngineRestarting, match="killed by signal 9"):
        await read(stream)
    await gone(host.pid)
    assert not host.is_open


async def test_each_request_has_an_error_of_its_own(start_host):
    host = await start_host()
    outcomes = []
    streams = [await host.submit(outcomes.append, text="a", params=ENDLESS) for _ in range(2)]

    await host.kill()

    assert outcomes[0] is not outcomes[1]
    del streams


async def test_a_crash_of_the_model_ends_no_more_than_its_process(start_host):
    exits = []
    host = await start_host(on_exit=exits.append)

    with pytest.raises(EngineRestarting, match="exit status 1"):
        await read(await host.submit(text="a crash"))

    await gone(host.pid)
    assert exits == [host]


async def test_text_before_the_death_is_delivered(start_host):
    host = await start_host(**SLOW)
    stream = await host.submit(text="a b crash")
    async with asyncio.timeout(DEADLINE):
        await host.wait_idle()

    pieces = aiter(stream)

    assert await anext(pieces) == Piece("a b ", 2)
    with pytest.raises(EngineRestarting):
        await anext(pieces)


async def test_a_dead_engine_takes_no_requests(start_host):
    host = await start_host()
    await host.kill()

    with pytest.raises(EngineStopped):
        await host.submit(text="a")


async def test_an_engine_ignores_the_signals_that_end_a_service(start_host):
    host = await start_host(**SLOW)
    stream = await host.submit(text="a b c")

    os.kill(host.pid, signal.SIGINT)
    os.kill(host.pid, signal.SIGTERM)

    assert await read(stream) == "a b c "
    assert await read(await host.submit(text="d")) == "d "


# Starting


async def test_a_load_that_fails_says_why(start_host):
    exits = []

    with pytest.raises(ModelLoadFailed, match=r"/nowhere\.gguf: there is no such file"):
        await start_host(on_exit=exits.append, backend="llama", path="/nowhere.gguf")

    await gone(exits[0].pid)
    assert len(exits) == 1


async def test_a_load_may_take_only_so_long(start_host):
    exits = []

    with pytest.raises(ModelLoadFailed, match=r"m did not load within 0\.001 s"):
        await start_host(0.001, on_exit=exits.append)

    await gone(exits[0].pid)


async def test_a_load_that_is_given_up_at_once_leaves_nothing_open(start_host):
    starting = asyncio.create_task(start_host())
    await asyncio.sleep(0)

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_a_process_that_cannot_be_started_is_a_failed_load(start_host, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(ModelLoadFailed, match=r"m: no process: .*/nowhere/python"):
        await start_host()


@pytest.fixture
def with_child(monkeypatch, tmp_path):
    """Gives engines another program."""

    def install(program):
        folder = tmp_path / "inference" / "engine"
        folder.mkdir(parents=True)
        preamble = "import socket, sys; web = socket.socket(fileno=int(sys.argv[1]))\n"
        (folder / "child.py").write_text(preamble + textwrap.dedent(program))
        monkeypatch.setattr(host_module, "ROOT", tmp_path)

    return install


async def test_a_load_can_be_given_up(start_host, with_child):
    with_child(f"""
        web.sendall({encode(Loading(0.5))!r})
        while web.recv(1000): pass
    """)
    exits, progress = [], asyncio.Queue()
    start = start_host(on_exit=exits.append, on_progress=progress.put_nowait)
    starting = asyncio.create_task(start)
    assert await progress.get() == 0.5

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert [host._process.returncode for host in exits] == [-signal.SIGKILL]


async def test_a_process_that_dies_while_loading_is_a_failed_load(start_host, with_child):
    with_child("sys.exit(3)")

    with pytest.raises(ModelLoadFailed, match=r"exit status 3\). It was loading the model"):
        await start_host()


async def test_a_process_that_speaks_nonsense_is_a_failed_load(start_host, with_child, caplog):
    with_child(r"""
        web.sendall(b"\x00\x00\x00\x01\xc1")
        while web.recv(1000): pass
    """)

    with pytest.raises(ModelLoadFailed):
        await start_host()

    assert "cannot read what the engine sends" in caplog.text


# Stopping


async def test_stopping_lets_answers_finish(start_host):
    exits = []
    host = await start_host(on_exit=exits.append, **SLOW)
    stream = await host.submit(text="a b c d e")

    await host.stop(DEADLINE)

    assert await read(stream) == "a b c d e "
    assert stream.finish.reason is FinishReason.STOP
    assert exits == [host]
    assert host._process.returncode == 0


async def test_stopping_at_once_ends_answers_with_an_error(start_host):
    host = await start_host(max_sequences=1, **SLOW)
    running = await host.submit(text="a", params=ENDLESS)
    waiting = await host.submit(text="a")

    await host.stop(0)

    for stream in (running, waiting):
        with pytest.raises(EngineStopped):
            await read(stream)
    await gone(host.pid)
    assert host._process.returncode == 0


async def test_stopping_cuts_off_what_is_not_done_in_time(start_host, caplog):
    host = await start_host(**SLOW)
    stream = await host.submit(text="a", params=ENDLESS)

    await host.stop(0.05)

    with pytest.raises(EngineStopped):
        await read(stream)
    assert "1 requests cut off" in caplog.text


async def test_a_stopping_engine_takes_no_requests(start_host):
    host = await start_host(**SLOW)
    stream = await host.submit(text="a b c")
    stopping = asyncio.create_task(host.stop(DEADLINE))
    await asyncio.sleep(0)

    with pytest.raises(EngineStopped):
        await host.submit(text="d")

    await stopping
    assert await read(stream) == "a b c "


async def test_an_engine_that_does_not_stop_is_killed(start_host, monkeypatch):
    monkeypatch.setattr(host_module, "STOP_SECONDS", 0.05)
    host = await start_host()
    halt(host.pid)

    await host.stop()

    await gone(host.pid)
    assert host._process.returncode == -signal.SIGKILL


async def test_stopping_twice_is_stopping(start_host):
    exits = []
    host = await start_host(on_exit=exits.append)

    await asyncio.gather(host.stop(), host.stop())
    await host.kill()

    assert exits == [host]


async def test_an_orderly_end_is_no_error_in_the_log(start_host, caplog):
    host = await start_host()

    with caplog.at_level(logging.WARNING):
        await host.stop()

    assert caplog.records == []


async def test_the_process_inherits_what_it_runs_on_and_no_secret(start_host, monkeypatch):
    secrets = {
        "DATABASE_URL": "a",
        "REDIS_URL": "b",
        "LLMSITE_SECURITY__API_KEYS": "c",
        "HF_TOKEN": "d",
        "AWS_SECRET_ACCESS": "e",
        "PGPASSWORD": "f",
        "some_api_key": "g",
        "HTTPS_PROXY": "http://alice:hunter2@proxy:3128",
    }
    needed = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "0", "NO_PROXY": "http://a:1/@"}
    for name, value in (secrets | needed).items():
        monkeypatch.setenv(name, value)

    inherited = psutil.Process((await start_host()).pid).environ()

    assert not inherited.keys() & secrets.keys()
    assert needed.items() <= inherited.items()
    assert inherited["PATH"] == os.environ["PATH"]


# The child, when the web process is gone


@pytest.fixture
def child():
    """An engine's process and the web process's end of its socket."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "inference.engine.child", str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=host_module.ROOT) as child:
        theirs.close()
        ours.settimeout(DEADLINE)
        yield child, ours
        child.kill()


def receive(sock):
    with sock.makefile("rb") as file:
        (size,) = HEADER.unpack(file.read(HEADER.size))
        return decode_from_engine(file.read(size))


def test_a_child_ends_when_nobody_starts_it(child):
    process, web = child

    web.close()

    assert process.wait(DEADLINE) == 0


def test_an_idle_child_ends_with_the_web_process(child):
    process, web = child
    web.sendall(encode(Start(config_of())))
    assert isinstance(receive(web), Ready)

    web.close()

    assert process.wait(DEADLINE) == 0


def test_a_child_in_a_long_step_ends_with_the_web_process(child):
    process, web = child
    web.sendall(encode(Start(config_of(fake_step_seconds=1000.0))))
    receive(web)
    web.sendall(encode(Submit(Request(id=1, text="a"))))
    assert receive(web) == Accepted(1, 1, 4095)

    web.close()

    assert process.wait(DEADLINE) == 0
