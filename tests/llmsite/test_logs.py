import io
import json
import logging
import sys
from datetime import UTC, datetime

import pytest
import structlog

from llmsite.logs import logging_config


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def logging_as_before():
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def configure(monkeypatch):
    """Configures, and returns a function that reads what was written."""

    def configure(level="info", log_format="json", stream=None):
        stderr = stream or io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        logging_config(level, log_format)
        return stderr.getvalue

    return configure


@pytest.fixture
def lines(configure):
    written = configure()
    return lambda: [json.loads(line) for line in written().splitlines()]


def test_the_standard_librarys_loggers_write_json(lines):
    logging.getLogger("inference.engine").info("loaded %s in %d ms", "tiny", 7)
    [line] = lines()
    assert (line["logger"], line["level"]) == ("inference.engine", "info")
    assert line["event"] == "loaded tiny in 7 ms"


def test_structlogs_loggers_write_the_same_form(lines):
    structlog.stdlib.get_logger("llmsite.x").warning("hello", num_tokens=3)
    logging.getLogger("llmsite.x").warning("hello", extra={"num_tokens": 3})
    ours, theirs = lines()
    assert ours.keys() == theirs.keys()
    assert ours | {"timestamp": ""} == theirs | {"timestamp": ""}
    del ours["timestamp"]
    assert ours == {"event": "hello", "level": "warning", "logger": "llmsite.x", "num_tokens": 3}


def test_the_time_is_utc(lines):
    logging.getLogger("x").info("now")
    [line] = lines()
    assert line["timestamp"].endswith("Z")
    assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)).total_seconds() < 60


def test_lines_carry_the_request_id(lines):
    structlog.contextvars.bind_contextvars(request_id="req_1")
    logging.getLogger("x").info("a")
    structlog.stdlib.get_logger("x").info("b")
    assert [line["request_id"] for line in lines()] == ["req_1", "req_1"]


def test_an_exception_is_one_line(lines):
    try:
        raise ValueError("no\nnewline")
    except ValueError:
        logging.getLogger("x").exception("failed")
        structlog.stdlib.get_logger("x").exception("failed")
    for line in lines():
        assert "Traceback" in line["exception"]
        assert "ValueError: no\nnewline" in line["exception"]


def test_what_json_cannot_write_is_described(lines):
    logging.getLogger("x").info("a", extra={"path": {1}})
    assert lines()[0]["path"] == "{1}"


def test_djangos_request_object_is_left_out(lines):
    """Its text shows the query string."""
    logging.getLogger("django.request").error("Oh", extra={"request": "?key=1", "status_code": 500})
    [line] = lines()
    assert "request" not in line
    assert line["status_code"] == 500


def test_lines_below_the_level_are_left_out(configure):
    written = configure(level="warning")
    logging.getLogger("x").info("a")
    structlog.stdlib.get_logger("x").info("b")
    assert written() == ""


@pytest.mark.parametrize("name", ["daphne.server", "autobahn", "twisted", "httpx"])
@pytest.mark.parametrize("level", ["debug", "info"])
def test_chatty_loggers_only_warn(configure, name, level):
    written = configure(level=level)
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    assert "chatter" not in written()
    assert "trouble" in written()


def test_chatty_loggers_keep_a_higher_level(configure):
    written = configure(level="error")
    logging.getLogger("daphne.server").warning("trouble")
    assert written() == ""


def test_it_may_be_configured_twice(configure):
    configure()
    written = configure()
    logging.getLogger("x").info("once")
    assert written().count("once") == 1


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("json", Terminal, True),
        ("console", io.StringIO, False),
        ("auto", Terminal, False),
        ("auto", io.StringIO, True),
    ],
)
def test_auto_is_for_people_on_a_terminal_only(configure, log_format, stream, is_json):
    written = configure(log_format=log_format, stream=stream())
    logging.getLogger("x").info("hello")
    assert written().startswith("{") == is_json
    assert ("\x1b[" in written()) != is_json
