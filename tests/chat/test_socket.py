"""The chat socket: turns, branches, and what is refused."""

import asyncio
import uuid

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import connections
from django.test import AsyncClient

from accounts.models import Policy, UsageRecord
from chat import fragments
from chat.branch import branch
from chat.models import Conversation, Message, Status
from inference.models import LanguageModel

from .socket import Socket

NOBODY = str(uuid.UUID(int=4))


@database_sync_to_async
def shown(uid):
    conversation = Conversation.objects.get(uid=uid)
    return [(one.message.role, one.message.text) for one in branch(conversation)]


async def row(uid):
    return await Message.objects.aget(uid=uid)


# Turns


async def test_a_question_is_answered_piece_by_piece(socket):
    done = await socket.answered("one two three", ref="mine")

    accepted = socket.heard[0]
    assert (accepted["type"], accepted["ref"]) == ("accepted", "mine")
    assert socket.text(done["message"]) == "one two three "
    assert (done["status"], done["finish_reason"]) == ("complete", "stop")
    assert await shown(done["conversation"]) == [
        ("user", "one two three"),
        ("assistant", "one two three "),
    ]


async def test_an_answer_says_what_it_cost(socket):
    await socket.ask("one two three")
    usage = await socket.hear_until("usage")

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 4)
    assert usage["context_length"] == 4096
    assert usage["unseen"] == []
    record = await UsageRecord.objects.filter(status="stop").afirst()
    assert (record.endpoint, record.prompt_tokens) == ("chat", 3)


async def test_the_next_turn_has_read_the_one_before(socket):
    first = await socket.answered("one")
    await socket.answered("two", conversation=first["conversation"])

    assert (await shown(first["conversation"]))[-1] == ("assistant", "one one two ")


async def test_a_conversation_has_a_system_prompt_and_parameters(socket):
    done = await socket.answered("two", system_prompt="one", parameters={"max_tokens": 1})

    assert socket.text(done["message"]) == "one "
    assert done["finish_reason"] == "length"


async def test_a_conversation_begins_with_a_model_that_can_be_chosen(socket):
    done = await socket.answered("one")

    assert (await Conversation.objects.aget(uid=done["conversation"])).model == "fake"


async def test_a_message_said_differently_is_a_branch(socket):
    first = await socket.answered("one")
    question = socket.heard[0]["question"]
    await socket.say("edit", message=question, text="two")
    await socket.hear_until("done")

    assert await shown(first["conversation"]) == [("user", "two"), ("assistant", "two ")]
    assert await Message.objects.filter(text="one").aexists()


async def test_a_message_said_differently_is_answered_by_the_model_that_is_chosen(socket):
    first = await socket.answered("one")
    question = socket.heard[0]["question"]
    await LanguageModel.objects.acreate(slug="other", source="file:///o", file="/o.gguf")
    await socket.say("edit", message=question, text="two", model="other")
    done = await socket.hear_until("done")

    assert (await row(done["message"])).model == "other"
    assert (await Conversation.objects.aget(uid=first["conversation"])).model == "other"
    await socket.say("edit", message=question, text="three", model="none")
    assert (await socket.hear_until("error"))["code"] == "model_not_found"


async def test_another_answer_leaves_the_first_where_it_is(socket):
    first = await socket.answered("one")
    await socket.say("regenerate", message=first["message"])
    second = await socket.hear_until("done")

    assert second["message"] != first["message"]
    assert (await row(first["message"])).text == "one "


async def test_a_conversation_gets_a_title_from_its_model(socket):
    done = await socket.answered("one two three")
    title = await socket.hear_until("title")

    assert title["conversation"] == done["conversation"]
    conversation = await Conversation.objects.aget(uid=done["conversation"])
    assert conversation.title == title["title"]
    assert title["title"].startswith("Write a title")  # the fake model repeats what it reads


# Stopping and going on


LONG = " ".join(f"w{number}" for number in range(300))


@pytest.fixture
def slowly(settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.01}


async def test_a_stop_ends_the_answer_and_keeps_what_there_is(slowly, socket):
    accepted = await socket.ask(LONG)
    await socket.hear_until("delta")
    await socket.say("stop", message=accepted["message"])
    done = await socket.hear_until("done")

    assert (done["status"], done["finish_reason"]) == ("stopped", "cancelled")
    message = await row(accepted["message"])
    assert message.text == socket.text(accepted["message"])
    assert LONG.startswith(message.text.strip())
    assert message.text.strip() != LONG


