"""What the log says of a request, and what it never does."""

import logging

import pytest

pytestmark = pytest.mark.usefixtures("fake_model")

SECRET = "xyzzyplugh"


async def ask(api, content, **fields):
    body = {"model": "fake", "messages": [{"role": "user", "content": content}], **fields}
    return await api.post("/v1/chat/completions", body, **{"x-request-id": "trace-1"})


def ids(records):
    """The request id of each record, wherever it carries it."""
    return [getattr(r, "request_id", None) or r.msg.get("request_id") for r in records]


async def test_one_id_names_the_request_at_the_edge_and_in_the_engine(api, caplog):
    caplog.set_level(logging.INFO)
    await ask(api, "fail")
    edge = [r for r in caplog.records if r.name == "llmsite.request_id"]
    engine = [r for r in caplog.records if r.name.startswith("inference.engine.engine")]
    assert ids(edge) == ["trace-1"]
    assert ids(engine) == ["trace-1"]
    assert "request failed" in engine[0].getMessage()


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (SECRET, {}),
        (f"{SECRET} fail", {}),
        (f"{SECRET} crash", {}),
        (f"{SECRET} " * 5000, {}),
        (SECRET, {"temperature": 9}),
        (SECRET, {"stop": [SECRET] * 99}),
        (SECRET, {"messages": [{"role": SECRET, "content": SECRET}]}),
        (SECRET, {"model": SECRET}),
        ([{"type": SECRET}], {}),
        (SECRET, {SECRET: SECRET}),
    ],
)
async def test_no_line_repeats_what_was_asked(api, caplog, capfd, content, fields):
    caplog.set_level(logging.DEBUG)
    await ask(api, content, **fields)
    assert "trace-1" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in capfd.readouterr().err


async def test_a_bug_of_ours_is_logged_without_what_was_asked(api, caplog, capfd, monkeypatch):
    def broken(*args):
        raise ZeroDivisionError("detail")

    monkeypatch.setattr("inference.api.answers.ChatAnswer.choice", broken)
    response = await ask(api, SECRET)
    assert response.status_code == 500
    assert "ZeroDivisionError: detail" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in capfd.readouterr().err
