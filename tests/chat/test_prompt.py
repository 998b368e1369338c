"""What the model is given to read: templates that insist on turns get turns."""

import pytest

from chat.branch import messages_up_to
from chat.models import Role, Status
from chat.prompt import prompt_of
from inference.engine.template import ChatTemplate
from tests.engine.test_template import GEMMA2, MISTRAL

from .talk import attached, conversation, message, person

STRICT = [ChatTemplate(source, "<s>", "</s>") for source in (GEMMA2, MISTRAL)]
FAILED = {"status": Status.FAILED, "error_code": "overloaded"}
DENIED = {"status": Status.FAILED, "error_code": "content_denied"}


@pytest.fixture
def talk(db):
    return conversation(person("alice"), system_prompt="Be brief.")


def said(talk, *turns):
    """Questions, each with what its answer is, but for the last one."""
    last = None
    for text, answer in turns:
        last = message(talk, text, last)
        if answer is not None:
            last = message(talk, parent=last, role=Role.ASSISTANT, **answer)
    return messages_up_to(last)


def contents(prompt):
    return [(one["role"], one["content"]) for one in prompt.messages]


def uids(rows):
    return [row.uid for row in rows]


@pytest.mark.parametrize("template", STRICT)
@pytest.mark.parametrize("status", [Status.FAILED, Status.INTERRUPTED, Status.STOPPED])
def test_strict_templates_take_what_follows_an_answer_without_a_word(talk, template, status):
    branch = said(
        talk,
        ("one", {"text": "1"}),
        ("two", {"text": "", "status": status}),
        ("three", {"text": "", "status": status}),
        ("four", None),
    )
    prompt = prompt_of(talk.system_prompt, branch)

    assert contents(prompt) == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "1"),
        ("user", "two\n\nthree\n\nfour"),
    ]
    assert "two\n\nthree\n\nfour" in template.render(prompt.messages)


def test_rows_are_those_that_a_message_comes_from(talk):
    branch = said(talk, ("one", {"text": "", **FAILED}), ("two", {"text": "2"}), ("three", None))
    prompt = prompt_of(talk.system_prompt, branch)

    assert uids(prompt.rows_of([1])) == uids([branch[0], branch[2]])
    assert uids(prompt.rows_of([0, 2, 3])) == uids([branch[3], branch[4]])


def test_a_question_that_was_refused_for_what_it_says_does_not_refuse_the_next(talk):
    branch = said(talk, ("forbidden", {"text": "", **DENIED}), ("fine", None))

    assert contents(prompt_of(talk.system_prompt, branch))[1:] == [("user", "fine")]


def test_a_question_that_is_asked_again_is_asked_whatever_was_said_of_it(talk):
    branch = said(talk, ("forbidden", {"text": "", **DENIED}))

    assert contents(prompt_of(talk.system_prompt, branch[:1]))[1:] == [("user", "forbidden")]


def test_documents_are_numbered_as_on_the_page(talk):
    branch = said(talk, ("forbidden", {"text": "", **DENIED}), ("fine", None))
    for row in (branch[0], branch[2]):
        attached(talk.user, row)
    prompt = prompt_of(talk.system_prompt, messages_up_to(branch[2]))

    assert '<document number="2"' in prompt.messages[-1]["content"]