async def test_a_stop_reaches_a_request_that_still_waits(socket, settings):
    settings.ENGINE_OPTIONS = {"fake_step_seconds": 0.05, "max_sequences": 1}
    first = await socket.ask(LONG)
    second = await socket.ask("two")
    await socket.say("stop", message=second["message"])
    while (done := await socket.hear_until("done"))["message"] != second["message"]:
        pass

    assert done["status"] == "stopped"
    await socket.say("stop", message=first["message"])
    await socket.hear_until("done")


async def test_what_was_stopped_goes_on(slowly, socket):
    accepted = await socket.ask(LONG)
    await socket.hear_until("delta")
    await socket.say("stop", message=accepted["message"])
    await socket.hear_until("done")
    before = (await row(accepted["message"])).text
    await socket.say("continue", message=accepted["message"])
    again = await socket.hear_until("accepted")
    delta = await socket.hear_until("delta")

    assert (again["message"], again["seq"]) == (accepted["message"], len(before))
    assert delta["seq"] == len(before) + len(delta["text"])
    await socket.say("stop", message=accepted["message"])
    await socket.hear_until("done")
    assert (await row(accepted["message"])).text.startswith(before + delta["text"])


async def test_what_was_stopped_while_it_was_thought_about_goes_on(slowly, page):
    """Its thoughts go on, and the answer comes behind them."""
    accepted = await page.ask(f"<think>{LONG}</think> one two")
    await page.hear_until("reasoning")
    await page.say("stop", message=accepted["message"])
    stopped = await page.hear_until("done")
    before = await row(accepted["message"])
    await page.say("continue", message=accepted["message"])
    again = await page.hear_until("accepted")
    done = await page.hear_until("done")

    assert (before.text, stopped["html"].count('data-do="continue"')) == ("", 1)
    assert (again["seq"], again["reasoning_seq"]) == (0, len(before.reasoning))
    whole = await row(accepted["message"])
    assert done["status"] == "complete"
    assert whole.reasoning.startswith(before.reasoning)
    assert page.text(whole.uid.hex, "reasoning") == whole.reasoning
    assert page.text(whole.uid.hex) == whole.text != ""


# Whoever else follows


async def test_an_answer_goes_on_when_its_socket_closes(slowly, fake_model, local):
    async with Socket.opened() as socket:
        accepted = await socket.ask(LONG)
        await socket.hear_until("delta")
    async with Socket.opened() as other:
        await other.say(
            "resume", conversation=accepted["conversation"], message=accepted["message"]
        )
        done = await other.hear_until("done")

    assert done["status"] == "complete"
    assert other.text(accepted["message"]) == LONG + " "
    assert (await row(accepted["message"])).text == LONG + " "


async def test_whoever_resumes_gets_what_comes_after_what_they_have(slowly, socket):
    accepted = await socket.ask(LONG)
    delta = await socket.hear_until("delta")
    ids = {name: accepted[name] for name in ("conversation", "message")}
    async with Socket.opened() as other:
        await other.say("resume", **ids, seq=delta["seq"])
        await other.hear_until("done")

    text = "".join(frame["text"] for frame in other.heard if frame["type"] == "delta")
    assert socket.text(accepted["message"])[: delta["seq"]] + text == LONG + " "


async def test_a_second_socket_hears_the_turns_of_the_first(socket):
    first = await socket.answered("one")
    async with Socket.opened() as other:
        await other.say("resume", conversation=first["conversation"])
        await other.say("leave", conversation=NOBODY)  # nothing comes of it
        await asyncio.sleep(0)
        await socket.answered("two", conversation=first["conversation"], ref="mine")
        done = await other.hear_until("done")

    assert other.text(done["message"]) == "one one two "
    assert [frame for frame in other.heard if "ref" in frame] == []


async def test_whoever_follows_hears_that_another_branch_is_shown(socket):
    first = await socket.answered("one")
    await socket.say("regenerate", message=first["message"])
    await socket.hear_until("done")
    answered = await AsyncClient().post("/c/branch/", {"message": first["message"]})

    assert answered.status_code == 302
    switched = {"type": "switched", "conversation": first["conversation"]}
    assert await socket.hear_until("switched") == switched


async def test_what_is_said_follows_the_message_that_is_named(socket):
    """Another tab may show another branch by now."""
    first = await socket.answered("one")
    await socket.say("regenerate", message=first["message"])
    await socket.hear_until("done")
    async with Socket.opened() as other:
        await other.say("resume", conversation=first["conversation"])
        await other.hear_until("title")
        ids = {"conversation": first["conversation"], "parent": first["message"]}
        done = await socket.answered("two", **ids)
        assert (await other.hear_until("done"))["message"] == done["message"]

    answer = await Message.objects.select_related("parent__parent").aget(uid=done["message"])
    assert answer.parent.parent.uid.hex == first["message"]
    conversation = await Conversation.objects.aget(uid=first["conversation"])
    assert conversation.head_id == answer.pk


