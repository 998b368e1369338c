"""What people find in their conversations, and what they do not."""

from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chat.models import Conversation, Message, Role, Status
from chat.search import Part, search
from chat.search.install import install, remove
from chat.search.words import MAX_LENGTH, MAX_TERMS, Term, parse
from tests.chat.talk import conversation, message, owner, person


@pytest.fixture
def alice(db):
    return person("alice")


def found(user, query, **options):
    """Titles of what is found."""
    return [hit.conversation.title for hit in search(owner(user), query, **options)]


# What is typed


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("   ", ()),
        ("cake", (Term("cake", is_prefix=True),)),
        ("cake ", (Term("cake"),)),
        ("apple cake", (Term("apple"), Term("cake", is_prefix=True))),
        ('"apple cake"', (Term("apple cake"),)),
        ('"apple ca', (Term("apple ca", is_prefix=True),)),
        ("cake -sugar", (Term("cake"), Term("sugar", is_excluded=True))),
        ("-sugar", ()),
        ('- " "" -" *', ()),
        ("a\0b", (Term("a"), Term("b", is_prefix=True))),
    ],
)
def test_words_phrases_and_exclusions_are_told_apart(text, terms):
    assert parse(text).terms == terms


def test_no_more_is_read_than_somebody_types():
    assert sum(len(term.text) for term in parse("x" * 10_000).terms) == MAX_LENGTH
    assert len(parse("x " * 10_000).terms) == MAX_TERMS


# What is found


def test_messages_of_both_sides_are_found_with_what_stands_around(alice):
    conversation(alice, "Baking", ("How do I bake an apple cake?", "Peel the apples first."))
    (hit,) = search(owner(alice), "peel ")
    assert hit.message.role == Role.ASSISTANT
    assert hit.snippet[0] == Part("Peel", True)
    assert hit.snippet[1].text.startswith(" the apples first")
    assert found(alice, "bake cake ") == ["Baking"]


def test_titles_come_first_and_each_conversation_once(alice):
    conversation(alice, "Cake", ("cake", "cake", "cake"))
    conversation(alice, "Later", ("cake", "cake or pie"))
    conversation(alice, "Latest", ("pie",))
    first, second = search(owner(alice), "cake")
    assert (first.conversation.title, first.message) == ("Cake", None)
    assert (second.conversation.title, second.message.text) == ("Later", "cake or pie")
    assert first.snippet == [Part("Cake", True)]


def test_what_was_said_last_comes_first_and_no_more_than_asked_for(alice):
    for number in range(5):
        conversation(alice, str(number), ("cake",))
    assert found(alice, "cake", limit=3) == ["4", "3", "2"]


@pytest.mark.parametrize("query", ["straw", "ripe straw", '"ripe straw', "STRAW", "strawberries"])
def test_the_last_word_may_still_be_growing(alice, query):
    conversation(alice, "Fruit", ("I have ripe strawberries.",))
    assert found(alice, query) == ["Fruit"]


@pytest.mark.parametrize(
    "query", ["straw ", "straw ripe", '"strawberries ripe"', "ripe -strawberries", "berries"]
)
def test_other_words_have_to_be_there_as_they_are(alice, query):
    conversation(alice, "Fruit", ("I have ripe strawberries.",))
    assert found(alice, query) == []


def test_other_alphabets_are_found(alice):
    conversation(alice, "Greek", ("Καλημέρα κόσμε",))
    conversation(alice, "German", ("Größe der Straße",))
    conversation(alice, "Chinese", ("你好 世界",))
    assert found(alice, "κόσμε") == ["Greek"]
    assert found(alice, "größe") == ["German"]
    assert found(alice, "世") == ["Chinese"]


def test_a_snippet_shows_text_as_text(alice):
    conversation(alice, "Markup", ("see <b>bold</b> \2cake\3 of a/b.py",))
    (hit,) = search(owner(alice), "bold ")
    assert "bold</b> cake" in "".join(part.text for part in hit.snippet)
    assert Part("bold", True) in hit.snippet


