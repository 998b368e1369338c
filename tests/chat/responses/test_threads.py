"""Responses as turns of conversations: gone on from here and on pages, and deleted."""

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from chat.models import Attachment, Conversation, Message, Role
from tests.chat.socket import Socket
from tests.chat.talk import attached, conversation

from .asking import text_of

PREVIOUS = "previous_response_id"


def uid_of(response):
    return response["id"].removeprefix("resp_")


def page_of(response):
    conversation = response["conversation"]["id"].removeprefix("conv_")
    return sync_to_async(Client().get)(
        f"/c/{conversation[:8]}-{conversation[8:12]}-"
        f"{conversation[12:16]}-{conversation[16:20]}-{conversation[20:]}/"
    )


async def test_the_next_response_has_read_the_one_before(ask):
    first = await ask("one")
    second = await ask("two", previous_response_id=first["id"])

    assert text_of(second) == "one one two "
    assert second[PREVIOUS] == first["id"]
    assert second["conversation"] == first["conversation"]
    assert await Conversation.objects.acount() == 1


async def test_two_that_follow_one_are_branches(ask):
    first = await ask("one")
    second = await ask("two", previous_response_id=first["id"])
    third = await ask("three", previous_response_id=first["id"])

    assert text_of(third) == "one one three "
    assert (await ask.get(second["id"]))["output"] == second["output"]
    answer = await Message.objects.select_related("parent").aget(uid=uid_of(third))
    assert await Message.objects.filter(parent=answer.parent.parent_id).acount() == 2


async def test_instructions_hold_for_one_response(ask):
    first = await ask("one", instructions="be")
    second = await ask("two", previous_response_id=first["id"])
    third = await ask("three", previous_response_id=first["id"], instructions="do")

    assert text_of(second) == "one be one two "
    assert text_of(third) == "do one be one three "


async def test_a_conversation_goes_on_at_its_end(ask):
    first = await ask("one")
    second = await ask("two", conversation=first["conversation"]["id"])
    third = await ask("three", conversation={"id": first["conversation"]["id"]})

    assert (second[PREVIOUS], third[PREVIOUS]) == (first["id"], second["id"])
    assert text_of(second) == "one one two "


async def test_one_that_is_not_stored_may_follow_one_that_is(ask):
    first = await ask("one")
    second = await ask("two", previous_response_id=first["id"], store=False)

    assert (text_of(second), second[PREVIOUS]) == ("one one two ", first["id"])
    assert await Message.objects.acount() == 2


async def test_a_thread_is_a_page_of_the_chat(ask):
    response = await ask("one two", instructions="be brief")
    await ask("three", previous_response_id=response["id"])
    page = (await page_of(response)).content.decode()

    assert all(text in page for text in ("one two", "be brief one two", "three"))
    assert f"message-{uid_of(response)}" in page
    assert "one two" in (await sync_to_async(Client().get)("/c/list/recent/")).content.decode()


async def test_a_thread_goes_on_in_the_browser_and_back(ask):
    first = await ask("one", instructions="be")
    conversation = first["conversation"]["id"].removeprefix("conv_")
    async with Socket.opened() as socket:
        done = await socket.answered("two", conversation=conversation)
        assert socket.text(done["message"]) == "be one be one two "
    of_page = await ask.get(f"resp_{done['message']}")
    third = await ask("three", previous_response_id=of_page["id"])

    assert (of_page["status"], of_page[PREVIOUS]) == ("completed", first["id"])
    assert text_of(of_page) == "be one be one two "
    assert text_of(third) == "be one be one two be one be one two three "  # the person's prompt


async def test_what_a_person_says_becomes_a_response_from_the_start(ask):
    async with Socket.opened() as socket:
        done = await socket.answered("one two")
    response = await ask.get(f"resp_{done['message']}")
    events = await ask.resume(response["id"])

    assert text_of(response) == "one two "
    assert events[-1]["response"] == response
    assert [one["content"][0]["text"] for one in await ask.items(response["id"])] == ["one two"]


async def test_a_response_is_given_no_title_by_the_model(ask):
    await ask("one")
    conversation = await Conversation.objects.aget()
    assert (conversation.title, conversation.is_title_given) == ("one", False)


# Input items


async def test_input_items_are_all_that_was_read(ask):
    first = await ask([{"role": "system", "content": "be"}, {"role": "user", "content": "one"}])
    second = await ask("two", previous_response_id=first["id"])
    items = await ask.items(second["id"])

    said = [(item["role"], item["content"][0]["text"]) for item in items]
    assert said == [("system", "be"), ("user", "one"), ("assistant", "be one "), ("user", "two")]
    assert items[2]["id"] == first["output"][0]["id"]