async def test_what_is_said_may_follow_a_message_that_nobody_has_answered(socket, conversation):
    question = await Message.objects.acreate(conversation=conversation, role="user", text="one")
    ids = {"conversation": conversation.uid.hex, "parent": question.uid.hex}
    await socket.answered("two", **ids)

    assert [text for _, text in await shown(conversation.uid)] == ["one", "two", "one two "]


async def test_whoever_resumes_is_told_the_title_of_now(socket, conversation):
    """A page may have been made before the model had found it."""
    await Conversation.objects.filter(pk=conversation.pk).aupdate(title="Found meanwhile")
    await socket.say("resume", conversation=conversation.uid.hex)

    ids = {"type": "title", "conversation": conversation.uid.hex}
    assert await socket.hear() == {**ids, "title": "Found meanwhile"}


async def test_an_answer_that_is_over_is_told_from_its_row(socket):
    first = await socket.answered("one two")
    async with Socket.opened() as other:
        await other.say("resume", conversation=first["conversation"], message=first["message"])
        done = await other.hear_until("done")

    assert other.text(first["message"]) == "one two "
    assert done["status"] == "complete"


async def test_an_answer_whose_process_died_is_interrupted_and_goes_on(socket, conversation):
    question = await Message.objects.acreate(
        conversation=conversation, role="user", text="one two three"
    )
    answer = await Message.objects.acreate(
        conversation=conversation,
        parent=question,
        role="assistant",
        text="one ",
        model="fake",
        status=Status.RUNNING,
        holder=uuid.uuid4(),
        channel="gone",
    )
    await socket.say("resume", conversation=conversation.uid.hex, message=answer.uid.hex, seq=0)
    done = await socket.hear_until("done")

    assert done["status"] == "interrupted"
    assert socket.text(answer.uid.hex) == "one "
    await socket.say("continue", message=answer.uid.hex)
    again = await socket.hear_until("done")
    assert again["status"] == "complete", socket.heard


# What a page's reader hears, in their language


@pytest.fixture
async def german(fake_model, local):
    async with Socket.opened("/ws/chat/?html=1", accept_language="de") as socket:
        yield socket
    await sync_to_async(connections.close_all)()


async def test_a_refusal_is_in_the_language_of_the_page(german, socket):
    for one, said in ((german, "Diese Nachricht oder Datei gibt"), (socket, "message: there is")):
        await one.say("stop", message=NOBODY)
        error = await one.hear_until("error")
        assert error["code"] == "message_not_found"
        assert error["text"].startswith(said)


async def test_code_that_streams_is_labelled_in_the_language_of_the_page(german):
    await german.answered("``` x")
    blocks = [frame["html"] for frame in german.heard if frame["type"] == "block"]

    assert blocks
    assert all(">Kopieren</button>" in html for html in blocks)


# What is refused


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"text": " "}, "invalid_request_error", "text"),
        ({"text": "a\0b"}, "invalid_request_error", "text"),
        ({"text": "a", "model": "none"}, "model_not_found", "none"),
        ({"text": "a", "conversation": NOBODY}, "conversation_not_found", NOBODY),
        ({"text": "a", "parent": NOBODY}, "message_not_found", NOBODY),
        ({"text": "a", "attachments": [NOBODY]}, "message_not_found", "attachments"),
        ({"text": "a", "parameters": {"heat": 1}}, "invalid_request_error", "heat"),
        ({"text": "a", "parameters": {"temperature": 9}}, "invalid_request_error", "temperature"),
        ({"text": "a", "parameters": {"stop": 1}}, "invalid_request_error", "stop"),
        ({"text": "a", "colour": 1}, "invalid_request_error", "colour"),
    ],
)
async def test_a_refusal_names_the_field_and_nothing_is_stored(socket, fields, code, named):
    await socket.say("send", **fields, ref="mine")
    error = await socket.hear()

    assert (error["type"], error["code"]) == ("error", code)
    assert named in error["text"]
    assert not await Message.objects.aexists()
    assert not await Conversation.objects.aexists()


async def test_a_bad_frame_is_refused_and_the_socket_stays_open(socket):
    await socket.say_raw("{")
    assert (await socket.hear())["code"] == "invalid_request_error"
    assert (await socket.answered("one"))["status"] == "complete"


async def test_one_answer_is_written_at_a_time(slowly, socket):
    accepted = await socket.ask(LONG)
    await socket.say("send", text="two", conversation=accepted["conversation"], ref="2")
    error = await socket.hear_until("error")

    assert (error["ref"], error["code"]) == ("2", "conversation_busy")
    await socket.say("stop", message=accepted["message"])
    await socket.hear_until("done")


