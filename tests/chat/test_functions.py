"""Functions that models have called, and what they returned, in conversations."""

import json

import pytest
from django.test import Client

from chat.exchange.export import json_pieces
from chat.models import Conversation, Message, Role
from chat.prompt import prompt_of
from chat.sharing import share, shared_messages

from .talk import message
from .test_exchange import imported

CALL = {"id": "call_1", "name": "weather", "arguments": '{"city": "Rome"}', "at": 0}


@pytest.fixture
def thread(conversation):
    """A question, a call, its result, and the answer."""
    question = message(conversation, "Is it warm?")
    asking = message(conversation, "", question, Role.ASSISTANT, calls=[CALL], reasoning="Ask.")
    result = message(conversation, "30 degrees", asking, Role.TOOL, call_id="call_1")
    conversation.head = message(conversation, "It is.", result, Role.ASSISTANT)
    conversation.save()
    return conversation


def branch(conversation):
    return [*conversation.messages.order_by("pk")]


def test_a_template_reads_them_as_clients_send_them(thread):
    prompt = prompt_of("Be brief.", branch(thread))
    messages = prompt.messages

    function = {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert messages[2] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        "reasoning_content": "Ask.",
    }
    assert messages[3] == {"role": "tool", "content": "30 degrees", "tool_call_id": "call_1"}
    assert prompt.rows == [[], *([row] for row in branch(thread))]


def test_the_page_shows_what_was_called_and_returned(thread):
    page = Client().get(thread.get_absolute_url()).content.decode()

    assert "Calls weather" in page
    assert "{&quot;city&quot;: &quot;Rome&quot;}" in page
    assert "<pre>30 degrees</pre>" in page


def test_a_link_does_not_show_what_was_returned(thread):
    shown = [one.text for one in shared_messages(share(thread))]

    assert shown == ["Is it warm?", "It is."]


def test_an_export_loses_nothing_of_them(thread, local):
    exported = "".join(json_pieces(Conversation.objects.all(), thread.updated_at))
    imported(local, json.loads(exported))
    again = Conversation.objects.exclude(pk=thread.pk).get()

    def facts(one):
        return [(m.role, m.text, m.calls, m.call_id) for m in branch(one)]

    assert facts(again) == facts(thread)


async def test_a_person_may_go_on_from_them(socket, thread):
    done = await socket.answered("So?", conversation=thread.uid.hex)

    assert done["status"] == "complete"
    called = '{"name": "weather", "arguments": {"city": "Rome"}}'
    said = f"Is it warm? {called} weather returned: 30 degrees It is. So?"
    assert socket.text(done["message"]) == f"{said} "


async def test_an_answer_to_a_result_can_be_given_again(socket, thread):
    await socket.say("regenerate", message=thread.head.uid.hex)
    done = await socket.hear_until("done", "error")

    assert done["status"] == "complete"
    again = await Message.objects.select_related("parent").aget(uid=done["message"])
    assert again.parent.role == Role.TOOL
