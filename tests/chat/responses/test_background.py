"""Responses that go on by themselves: followed from anywhere, resumed and cancelled."""

import pytest
from channels.layers import get_channel_layer

from chat import abandoned, watching
from chat.models import Message, Status
from tests.api.client import eventually, reading

from .asking import events as events_in
from .asking import kinds, text_of

LONG = " ".join(f"w{number}" for number in range(80))
VERY_LONG = " ".join(f"w{number}" for number in range(1500))


async def over(ask, response):
    """What it is in the end."""

    async def is_over():
        return (await ask.get(response["id"]))["status"] not in ("queued", "in_progress")

    await eventually(is_over)
    return await ask.get(response["id"])


async def test_a_response_in_the_background_is_there_later(ask, slowly):
    begun = await ask(LONG, background=True)
    assert (begun["status"], begun["background"]) == ("queued", True)

    response = await over(ask, begun)
    assert (response["status"], text_of(response)) == ("completed", f"{LONG} ")


async def test_its_events_say_that_it_was_queued(ask, slowly):
    events = await ask.stream(LONG, background=True)
    assert kinds(events)[:3] == ["created", "queued", "in_progress"]
    assert events[-1]["type"] == "response.completed"


async def test_what_is_refused_in_the_background_has_failed(ask):
    response = await over(ask, await ask("a " * 5000, background=True))
    assert (response["status"], response["error"]["code"]) == ("failed", "context_length_exceeded")


async def test_a_stream_is_resumed_where_it_was_left(ask, slowly):
    whole = await ask.stream(LONG)
    id = whole[0]["response"]["id"]
    for after in (0, 7, len(whole) - 2, len(whole) - 1, len(whole) + 5):
        assert await ask.resume(id, after) == whole[after + 1 :]
    assert await ask.resume(id) == whole


async def test_a_stream_is_resumed_while_it_is_written(ask, slowly):
    heard = b""
    async with reading(await ask.raw(LONG, stream=True, background=True)) as parts:
        while heard.count(b"output_text.delta") < 10:
            heard += await anext(parts)
    before = events_in(heard.decode())
    after = await ask.resume(before[0]["response"]["id"], before[-1]["sequence_number"])
    numbers = [event["sequence_number"] for event in before + after]

    assert numbers == [*range(len(numbers))]
    texts = [event["delta"] for event in before + after if "delta" in event]
    assert "".join(texts) == f"{LONG} "


async def test_it_is_resumed_from_another_process_too(ask, slowly, monkeypatch):
    monkeypatch.setattr(watching, "written_so_far", lambda uid: None)
    monkeypatch.setattr(watching, "is_lost", lambda answer: False)
    begun = await ask(LONG, background=True)
    events = await ask.resume(begun["id"])
    monkeypatch.undo()

    assert events == await ask.resume(begun["id"])
    assert events[-1]["type"] == "response.completed"


async def test_a_process_that_says_nothing_is_taken_for_dead(ask, monkeypatch):
    response = await ask("one two")
    channel = await get_channel_layer().new_channel()
    answers = Message.objects.filter(role="assistant")
    dead = "00000000-0000-0000-0000-000000000007"
    await answers.aupdate(status=Status.RUNNING, holder=dead, text="one ", channel=channel)
    monkeypatch.setattr(watching, "REPLY_SECONDS", 0.01)
    monkeypatch.setattr(watching, "is_lost", lambda answer: False)
    events = await ask.resume(response["id"], after=100)

    assert [event["type"] for event in events] == ["response.failed"]
    assert events[0]["sequence_number"] == 101
    assert text_of(events[0]["response"]) == "one "


async def test_one_that_is_cancelled_keeps_what_there_is(ask, slowly):
    async with reading(await ask.raw(VERY_LONG, stream=True)) as parts:
        heard = b""
        while b"output_text.delta" not in heard:
            heard += await anext(parts)
        id = events_in(heard.decode())[0]["response"]["id"]
        cancelled = await ask.cancel(id)
        heard += b"".join([part async for part in parts])
    last = events_in(heard.decode())[-1]

    assert cancelled["status"] == "cancelled"
    assert f"{VERY_LONG} ".startswith(text_of(cancelled))
    assert (last["type"], last["response"]) == ("response.incomplete", cancelled)
    assert await ask.get(id) == cancelled


async def test_one_that_is_over_stays_as_it_is(ask):
    response = await ask("one")
    assert await ask.cancel(response["id"]) == response


async def test_one_of_a_process_that_died_can_be_cancelled(ask):
    response = await ask("one")
    dead = "00000000-0000-0000-0000-000000000007"
    channel = await get_channel_layer().new_channel()
    await Message.objects.filter(role="assistant").aupdate(
        status=Status.RUNNING, holder=dead, channel=channel
    )
    cancelled = await ask.cancel(response["id"])

    assert (cancelled["status"], cancelled["error"]["code"]) == ("failed", "server_error")


async def test_whoever_reads_one_that_is_deleted_hears_so(ask, slowly):
    async with reading(await ask.raw(VERY_LONG, stream=True)) as parts:
        heard = b""
        while b"output_text.delta" not in heard:
            heard += await anext(parts)
        await ask.delete(events_in(heard.decode())[0]["response"]["id"])
        heard += b"".join([part async for part in parts])

    last = events_in(heard.decode())[-1]
    assert (last["type"], last["code"]) == ("error", "response_not_found")
    assert not await Message.objects.aexists()


async def test_one_answer_of_a_conversation_is_written_at_a_time(ask, slowly):
    first = await ask("one")
    begun = await ask(VERY_LONG, previous_response_id=first["id"], background=True)
    status, error = await ask.error("three", previous_response_id=first["id"])

    assert (status, error["code"]) == (409, "conversation_busy")
    await ask.cancel(begun["id"])


@pytest.mark.parametrize("query", ["stream=maybe", "stream=true&starting_after=x"])
async def test_a_bad_address_is_refused(ask, query):
    response = await ask("one")
    refused = await ask.api.get(f"/v1/responses/{response['id']}?{query}")
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] in ("stream", "starting_after")


def test_a_lost_answer_is_seen_where_there_is_one_process(settings):
    assert abandoned.is_lost(Message())
    settings.REDIS_URL = "redis://elsewhere"
    assert not abandoned.is_lost(Message())