async def test_an_answer_that_fails_says_why(socket):
    await socket.ask("fail")
    error = await socket.hear_until("error")
    done = await socket.hear_until("done")

    assert error["code"] == "engine_error"
    assert done["status"] == "failed"
    message = await row(done["message"])
    assert message.error == error["text"]


async def test_an_answer_whose_engine_dies_is_interrupted(socket):
    await socket.ask("one two three crash")
    error = await socket.hear_until("error")
    done = await socket.hear_until("done")

    assert error["code"] == "engine_restarting"
    assert (done["status"], socket.text(done["message"])) == ("interrupted", "one two three ")


async def test_policies_hold(socket, local):
    await Policy.objects.acreate(user=local, allowed_models=["other"])
    await socket.ask("one", model="fake")

    assert socket.heard[-1]["code"] == "permission_denied"
    assert "allowed_models" in socket.heard[-1]["text"]


async def test_quotas_hold_and_what_was_said_is_there(socket, local):
    await Policy.objects.acreate(user=local, tokens_per_day=2)
    await socket.ask("one two three four")
    error = await socket.hear_until("error")

    assert error["code"] in ("insufficient_quota", "limit_exceeded")
    done = await socket.hear_until("done")
    assert (done["status"], (await shown(done["conversation"]))[0][1]) == (
        "failed",
        "one two three four",
    )


async def test_requests_a_minute_hold(socket, local, one_minute):
    await Policy.objects.acreate(user=local, requests_per_minute=1)
    await socket.answered("one")
    await socket.say("send", text="two")

    assert (await socket.hear_until("error"))["code"] == "rate_limit_exceeded"


# Pages


def shown_html(socket, message, part="text"):
    blocks = {
        frame["index"]: frame["html"]
        for frame in socket.heard
        if (frame["type"], frame.get("message"), frame.get("part")) == ("block", message, part)
    }
    return "".join(blocks[index] for index in sorted(blocks))


@pytest.fixture
async def page(fake_model, local):
    async with Socket.opened("/ws/chat/?html=1") as page:
        yield page


async def test_a_page_gets_blocks_and_pieces_of_itself(page):
    accepted = await page.ask("**one** two")  # its text may come before it, which has a template
    done = await page.hear_until("done")

    assert accepted["message"] in accepted["html"]
    assert shown_html(page, done["message"]) == "<p><strong>one</strong> two</p>\n"
    assert "<strong>one</strong>" in done["html"]


async def test_a_page_that_is_opened_in_the_middle_shows_all_of_it(slowly, page):
    accepted = await page.ask(f"**{LONG}**")
    delta = await page.hear_until("delta")
    ids = {name: accepted[name] for name in ("conversation", "message")}
    async with Socket.opened("/ws/chat/?html=1") as other:
        await other.say("resume", **ids, seq=delta["seq"])
        await other.hear_until("done")
        html = shown_html(other, accepted["message"])

    assert html == f"<p><strong>{LONG}</strong></p>\n"


async def test_a_pages_text_waits_for_no_template(page, monkeypatch):
    text_was_heard = asyncio.Event()
    turn_html = fragments.turn_html

    async def late(answer, request):
        await text_was_heard.wait()
        return await turn_html(answer, request)

    monkeypatch.setattr(fragments, "turn_html", late)
    await page.say("send", text="one two")
    while (await page.hear())["type"] != "delta":
        pass
    assert [frame["type"] for frame in page.heard] == ["delta"]
    text_was_heard.set()
    done = await page.hear_until("done")

    types = [frame["type"] for frame in page.heard]
    assert types.index("accepted") < types.index("block") < types.index("done")
    assert page.text(done["message"]) == "one two "
    assert shown_html(page, done["message"]) == "<p>one two</p>\n"


async def test_a_page_that_is_left_hears_no_more_of_an_answer_that_ends(page, monkeypatch):
    is_ending = asyncio.Event()

    async def never(answer, request):
        is_ending.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(fragments, "message_html", never)
    accepted = await page.ask("one")
    await is_ending.wait()
    await page.say("leave", conversation=accepted["conversation"])
    await page.say("stop", message=NOBODY)  # answered when that was heeded

    assert (await page.hear_until("done", "error"))["type"] == "error"


async def test_thoughts_are_told_apart_from_the_answer(page):
    done = await page.answered("<think>one two</think> three")

    message = await row(done["message"])
    assert (message.reasoning.strip(), message.text.strip()) == ("one two", "three")
    assert shown_html(page, done["message"], "reasoning") == "<p>one two</p>\n"