@pytest.mark.parametrize("query", ["tree", "tree.py", "chat/tree", "div ", "snake", "alice", "5 "])
def test_signs_end_a_word(alice, query):
    conversation(alice, "Code", ("In chat/tree.py: <div> snake_case -5 me+alice@example.org",))
    assert found(alice, query) == ["Code"]


# Whose, and when


def test_nobody_finds_what_is_another_persons(alice):
    bob = person("bob")
    conversation(alice, "Cake", ("cake",))
    assert found(bob, "cake") == []


def test_deleted_expired_and_older_dialects_conversations_are_not_found(alice):
    now = timezone.now()
    conversation(alice, "cake", ("cake",), deleted_at=now)
    conversation(alice, "cake", ("cake",), expires_at=now)
    conversation(alice, "cake", ("cake",), session_id="s")
    archived = conversation(alice, "Archived", ("cake",), archived_at=now)
    assert found(alice, "cake") == ["Archived"]
    archived.delete_softly(now)
    assert found(alice, "cake") == []
    archived.restore()
    assert found(alice, "cake") == ["Archived"]


def test_the_index_follows_what_changes(alice):
    made = conversation(alice, "Old", ("pear",))
    Message.objects.filter(pk=made.head_id).update(text="plum")
    Conversation.objects.filter(pk=made.pk).update(title="New")
    assert (found(alice, "pear"), found(alice, "plum")) == ([], ["New"])
    assert (found(alice, "old"), found(alice, "new")) == ([], ["New"])
    made.delete()
    assert (found(alice, "plum"), found(alice, "new")) == ([], [])


def test_an_answer_is_found_when_it_has_ended(alice):
    made = conversation(alice, "Cake", ("?",))
    answer = message(made, "Su", made.head, Role.ASSISTANT, status=Status.RUNNING)
    Message.objects.filter(pk=answer.pk).update(text="Sugar")
    assert found(alice, "sugar") == []
    for text in ("Sugar", "Sugar and flour"):
        Message.objects.filter(pk=answer.pk).update(text=text)
    Message.objects.filter(pk=answer.pk).update(text="Sugar and eggs", status=Status.COMPLETE)
    assert found(alice, "eggs") == ["Cake"]
    Message.objects.filter(pk=answer.pk).update(status=Status.RUNNING)
    Message.objects.filter(pk=answer.pk).update(text="Sugar and yeast", status=Status.STOPPED)
    assert (found(alice, "yeast"), found(alice, "eggs")) == (["Cake"], [])


def test_a_text_of_any_size_can_be_stored_and_found(alice):
    words = " ".join(f"w{number:x}" for number in range(300_000))
    conversation(alice, "Long", (words, "x" * 3_000_000))
    assert found(alice, "w1f") == ["Long"]


SIGNS = "ab \"'-*():^\\&|!<>%_\0{}+.,~ANDORTNEé你\ud800\2"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.sampled_from(SIGNS), max_size=30) | st.text(max_size=40))
@example("x" * 10_000)
@example('"' * 9_999)
@example("cake AND OR NOT NEAR(a b) title:x ^a")
@example("'; DROP TABLE chat_message; --")
@example("a%sb %(x)s %")
def test_whatever_is_typed_is_no_error(alice, query):
    assert isinstance(search(owner(alice), query), list)


# The index itself


def test_what_was_there_before_the_index_is_in_it(alice):
    editor = SimpleNamespace(connection=connection)
    remove(None, editor)
    conversation(alice, "Cake", ("sugar",))
    connection.check_constraints()  # or PostgreSQL still waits for them
    install(None, editor)
    assert (found(alice, "cake"), found(alice, "sugar")) == (["Cake"], ["Cake"])


DROPPED = {
    "sqlite": "DROP TRIGGER chat_message_words_insert",
    "postgresql": "DROP INDEX chat_conversation_words",
}


def test_migrations_bring_back_what_went_with_a_table(alice):
    with connection.cursor() as cursor:
        cursor.execute(DROPPED[connection.vendor])
    call_command("migrate", verbosity=0)
    conversation(alice, "Cake", ("sugar",))
    assert found(alice, "sugar") == ["Cake"]