async def test_input_items_come_in_pages_the_newest_first(ask):
    said = [{"role": "user", "content": f"w{number}"} for number in range(5)]
    response = await ask(said)
    path = f"{response['id']}/input_items"
    first = await ask.get(path, "?limit=2")
    second = await ask.get(path, f"?limit=3&after={first['last_id']}")

    texts = [[one["content"][0]["text"] for one in page["data"]] for page in (first, second)]
    assert texts == [["w4", "w3"], ["w2", "w1", "w0"]]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert first["first_id"] == first["data"][0]["id"]


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("order=up", "order"), ("after=x", "after")]
)
async def test_a_bad_page_is_refused(ask, query, param):
    response = await ask("one")
    refused = await ask.api.get(f"/v1/responses/{response['id']}/input_items?{query}")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


# Deleting


async def test_a_deleted_response_is_gone_with_what_was_said_for_it(ask):
    first = await ask("one")
    second = await ask("two", previous_response_id=first["id"])
    assert await ask.delete(second["id"]) == {
        "id": second["id"],
        "object": "response",
        "deleted": True,
    }

    assert (await ask.api.get(f"/v1/responses/{second['id']}")).status_code == 404
    assert (await ask.get(first["id"]))["output"] == first["output"]
    assert [m.text async for m in Message.objects.order_by("pk")] == ["one", "one "]
    conversation = await Conversation.objects.select_related("head").aget()
    assert conversation.head.uid.hex == uid_of(first)


async def test_with_its_only_response_a_conversation_goes(ask):
    response = await ask("one")
    await ask.delete(response["id"])
    assert not await Conversation.objects.aexists()


async def test_one_that_was_gone_on_from_is_found_no_more_and_stays_for_what_follows(ask):
    first = await ask("one")
    second = await ask("two", previous_response_id=first["id"])
    await ask.delete(first["id"])

    assert (await ask.api.get(f"/v1/responses/{first['id']}")).status_code == 404
    assert (await ask.error("x", previous_response_id=first["id"]))[0] == 404
    assert text_of(await ask("x", previous_response_id=second["id"])).startswith("one one two")


async def test_a_deleted_branch_leaves_the_other(ask):
    first = await ask("one")
    second = await ask("two", previous_response_id=first["id"])
    third = await ask("three", previous_response_id=first["id"])
    await ask.delete(third["id"])

    assert (await ask.get(second["id"]))["id"] == second["id"]
    assert not await Message.objects.filter(text="three").aexists()


async def test_what_a_person_said_before_stays_though_nobody_has_answered_it(ask, local):
    """As in conversations that were imported."""
    there = await sync_to_async(conversation)(local, "Cake", ("one", "one ", "two"))
    response = await ask("three", conversation=f"conv_{there.uid.hex}")
    assert response[PREVIOUS] is None
    await ask.delete(response["id"])

    assert [m.text async for m in there.messages.all()] == ["one", "one ", "two"]
    await there.arefresh_from_db()
    assert there.head_id == (await there.messages.alast()).pk


async def test_what_is_not_answered_is_no_response(ask, local):
    there = await sync_to_async(conversation)(local, "Cake", ("one",))
    async with Socket.opened() as socket:
        done = await socket.answered("two", conversation=there.uid.hex)

    assert (await ask.get(f"resp_{done['message']}"))[PREVIOUS] is None


async def test_an_edited_message_keeps_its_files_when_the_first_is_deleted(ask, local):
    async with Socket.opened() as socket:
        file = await sync_to_async(attached)(local, text="all of it")
        first = await socket.ask("one", attachments=[file.uid.hex])
        await socket.hear_until("done")
        for _ in range(2):
            await socket.say("edit", message=first["question"], text="two")
            edited = (await socket.hear_until("accepted"))["question"]
            await socket.hear_until("done")
    await ask.delete(f"resp_{first['message']}")

    assert not await Message.objects.filter(uid=first["question"]).aexists()
    files = Attachment.objects.select_related("source")
    assert [one.content async for one in files] == ["all of it", "all of it"]
    assert (await files.aget(message__uid=edited)).text == ""
    assert (await sync_to_async(files.num_characters)()) == len("all of it")


async def test_what_a_refused_request_said_is_taken_back(ask):
    first = await ask("one")
    assert (await ask.error("w " * 5000, previous_response_id=first["id"]))[0] == 400

    assert [m.role async for m in Message.objects.order_by("pk")] == [Role.USER, Role.ASSISTANT]
    conversation = await Conversation.objects.select_related("head").aget()
    assert conversation.head.uid.hex == uid_of(first)


async def test_a_refused_request_leaves_its_conversation_as_it_was(ask, local):
    there = await sync_to_async(conversation)(
        local, "Cake", ("one", "one "), system_prompt="be", model="gpt-fake"
    )
    first = f"resp_{(await there.messages.alast()).uid.hex}"
    await ask("two", previous_response_id=first, instructions="do")
    before = await Conversation.objects.values().aget()
    assert (await ask.error("w " * 5000, previous_response_id=first, instructions="no"))[0] == 400

    assert await Conversation.objects.values().aget() == before
