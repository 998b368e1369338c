"""Turns in the database: nothing is overwritten, and one answer is written at a time."""

import uuid
from copy import copy
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.accounting import HOLDER
from accounts.models import Lease
from chat import running, turns
from chat.branch import branch, messages_up_to, switch
from chat.errors import ConversationBusy, MessageNotFound
from chat.models import Attachment, Conversation, Message, Role, Status
from chat.prompt import prompt_of


def say(conversation, text="Hello", parent=None, attachments=(), answer="Hi"):
    """A turn that is over."""
    turn = turns.say(conversation, parent, text, attachments, "channel")
    running.end(turn.answer, Status.COMPLETE, text=answer)
    return turn


def texts(conversation):
    return [shown.message.text for shown in branch(conversation)]


def test_a_turn_is_a_question_and_an_answer_that_is_being_written(conversation):
    turn = turns.say(conversation, None, "Hello", [], "channel")

    assert (turn.question.role, turn.question.text) == (Role.USER, "Hello")
    assert (turn.answer.parent, turn.answer.status) == (turn.question, Status.RUNNING)
    assert (turn.answer.holder, turn.answer.model) == (HOLDER, "fake")
    conversation.refresh_from_db()
    assert (conversation.head, conversation.title) == (turn.answer, "Hello")


def test_while_an_answer_is_written_there_is_no_other(conversation):
    turn = turns.say(conversation, None, "Hello", [], "channel")

    with pytest.raises(ConversationBusy):
        turns.say(conversation, turn.answer, "And?", [], "channel")
    with pytest.raises(ConversationBusy):
        turns.edit(turn.question, "Hello!", None, "channel")
    with pytest.raises(ConversationBusy):
        turns.again(turn.answer, "", "channel")
    assert Message.objects.count() == 2


def test_an_edited_message_is_a_branch_and_the_old_one_is_there(conversation):
    first = say(conversation, "Hello")
    say(conversation, "And?", first.answer)
    second = turns.edit(first.question, "Good morning", None, "channel")
    running.end(second.answer, Status.COMPLETE, text="Good morning to you")

    assert texts(conversation) == ["Good morning", "Good morning to you"]
    assert branch(conversation)[0].position == 2
    switch(conversation, first.question.uid)
    assert texts(conversation) == ["Hello", "Hi", "And?", "Hi"]


def test_another_answer_stands_beside_the_first(conversation):
    first = say(conversation)
    second = turns.again(first.answer, "other", "channel")
    running.end(second.answer, Status.COMPLETE, text="Hey")

    conversation.refresh_from_db()
    shown = branch(conversation)[-1]
    assert (shown.message.text, shown.message.model) == ("Hey", "other")
    assert (shown.position, shown.previous, shown.next) == (2, first.answer.uid, None)


def test_a_message_without_an_answer_gets_one(conversation):
    question = Message.objects.create(conversation=conversation, role=Role.USER, text="Hello")

    assert turns.again(question, "", "channel").answer.parent == question


def test_there_is_no_other_answer_to_nothing(conversation):
    alone = Message.objects.create(conversation=conversation, role=Role.ASSISTANT, text="Hello")

    with pytest.raises(MessageNotFound):
        turns.again(alone, "", "channel")


@pytest.mark.parametrize("status", [Status.STOPPED, Status.INTERRUPTED, Status.FAILED])
def test_what_was_cut_off_can_go_on(conversation, status):
    turn = turns.say(conversation, None, "Hello", [], "channel")
    running.end(turn.answer, status, text="Good mor", error="why", error_code="engine_error")

    again = turns.write_on(turn.answer, "another")

    assert (again.answer.pk, again.answer.text) == (turn.answer.pk, "Good mor")
    again.answer.refresh_from_db()
    assert again.answer.is_running
    assert (again.answer.error, again.answer.channel) == ("", "another")


def test_what_is_complete_does_not_go_on(conversation):
    turn = say(conversation)

    with pytest.raises(MessageNotFound):
        turns.write_on(turn.answer, "another")


def test_a_switch_to_another_conversations_message_finds_nothing(conversation):
    with pytest.raises(MessageNotFound):
        switch(conversation, uuid.uuid4())


def test_a_turn_that_is_taken_back_leaves_what_somebody_has_changed_since(conversation):
    before = copy(conversation)
    conversation.model, conversation.system_prompt = "other", "do"
    conversation.save()
    turn = replace(turns.say(conversation, None, "Hello", [], "channel"), before=before)
    Conversation.objects.update(system_prompt="a person's")
    turns.put_back(turn)

    conversation.refresh_from_db()
    assert (conversation.model, conversation.system_prompt) == ("fake", "a person's")
    assert conversation.updated_at == before.updated_at


