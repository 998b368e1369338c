"""`Idempotency-Key` on the paths without a version, in both of their dialects."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import IdempotentAnswer, Lease

from .client import body_of, eventually, reading

pytestmark = pytest.mark.usefixtures("fake_model", "leave_no_connection")

OTHER = uuid.UUID(int=7)  # another server process
COMPLETION = {"model": "fake", "prompt": "a b c"}
TEXT_CHAT = {"model-name": "fake", "prompt": "a b c", "system-prompt": ""}
OPENAIS_CHAT = {"model": "fake", "messages": [{"role": "user", "content": "a b c"}]}
STREAMS = {
    "completion": ("/completions", {**COMPLETION, "stream": True}),
    "chat": ("/chat/completions", TEXT_CHAT),
}
ALL = {
    **STREAMS,
    "whole completion": ("/completions", COMPLETION),
    "OpenAI's chat": ("/chat/completions", {**OPENAIS_CHAT, "stream": True}),
    "OpenAI's whole chat": ("/chat/completions", OPENAIS_CHAT),
}

each = pytest.mark.parametrize(("path", "body"), ALL.values(), ids=ALL)
each_stream = pytest.mark.parametrize(("path", "body"), STREAMS.values(), ids=STREAMS)


@pytest.fixture
def ask(api):
    """Asks under the key `k`."""

    async def ask(path, body, key="k", **fields):
        return await api.post(path, {**body, **fields}, **{"idempotency-key": key})

    return ask


async def until_kept():
    await eventually(IdempotentAnswer.objects.exclude(status=None).aexists)


def is_replayed(response):
    return response.headers.get("idempotent-replayed") == "true"


def read(stream):
    """The data of each event of text; comments have none."""
    events = [event.partition("data:") for event in stream.split("\n\n")]
    return [data for _, is_event, data in events if is_event]


@each
async def test_the_same_request_again_gets_the_same_answer(ask, num_computed, path, body):
    first = await ask(path, body)
    content = await body_of(first)
    await until_kept()
    again = await ask(path, body)
    assert ("a " in content, await body_of(again)) == (True, content)
    assert [is_replayed(response) for response in (first, again)] == [False, True]
    assert again["content-type"] == first["content-type"]
    assert await num_computed() == 1


@each_stream
async def test_a_retry_of_a_running_stream_gets_it_from_the_beginning(
    ask, num_computed, engine_options, path, body
):
    engine_options(fake_step_seconds=0.02)
    async with reading(await ask(path, body, prompt="a b c d e f")) as parts:
        begun = [await anext(parts) for _ in range(3)]
        again = await ask(path, body, prompt="a b c d e f")
        rest = [part async for part in parts]
    assert (is_replayed(again), await num_computed()) == (True, 1)
    text = await body_of(again)
    assert text == b"".join([*begun, *rest]).decode()
    assert "".join(read(text)) == "a b c d e f "


@each_stream
async def test_a_stream_that_ended_with_an_error_is_computed_anew(ask, num_computed, path, body):
    for _ in range(2):
        failed = await ask(path, body, prompt="a fail")
        assert not is_replayed(failed)
        *_, last = read(await body_of(failed))
        assert last.startswith("__ERROR__:")
    assert await num_computed() == 2


@each_stream
async def test_a_text_that_looks_like_an_error_is_an_answer(ask, num_computed, path, body):
    for _ in range(2):
        text = await body_of(await ask(path, body, prompt="__ERROR__: a"))
        assert "".join(read(text)) == "__ERROR__: a "
        await until_kept()
    assert await num_computed() == 1


async def test_a_failed_answer_is_computed_anew(ask, num_computed):
    failures = [await ask("/completions", COMPLETION, prompt="fail") for _ in range(2)]
    assert [response.status_code for response in failures] == [500, 500]
    assert await num_computed() == 2


@pytest.mark.parametrize(
    ("path", "body"), [("/completions", COMPLETION), ("/chat/completions", TEXT_CHAT)]
)
class TestRefusals:
    async def test_of_another_body_are_in_its_dialect(self, ask, path, body):
        await body_of(await ask(path, body))
        refused = await ask(path, body, temperature=1)
        assert (refused.status_code, refused["x-should-retry"]) == (409, "false")
        sentence = "'k' came with another request before. Take another key."
        assert refused.json() == {"error": f"Idempotency-Key: {sentence}"}

    async def test_of_a_key_that_cannot_be_used_are_too(self, ask, path, body):
        refused = await ask(path, body, key="")
        assert refused.status_code == 400
        assert refused.json()["error"].startswith("Idempotency-Key: it takes")

    async def test_are_not_remembered(self, ask, path, body):
        assert (await ask(path, body, temperature=9)).status_code == 400
        assert (await ask(path, body, temperature=1)).status_code == 200


async def test_another_path_is_another_request(ask):
    answers = [await ask(path, COMPLETION) for path in ("/v1/completions", "/completions")]
    assert [answer.status_code for answer in answers] == [200, 409]


async def test_the_two_dialects_of_one_path_are_two_requests(ask):
    answers = [await ask("/chat/completions", body) for body in (OPENAIS_CHAT, TEXT_CHAT)]
    assert [answer.status_code for answer in answers] == [200, 409]


class TestWhatAnotherProcessComputes:
    @pytest.fixture
    def elsewhere(self, ask, monkeypatch):
        """A request that another process computes; call what it returns to complete it."""
        monkeypatch.setattr("inference.api.idempotency.POLL_SECONDS", 0.01)

        async def begin(path, body):
            content = (await body_of(await ask(path, body))).encode()
            await until_kept()
            ends_at = timezone.now() + timedelta(seconds=60)
            await Lease.objects.acreate(holder=OTHER, expires_at=ends_at)
            await IdempotentAnswer.objects.aupdate(holder=OTHER, status=None, body=None)

            async def complete(body=content):
                await IdempotentAnswer.objects.aupdate(status=200, body=body)
                return content

            return complete

        return begin

    @each_stream
    async def test_is_waited_for_by_a_stream_of_comments(
        self, ask, elsewhere, num_computed, path, body
    ):
        complete = await elsewhere(path, body)
        async with reading(await ask(path, body)) as parts:
            assert [await anext(parts) for _ in range(3)] == [b": keepalive\n\n"] * 3
            content = await complete()
            rest = b"".join([part async for part in parts])
        assert rest.replace(b": keepalive\n\n", b"") == content
        assert await num_computed() == 1

    @each_stream
    async def test_ends_in_an_error_of_its_dialect(self, ask, elsewhere, path, body):
        complete = await elsewhere(path, body)
        async with reading(await ask(path, body)) as parts:
            await anext(parts)
            await complete(body=None)
            rest = b"".join([part async for part in parts])
        *_, last = read(rest.decode())
        assert last.startswith("__ERROR__:Idempotency-Key: 'k' has an answer that was too large")
