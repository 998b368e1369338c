"""What has been said is not said twice, however often it is sent."""

import asyncio
import uuid

import pytest
from channels.db import database_sync_to_async

from chat.models import Conversation, Message

from .socket import Socket
from .talk import attached, conversation, person


@pytest.fixture
def slowly(settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.05}


def new_id() -> str:
    return uuid.uuid4().hex


@database_sync_to_async
def said():
    return [*Message.objects.filter(role="user").values_list("text", flat=True)]


async def told_again(socket, done):
    """What that socket is told of an answer that was over; its text."""
    again = await socket.hear_until("accepted", "error")
    assert (again["type"], again.get("again")) == ("accepted", True)
    assert (again["message"], again["seq"]) == (done["message"], 0)
    assert await socket.hear_until("title")
    assert (await socket.hear_until("done"))["status"] == done["status"]
    return socket.text(done["message"])


async def test_what_was_said_is_answered_once_and_told_again(socket):
    question = new_id()
    done = await socket.answered("one two", question=question)
    assert socket.heard[0]["question"] == question
    async with Socket.opened() as other:
        await other.say("send", text="one two", question=question, ref="mine")
        assert await told_again(other, done) == "one two "
        assert other.heard[0]["ref"] == "mine"

    assert await said() == ["one two"]
    assert await Conversation.objects.acount() == 1


async def test_an_answer_that_is_being_written_is_told_from_its_beginning(slowly, socket):
    question, text = new_id(), "a b c d e f"
    await socket.ask(text, question=question)
    begun = await socket.hear_until("delta")
    async with Socket.opened() as other:
        # Without a parent: it would follow the answer under way.
        accepted = await other.ask(text, question=question, conversation=begun["conversation"])
        done = await other.hear_until("done")

    assert accepted["again"]
    assert done["status"] == "complete"
    assert other.text(begun["message"]) == "a b c d e f "
    assert await said() == [text]


async def test_of_two_that_come_at_once_one_begins_a_conversation(socket):
    question = new_id()
    async with Socket.opened() as other:
        await asyncio.gather(
            *(one.say("send", text="one two", question=question) for one in (socket, other))
        )
        first, second = [await one.hear_until("done") for one in (socket, other)]

    assert first["message"] == second["message"]
    assert await said() == ["one two"]
    assert await Conversation.objects.acount() == 1


async def test_an_edit_makes_one_branch(socket):
    first = await socket.answered("one")
    asked = (await Message.objects.aget(text="one")).uid.hex
    frame = {"message": asked, "text": "two", "question": new_id()}
    await socket.say("edit", **frame)
    done = await socket.hear_until("done")
    socket.heard.clear()
    await socket.say("edit", **frame)

    assert await told_again(socket, done) == "two "
    assert done["message"] != first["message"]
    assert await said() == ["one", "two"]


async def test_files_that_went_with_it_are_no_reason_to_refuse_it(socket, local):
    file = await database_sync_to_async(attached)(local)
    frame = {"text": "one", "question": new_id(), "attachments": [str(file.uid)]}
    done = await socket.answered(**frame)
    socket.heard.clear()
    await socket.say("send", **frame)

    assert await told_again(socket, done)
    assert await said() == ["one"]


@pytest.mark.parametrize("type", ["send", "edit"])
async def test_an_id_is_for_the_same_words(socket, type):
    question = new_id()
    await socket.answered("one", question=question)
    named = {"message": question} if type == "edit" else {}
    await socket.say(type, text="two", question=question, **named)
    error = await socket.hear_until("error")

    assert (error["code"], error["param"]) == ("invalid_request_error", "question")
    assert question in error["text"].replace("-", "")
    assert await said() == ["one"]


async def test_nobody_is_told_what_somebody_else_has_said(socket, local):
    bob = await database_sync_to_async(person)("bob")
    await database_sync_to_async(conversation)(bob, said=("one", "two"))
    foreign = await Message.objects.aget(text="one")
    await socket.say("send", text="one", question=foreign.uid.hex)
    error = await socket.hear_until("accepted", "error")

    assert (error["type"], error["param"]) == ("error", "question")
    assert not await Conversation.objects.filter(user=local).aexists()


async def test_an_answer_is_no_question(socket):
    done = await socket.answered("one")
    await socket.say("send", text="one ", question=done["message"])

    assert (await socket.hear_until("error"))["param"] == "question"