# Attachments


@pytest.fixture
def attachment(local):
    return Attachment.objects.create(user=local, name="a.txt", size_bytes=1, text="a")


def test_an_attachment_goes_with_one_message(conversation, attachment):
    turn = say(conversation, attachments=[attachment.uid])

    assert [*turn.question.attachments.all()] == [attachment]
    with pytest.raises(MessageNotFound) as caught:
        say(conversation, parent=turn.answer, attachments=[attachment.uid])
    assert caught.value.param == "attachments"


def test_an_edited_message_keeps_its_attachments_unless_told_otherwise(conversation, attachment):
    first = say(conversation, attachments=[attachment.uid])
    kept = turns.edit(first.question, "Hello!", None, "channel")
    running.end(kept.answer, Status.COMPLETE)
    dropped = turns.edit(first.question, "Hello?", [], "channel")

    assert [a.content for a in kept.question.attachments.all()] == ["a"]
    assert [a.pk for a in first.question.attachments.all()] == [attachment.pk]
    assert not dropped.question.attachments.exists()


def test_edits_share_the_text_of_their_files(conversation, attachment):
    turn = say(conversation, attachments=[attachment.uid])
    for _ in range(3):
        turn = turns.edit(turn.question, "Again", None, "channel")
        running.end(turn.answer, Status.COMPLETE, text="Hi")
    (copy,) = turn.question.attachments.all()

    assert (copy.content, copy.text, copy.source) == ("a", "", attachment)
    assert Attachment.objects.num_characters() == 1
    prompt = prompt_of(conversation.system_prompt, messages_up_to(turn.question))
    assert "\na\n" in prompt.messages[-1]["content"]


# Answers that nobody writes any more


def test_whoever_lost_an_answer_does_not_write_it(conversation):
    turn = turns.say(conversation, None, "Hello", [], "channel")
    assert running.checkpoint(turn.answer, text="Good mor")

    running.give_up(turn.answer)

    assert not running.checkpoint(turn.answer, text="Good morning")
    assert not running.end(turn.answer, Status.COMPLETE, text="Good morning")
    turn.answer.refresh_from_db()
    assert (turn.answer.text, turn.answer.status) == ("Good mor", Status.INTERRUPTED)


def left_by(holder, conversation, **lease):
    """An answer that another process writes, or wrote."""
    turn = turns.say(conversation, None, "Hello", [], "channel")
    Message.objects.filter(pk=turn.answer.pk).update(holder=holder)
    Lease.objects.create(holder=holder, **lease)
    return turn


def test_with_redis_answers_are_abandoned_once_the_lease_has_run_out(conversation, settings):
    settings.REDIS_URL = "redis://nowhere"
    other, hour = uuid.uuid4(), timedelta(hours=1)
    turn = left_by(other, conversation, expires_at=timezone.now() + hour)
    assert running.abandoned() == []

    Lease.objects.update(expires_at=timezone.now() - hour)
    assert running.abandoned() == [turn.answer]


def test_without_redis_there_is_no_other_process(conversation, settings):
    settings.REDIS_URL = None
    hour = timedelta(hours=1)
    turn = left_by(uuid.uuid4(), conversation, expires_at=timezone.now() + hour)

    assert running.abandoned() == [turn.answer]


def test_an_answer_that_was_left_holds_nobody_up(conversation, settings):
    settings.REDIS_URL = None
    turn = left_by(uuid.uuid4(), conversation, expires_at=timezone.now())
    turn.answer.refresh_from_db()

    turns.say(conversation, turn.answer, "And?", [], "channel")

    turn.answer.refresh_from_db()
    assert turn.answer.status == Status.INTERRUPTED


def test_an_answer_goes_on_once(conversation):
    turn = turns.say(conversation, None, "Hello", [], "channel")
    running.end(turn.answer, Status.STOPPED, text="Good", completion_tokens=3)
    as_it_was = Message.objects.get(pk=turn.answer.pk)
    again = turns.write_on(turn.answer, "one")

    with pytest.raises(ConversationBusy):
        turns.write_on(as_it_was, "another")
    assert again.answer.completion_tokens is None


def test_only_what_people_said_is_edited(conversation):
    turn = say(conversation)

    with pytest.raises(MessageNotFound):
        turns.edit(turn.answer, "Hello!", None, "channel")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("\n  \nHello\nthere", "Hello"),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" * 200, "x" * 60 + "…"),
        ("", ""),
    ],
)
def test_a_first_title_is_how_the_first_message_begins(text, title):
    assert turns.first_title(text) == title
