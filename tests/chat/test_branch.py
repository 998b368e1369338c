"""The end of a branch is what it is in the whole, and read without the rest."""

import uuid

import pytest

from chat.branch import attachments_before, branch, end_of_branch, num_attachments
from chat.models import Message, Role

from .talk import attached, message


@pytest.fixture
def long(conversation, local):
    """Six messages, files with the first and the fifth, and a branch of which nothing is shown."""
    rows = []
    for number in range(6):
        role = Role.ASSISTANT if number % 2 else Role.USER
        rows.append(message(conversation, f"text {number}", rows[-1] if rows else None, role))
    other = message(conversation, "an edited one", rows[1])
    for row in (rows[0], rows[0], rows[4], other):
        attached(local, row)
    conversation.head = rows[-1]
    conversation.save()
    return conversation


@pytest.mark.parametrize("length", [1, 2, 6])
def test_the_end_of_a_branch_is_that_of_the_whole(long, length):
    whole = branch(long)

    for number in range(length, len(whole) + 1):
        end, num_before = end_of_branch(whole[number - 1].message.uid, length)
        expected = whole[number - length : number]
        assert end == expected
        assert [one.position for one in end] == [one.position for one in expected]
        parents = [[one.message.parent for one in some] for some in (end, expected)]
        assert parents[0] == parents[1]
        assert parents[0][0] is None or parents[0][0].uid == parents[1][0].uid
        counted = attachments_before(whole)
        numbers = attachments_before(end, num_before)
        assert numbers == {key: counted[key] for key in numbers}


def test_of_the_rest_no_text_is_read(long, django_assert_num_queries):
    first, *_, question, answer = branch(long)
    Message.objects.filter(pk=first.message.pk).update(text="much " * 10_000)

    with django_assert_num_queries(4) as captured:
        end_of_branch(answer.message.uid, 2)

    sent = [one["sql"] for one in captured if '"chat_message"."text"' in one["sql"]]
    assert len(sent) == 1
    assert f"IN ({question.message.pk}, {answer.message.pk})" in sent[0]


def test_of_a_first_turn_little_has_to_be_asked(conversation, django_assert_num_queries):
    question = message(conversation, "Hello")
    answer = message(conversation, "Hi", question, Role.ASSISTANT)

    with django_assert_num_queries(3):
        end_of_branch(answer.uid, 2)
    with django_assert_num_queries(1):
        assert num_attachments(answer.uid) == 0


def test_files_are_counted_on_the_branch_only(long):
    shown = branch(long)

    assert [num_attachments(one.message.uid) for one in shown] == [2, 2, 2, 2, 3, 3]


@pytest.mark.django_db
def test_what_is_not_there_has_no_end():
    with pytest.raises(Message.DoesNotExist):
        end_of_branch(uuid.uuid4(), 1)
