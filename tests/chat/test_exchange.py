"""Conversations go out as a file and come back the same, also from elsewhere."""

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import psutil
import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError
from django.utils import timezone, translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from chat.exchange import base, importing, nodes, reading, runs, storing, upload, wire
from chat.exchange.errors import BadFile
from chat.exchange.export import json_pieces
from chat.exchange.importing import import_file
from chat.exchange.markdown import markdown_pieces
from chat.exchange.translating import translated
from chat.models import Attachment, Conversation, Folder, Message, Role, Status
from llmsite.config import Config
from tests.chat.talk import attached, conversation, message, owner, person

ROOT = Path(base.__file__).parents[2]
NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


@pytest.fixture
def alice(db):
    return person("alice")


@pytest.fixture
def bob(db):
    return person("bob")


def exported(user) -> str:
    rows = Conversation.objects.owned_by(owner(user)).order_by("pk")
    return "".join(json_pieces(rows, NOW))


def as_bytes(data) -> bytes:
    raw = data if isinstance(data, bytes | str) else json.dumps(data)
    return raw.encode() if isinstance(raw, str) else raw


def imported(user, data, **options):
    """Its reader runs in this process: hundreds of others would take minutes to start."""

    async def read_here(child, data, time_limit_s):
        try:
            return b"".join(wire.packed(reading.read(data)))
        except BadFile as error:
            return b"".join(wire.packed_fault(error.words))

    with patch.object(importing, "run", read_here), patch.object(importing, "PAUSE_S", 0):
        return async_to_sync(import_file)(as_bytes(data), user, owner(user), **options)


def refused(user, data) -> str:
    with pytest.raises(BadFile) as caught:
        imported(user, data)
    assert not Conversation.objects.filter(user=user).exists()
    return str(caught.value)


def zipped(name, text, method=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, text)
    return file.getvalue()


def numbered(data):
    """An export with the same names for messages, whatever their ids are."""
    data = json.loads(data) if isinstance(data, str) else data
    for one in data["conversations"]:
        names = {m["uid"]: f"m{n}" for n, m in enumerate(one["messages"])}
        one["head"] = names.get(one["head"])
        for said in one["messages"]:
            said["uid"], said["parent"] = names[said["uid"]], names.get(said["parent"])
            said["unseen"] = [names[uid] for uid in said["unseen"]]
    return data


def tree(made):
    """Texts, each with the texts that follow it."""
    rows = [*made.messages.all()]

    def under(parent):
        return {row.text: under(row.pk) for row in rows if row.parent_id == parent}

    return under(None)


# There and back

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
WHEN = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
COUNT = st.none() | st.integers(0, 2**31 - 1)
SECONDS = st.none() | st.floats(0, 1e6)
MESSAGE = st.fixed_dictionaries(
    {
        "parent": st.integers(0, 20),
        "role": st.sampled_from(Role.values),
        "status": st.sampled_from([s for s in Status.values if s != "running"]),
        "finish_reason": st.sampled_from(["", "stop", "length"]),
        "at": WHEN,
        **dict.fromkeys(("text", "reasoning", "model", "error", "error_code"), TEXT),
        **{f"{name}_tokens": COUNT for name in ("prompt", "cached", "completion")},
        **dict.fromkeys(("first_token_seconds", "decode_seconds"), SECONDS),
        "context_length": COUNT,
        "files": st.lists(st.fixed_dictionaries({"text": TEXT, "num_tokens": COUNT}), max_size=2),
    }
)
CONVERSATION = st.fixed_dictionaries(
    {
        **dict.fromkeys(("title", "system_prompt", "model"), TEXT),
        "is_title_given": st.booleans(),
        "is_pinned": st.booleans(),
        "archived_at": st.none() | WHEN,
        "updated_at": WHEN,
        "parameters": st.fixed_dictionaries({}, optional={"temperature": st.floats(0, 2)}),
        "folder": st.sampled_from(["", "Work", "Home"]),
        "messages": st.lists(MESSAGE, max_size=8),
        "head": st.integers(0, 20),
    }
)


def build(user, facts):
    facts = dict(facts)
    folder, messages, head = (facts.pop(name) for name in ("folder", "messages", "head"))
    where = Folder.objects.get_or_create(user=user, name=folder)[0] if folder else None
    made = conversation(user, facts.pop("title"), folder=where, **facts)
    rows = []
    for columns in map(dict, messages):
        parent, at, files = (columns.pop(name) for name in ("parent", "at", "files"))
        before = [None, *rows]
        unseen = [row.uid.hex for row in rows[:parent]]
        row = message(made, parent=before[parent % len(before)], unseen=unseen, **columns)
        Message.objects.filter(pk=row.pk).update(created_at=at)
        for file in files:
            attached(user, row, **file)
        rows.append(row)
    made.head = [None, *rows][head % (len(rows) + 1)]
    made.save()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(CONVERSATION, max_size=3))
def test_what_is_exported_comes_back_the_same(alice, bob, facts):
    Conversation.objects.all().delete()
    for one in facts:
        build(alice, one)
    before = exported(alice)
    done = imported(bob, before)
    assert done.num_conversations == len(facts)
    assert numbered(exported(bob)) == numbered(before)
    assert exported(alice) == before


def test_an_export_can_be_imported_again_beside_itself(alice):
    conversation(alice, "Cake", ("Hi", "Hello"))
    imported(alice, exported(alice))
    assert Conversation.objects.filter(title="Cake").count() == 2
    assert len({*Message.objects.values_list("uid", flat=True)}) == 4


def test_deleted_conversations_are_not_exported(alice):
    conversation(alice, "gone", deleted_at=NOW)
    assert json.loads(exported(alice))["conversations"] == []


def test_an_answer_that_is_being_written_is_exported_as_interrupted(alice, bob):
    made = conversation(alice, "", ("Hi",))
    message(made, "Hel", made.head, Role.ASSISTANT, status=Status.RUNNING)
    imported(bob, exported(alice))
    assert Message.objects.get(conversation__user=bob, text="Hel").status == Status.INTERRUPTED


def test_attachments_belong_to_whoever_imports(alice, bob):
    made = conversation(alice, "", ("Read",))
    attached(alice, made.head, name="plan.txt", text="the plan")
    imported(bob, exported(alice))
    copy = Attachment.objects.get(user=bob)
    assert (copy.name, copy.text, copy.message.text) == ("plan.txt", "the plan", "Read")


def test_an_attachment_of_an_edited_message_is_exported_with_its_text(alice, bob):
    made = conversation(alice, "", ("Read",))
    attached(alice, made.head, text="another")
    source = attached(alice, made.head, text="the plan")
    for said in ("Read this", "Read that"):
        source.copy_for(message(made, said)).save()
    assert exported(alice).count("the plan") == 1
    imported(bob, exported(alice))
    files = Attachment.objects.filter(user=bob)
    assert [file.content for file in files] == ["another", *["the plan"] * 3]
    assert files.num_characters() == len("another") + len("the plan")
    assert numbered(exported(bob)) == numbered(exported(alice))


def test_a_message_with_a_large_file_may_be_edited_and_comes_back(alice, bob, monkeypatch):
    monkeypatch.setattr(base, "MAX_CHARACTERS_EACH", 1500)
    made = conversation(alice, "", ("Read",))
    source = attached(alice, made.head, text="x" * 1000)
    source.copy_for(message(made, "Read this")).save()
    assert imported(bob, exported(alice)).num_conversations == 1


def test_copies_of_an_attachment_that_does_not_fit_are_left_out_too(alice, bob, settings):
    made = conversation(alice, "", ("Read",))
    source = attached(alice, made.head, name="a.txt", text="x" * 11)
    source.copy_for(message(made, "Read this")).save()
    file = exported(alice)
    settings.CONFIG = Config.model_validate({"limits": {"max_stored_attachment_characters": 10}})
    assert imported(bob, file).left == [("an attachment, as no more fit", 2, ["a.txt", "a.txt"])]
    assert not Attachment.objects.filter(user=bob).exists()


def test_attachments_that_do_not_fit_are_left_out_and_said(alice, bob, settings):
    made = conversation(alice, "", ("Read",))
    for name, size in (("a.txt", 8), ("b.txt", 5), ("c.txt", 2)):
        attached(alice, made.head, name=name, text="x" * size)
    file = exported(alice)
    settings.CONFIG = Config.model_validate({"limits": {"max_stored_attachment_characters": 10}})
    done = imported(bob, file)
    assert done.left == [("an attachment, as no more fit", 1, ["b.txt"])]
    assert [*Attachment.objects.filter(user=bob).values_list("name", flat=True)] == [
        *("a.txt", "c.txt")
    ]


def test_the_shown_branch_is_markdown(alice):
    made = conversation(alice, "Cake", ("How?", "So."), system_prompt="Be brief.")
    attached(alice, made.messages.first(), name="recipe.txt", text="secret")
    made.messages.filter(role=Role.ASSISTANT).update(model="qwen")
    message(made, "another branch", role=Role.USER)
    text = "".join(markdown_pieces(made))
    assert text.startswith("# Cake\n\n## System prompt\n\nBe brief.\n\n## You · ")
    assert "\n*Attached: recipe.txt*\n\nHow?\n\n## qwen · " in text
    assert text.endswith("UTC\n\nSo.\n")
    assert "another branch" not in text
    assert "secret" not in text


# ChatGPT's


def node(parent, role=None, text="", kind="text", **message):
    if role is None:
        return {"message": None, "parent": parent}
    content = {"content_type": kind, "parts": [text]}
    return {"message": {"author": {"role": role}, "content": content, **message}, "parent": parent}


def chatgpt(mapping, current=None, **facts):
    return [{"title": "Cake", "mapping": mapping, "current_node": current, **facts}]


BRANCHES = {
    "root": node(None),
    "sys": node("root", "system"),
    "q": node("sys", "user", "Bake?", create_time=1700000000.5),
    "a1": node("q", "assistant", "No.", metadata={"model_slug": "gpt-4o"}),
    "a2": node("q", "assistant", "Yes."),
    "q2": node("a2", "user", "How?"),
}


def test_chatgpts_tree_is_ours(alice):
    done = imported(alice, chatgpt(BRANCHES, "a1", create_time=1700000000, is_archived=True))
    assert (done.label, done.num_conversations, done.num_messages) == ("ChatGPT export", 1, 4)
    made = Conversation.objects.get()
    assert tree(made) == {"Bake?": {"No.": {}, "Yes.": {"How?": {}}}}
    assert (made.title, made.head.text, made.head.model) == ("Cake", "No.", "gpt-4o")
    assert made.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert made.archived_at is not None
    assert made.messages.first().created_at.microsecond == 500_000
    assert len(done.left) == 0


@pytest.mark.parametrize("name", ["conversations.json", "export-2026/conversations.json"])
def test_its_archive_can_be_given_as_it_is(alice, name):
    done = imported(alice, zipped(name, json.dumps(chatgpt(BRANCHES))))
    assert done.num_messages == 4


def test_what_is_no_text_is_left_out_and_said(alice):
    image = {"content_type": "image_asset_pointer"}
    mapping = {
        "q": node(None, "user", "Look"),
        "t": node("q", "tool", "found this"),
        "th": node("t", "assistant", "hm", kind="thoughts"),
        "h": node("th", "user", "profile", metadata={"is_visually_hidden_from_conversation": True}),
        "a": node("h", "assistant", "A cake."),
    }
    mapping["q"]["message"]["content"]["parts"].append(image)
    done = imported(alice, chatgpt(mapping, "a"))
    assert tree(Conversation.objects.get()) == {"Look": {"A cake.": {}}}
    assert {reason: places for reason, _, places in done.left} == {
        "a part of a message: image_asset_pointer": ["conversations[0], q"],
        "a message of tool": ["conversations[0], t"],
        "a message of the type thoughts": ["conversations[0], th"],
        "a message that was not shown": ["conversations[0], h"],
    }


def test_answers_in_a_row_become_one(alice):
    mapping = {
        "q": node(None, "user", "Search"),
        "a1": node("q", "assistant", "Let me see."),
        "t": node("a1", "tool", "…"),
        "a2": node("t", "assistant", "Found."),
        "a3": node("a2", "assistant", "Enjoy."),
        "q2": node("a1", "user", "Stop"),
    }
    imported(alice, chatgpt(mapping, "a3"))
    made = Conversation.objects.get()
    whole = "Found.\n\nEnjoy."
    assert tree(made) == {"Search": {"Let me see.": {"Stop": {}, whole: {}}}}
    assert made.head.text == whole


def test_a_row_of_answers_grows_no_longer_than_a_message_may_be(alice, monkeypatch):
    monkeypatch.setattr(runs, "MAX_TEXT", 1000)
    names = [f"a{n}" for n in range(200)]
    mapping = {
        name: node(before, "assistant", "x" * 100)
        for before, name in zip([None, *names], names, strict=False)
    }
    imported(alice, chatgpt(mapping))
    rows = Message.objects.all()
    assert max(len(row.text) for row in rows) == 9 * 102 - 2
    assert "".join(row.text for row in rows).count("x") == 200 * 100


def test_many_answers_to_one_do_not_repeat_it(alice):
    mapping = {"a": node(None, "assistant", "x" * 1000)}
    mapping |= {f"b{n}": node("a", "assistant", "y") for n in range(100)}
    imported(alice, chatgpt(mapping))
    assert sum(len(row.text) for row in Message.objects.all()) == 1100


def test_a_long_way_of_empty_nodes_is_gone_once():
    """Every message hangs on the end of a way of nodes without one."""

    class Counting(dict):
        looks = 0

        def get(self, key):
            self.looks += 1
            return super().get(key)

    number = 300
    tree = Counting({"0": nodes.Node(None, None)})
    tree |= {str(n): nodes.Node(str(n - 1), None) for n in range(1, number)}
    for n in range(number):
        said = base.DraftMessage(f"m{n}", None, "user", "Hi")
        tree[f"m{n}"] = nodes.Node(str(number - 1), said)
    counting = Counting(tree)
    made = nodes.Nodes(counting, "", base.Leavings()).messages()
    assert [one.parent for one in made] == [None] * number
    assert counting.looks <= 4 * number


@pytest.mark.parametrize("kind", ["mapping", "history", "messages"])
def test_there_is_a_limit_to_nodes_whatever_is_in_them(alice, monkeypatch, kind):
    monkeypatch.setattr(nodes, "MAX_NODES", 3)
    empty = {str(n): {} for n in range(4)}
    data = {
        "mapping": [{"mapping": empty}],
        "history": webui({"history": {"messages": empty}}),
        "messages": webui({"messages": [{}] * 4}),
    }
    assert "its messages: 4 are more than 3" in refused(alice, data[kind])


def test_what_is_said_of_leavings_is_short(alice):
    mapping = {f"{n}" * 100: node(None, f"{n} " + "w" * 5000, "x") for n in range(1000)}
    mapping["q"] = node(None, "user", "Hi")
    done = imported(alice, chatgpt(mapping))
    assert sum(number for _, number, _ in done.left) == 1000
    assert len(done.left) == base.Leavings.MAX_REASONS + 1
    said = [text for reason, _, places in done.left for text in (reason, *places)]
    assert max(map(len, said)) <= base.Leavings.MAX_LENGTH


def test_circles_and_missing_parents_are_cut(alice):
    mapping = {
        "a": node("c", "user", "A"),
        "b": node("a", "assistant", "B"),
        "c": node("b", "user", "C"),
        "d": node("nowhere", "user", "D"),
        "e": node("e", "user", "E"),
    }
    done = imported(alice, chatgpt(mapping, "nothing"))
    assert tree(Conversation.objects.get()) == {"A": {"B": {"C": {}}}, "D": {}, "E": {}}
    assert {reason: number for reason, number, _ in done.left} == {
        "a link in a circle of messages": 2,
        "a link to a message that is missing": 1,
    }


def test_a_chain_of_any_length_is_no_recursion(alice, monkeypatch):
    monkeypatch.setattr(base, "MAX_MESSAGES_EACH", 5000)
    mapping = {
        str(n): node(str(n - 1) if n else None, "assistant" if n % 2 else "user", f"text {n}")
        for n in range(5000)
    }
    imported(alice, chatgpt(mapping, "4999"))
    assert Conversation.objects.get().head.text == "text 4999"


# Open WebUI's


def webui(chat, **facts):
    return [{"id": "x", "title": "Cake", "chat": chat, **facts}]


def said(parent, role, content, **facts):
    return {"parentId": parent, "role": role, "content": content, **facts}


def test_open_webuis_tree_is_ours(alice):
    history = {
        "q": said(None, "user", "Bake?", timestamp=1700000000, files=[{"name": "a.pdf"}]),
        "a": said("q", "assistant", "No.", model="llama3", usage={"completion_tokens": 2}),
        "b": said("q", "assistant", "Yes."),
    }
    chat = {
        "title": "Baking",
        "models": ["llama3"],
        "params": {"system": "Be brief."},
        "history": {"messages": history, "currentId": "a"},
    }
    done = imported(alice, webui(chat, pinned=True, updated_at=1700000000000))
    made = Conversation.objects.get()
    assert tree(made) == {"Bake?": {"No.": {}, "Yes.": {}}}
    assert (made.title, made.model, made.system_prompt) == ("Baking", "llama3", "Be brief.")
    assert (made.head.text, made.head.completion_tokens, made.is_pinned) == ("No.", 2, True)
    assert made.updated_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert [*done.left] == [("an attachment", 1, ["[0].chat, q: a.pdf"])]


def test_its_older_lists_are_read_too(alice):
    chat = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
    imported(alice, webui(chat))
    made = Conversation.objects.get()
    assert (tree(made), made.head.text) == ({"Hi": {"Ho": {}}}, "Ho")


def test_thinking_in_its_texts_is_thinking_here(alice):
    text = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds'
        "</summary>\n&gt; 2 &lt; 3\n&gt; so yes\n</details>\nYes."
    )
    imported(alice, webui({"messages": [{"role": "assistant", "content": text}]}))
    row = Message.objects.get()
    assert (row.text, row.reasoning) == ("Yes.", "2 < 3\nso yes")


# What is wrong


def own(**conversation):
    usual = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    usual |= {"messages": []}
    return {
        "format": "llmsite-conversations",
        "version": 1,
        "conversations": [{**usual, **conversation}],
    }


def row(uid, parent=None, **facts):
    usual = {"role": "user", "text": "Hi", "created_at": "2026-01-01T00:00:00Z"}
    return {"uid": uid, "parent": parent, **usual, **facts}


def file(copy_of=None):
    usual = {"name": "a.txt", "media_type": "text/plain", "size_bytes": 1}
    return {**usual, "text": "" if copy_of is not None else "a", "copy_of": copy_of}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["not JSON", "line 1, column 1"]),
        (b"hello", ["not JSON", "line 1, column 1"]),
        (b'{"a":\n nope}', ["line 2, column 2"]),
        (b"\xff\xfe", ["not UTF-8", "byte 0"]),
        (b"PK\x03\x04 and more", ["archive cannot be unpacked"]),
        (b"[" * 100_000, ["nested too deeply"]),
        (b"[NaN]", ["NaN"]),
        (b"[1e999]", ["1e999"]),
        (b"[" + b"9" * 5000 + b"]", ["not JSON that can be used"]),
        (b"null", ["no format that is known", "llmsite export", "ChatGPT", "Open WebUI"]),
        (b"[]", ["no format that is known"]),
        (b'[[["mapping"]]]', ["no format that is known"]),
        (zipped("other.json", "[]"), ["no conversations.json"]),
        ({**own(), "version": 3}, ["version: 3", "1 or 2"]),
        ({**own(), "more": 1}, ["more"]),
        (own(title=7), ["conversations[0].title", "str", "int"]),
        (
            own(parameters={"temperature": "hot"}),
            ["conversations[0].parameters.temperature", "hot"],
        ),
        (own(messages=[row("a"), row("a")]), ["conversations[0].messages[1].uid", "'a'", "twice"]),
        (own(messages=[row("a", "b"), row("b", "a")]), ["messages[0].parent", "'b'"]),
        (own(messages=[row("a", "a")]), ["messages[0].parent", "'a'"]),
        (own(messages=[row("a", role="wizard")]), ["messages[0].role", "wizard"]),
        (own(messages=[row("a", status="running")]), ["messages[0].status", "running"]),
        (own(messages=[row("a", prompt_tokens=-1)]), ["messages[0].prompt_tokens"]),
        (own(messages=[row("a", text=None)]), ["messages[0].text", "null"]),
        (own(head="z"), ["conversations[0].head", "'z'"]),
        (
            own(messages=[row("a", attachments=[file(), file(0), file(1)])]),
            ["messages[0].attachments[2].copy_of", "1 is no whole attachment"],
        ),
        (own(messages=[row("a", attachments=[file(0)])]), ["attachments[0].copy_of"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place(alice, data, words):
    text = refused(alice, data)
    assert [word for word in words if word not in text] == [], text


def test_one_bad_conversation_keeps_all_of_the_file_out(alice):
    good, bad = own(messages=[row("a")]), own(title=None)
    assert "conversations[1].title" in refused(
        alice, {**good, "conversations": [*good["conversations"], *bad["conversations"]]}
    )


def test_no_more_is_unpacked_than_is_allowed(alice, monkeypatch):
    monkeypatch.setattr(upload, "MAX_BYTES", 2**20)
    assert "larger than 1 MiB" in refused(alice, zipped("conversations.json", " " * 2**24))
    assert "larger than 1 MiB" in refused(alice, " " * 2**21)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_other_packing_than_deflate_is_unpacked(alice, method):
    bomb = zipped("conversations.json", " " * 2**20, method)
    assert "another method than Deflate" in refused(alice, bomb)


def test_there_are_limits_to_what_a_file_has(alice, monkeypatch):
    for name, most in (("CONVERSATIONS", 1), ("MESSAGES", 3), ("CHARACTERS", 20), ("FILES", 1)):
        monkeypatch.setattr(base, f"MAX_{name}", most)
    assert "conversations: 2 are more than 1" in refused(alice, chatgpt(BRANCHES) * 2)
    assert "messages: 4 are more than 3" in refused(alice, chatgpt(BRANCHES))
    # A status is text, too, and what is in lists counts for more than its signs.
    long = own(messages=[row("a", text="x" * 11, reasoning="y" * 10)])
    assert "characters: 29 are more than 20" in refused(alice, long)
    assert "characters: 59 are more than 20" in refused(alice, own(messages=[row("a", **UNSEEN)]))
    assert "characters: 52 are more than 20" in refused(alice, own(parameters={"stop": ["xy"]}))
    file = {"name": "", "media_type": "", "size_bytes": 0, "text": ""}
    many = own(messages=[row("a", attachments=[{**file, "name": "f"}] * 2)])
    assert "attachments: 2 are more than 1" in refused(alice, many)


UNSEEN = {"text": "", "unseen": ["b"]}


@pytest.mark.parametrize(("name", "most"), [("MESSAGES_EACH", 3), ("CHARACTERS_EACH", 15)])
def test_a_large_conversation_is_left_out_and_said(alice, monkeypatch, name, most):
    monkeypatch.setattr(base, f"MAX_{name}", most)
    small = chatgpt({"q": node(None, "user", "Hi")}, title="Pie")
    done = imported(alice, chatgpt(BRANCHES) + small)
    assert [made.title for made in Conversation.objects.all()] == ["Pie"]
    ((reason, number, places),) = done.left
    assert (reason.startswith(f"a conversation of more than {most} "), number) == (True, 1)
    assert places == ["Cake"]


def test_titles_are_as_long_as_they_are_stored():
    assert Conversation._meta.get_field("title").max_length == base.MAX_TITLE


def test_no_more_folders_come_in_than_a_person_may_have(alice, monkeypatch):
    monkeypatch.setattr(storing, "MAX_FOLDERS", 2)
    alice.folders.create(name="Work")
    facts = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    names = ["Work", "Home", "Garden", "Garden"]
    many = [{**facts, "messages": [], "folder": name} for name in names]
    done = imported(alice, {**own(), "conversations": many})
    kept = Conversation.objects.order_by("pk").values_list("folder__name", flat=True)
    assert [*kept] == ["Work", "Home", None, None]
    assert done.left == [("a folder, as no more fit", 2, ["Garden"])]


# A process for it, and a transaction for some of it

HANGS = ("/bin/sh", "-c", "exec sleep 60")
DIES = ("/bin/sh", "-c", "kill -KILL $$")
SMALL = "from chat.exchange import child; child.MEMORY_BYTES = 160 * 2**20; child.main()"


async def import_apart(data, child):
    return await import_file(data, User(pk=1), "user:1", child=child)


@pytest.mark.parametrize("child", [DIES, HANGS, (sys.executable, "-c", SMALL)])
async def test_a_file_that_takes_too_much_is_refused(monkeypatch, child):
    monkeypatch.setattr(importing, "TIME_LIMIT_S", 10 if child[-1] == SMALL else 0.5)
    with pytest.raises(BadFile, match="more memory or time"):
        await import_apart(b'[{"mapping": [' + b"{}," * 2**21 + b"0]}]", child)


async def test_who_is_cancelled_leaves_no_reader_behind():
    here = psutil.Process()
    before = here.children()
    task = asyncio.create_task(import_apart(b"[]", HANGS))
    while here.children() == before:  # noqa: ASYNC110  nobody says when it has begun
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert here.children() == before


def test_the_reader_needs_no_django():
    code = "import sys; sys.modules['django'] = None; import chat.exchange.child"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def drafts_of(*sizes):
    """Conversations with so many messages of a character each."""
    said = base.DraftMessage("a", None, "user", "x")
    return [base.Draft("", [said] * size, None) for size in sizes]


def test_what_is_stored_at_once_is_little_and_never_half_a_conversation(monkeypatch):
    monkeypatch.setattr(storing, "MAX_ROWS", 10)
    monkeypatch.setattr(storing, "MAX_CHARACTERS", 8)
    made = storing.batches(drafts_of(3, 3, 3, 20, 4, 4, 1, 1, 1))
    sizes = [[len(draft.messages) for draft in batch] for batch in made]
    assert sizes == [[3, 3], [3], [20], [4, 4], [1, 1, 1]]


def test_an_import_that_ends_halfway_says_what_is_missing(alice, monkeypatch):
    monkeypatch.setattr(storing, "MAX_ROWS", 1)
    store, batches = storing.Shelf.store, []

    def once(self, drafts):
        batches.append(drafts)
        store(self, drafts if len(batches) == 1 else fail())

    def fail():
        raise DatabaseError("full")

    monkeypatch.setattr(storing.Shelf, "store", once)
    done = imported(alice, chatgpt(BRANCHES) * 3)
    assert (done.num_conversations, done.num_messages, done.num_missing) == (1, 4, 2)
    assert not done.is_whole
    assert Conversation.objects.count() == 1


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [
    *("mapping", "current_node", "title", "message", "parent", "author", "role", "content"),
    *("parts", "content_type", "chat", "history", "messages", "currentId", "parentId", "files"),
    *("models", "params", "system", "usage", "timestamp", "metadata", "create_time", "text"),
]
NAMED = st.recursive(
    ANY | st.sampled_from(["user", "assistant", "text", "a", "b"]),
    lambda inner: st.dictionaries(st.sampled_from([*FIELDS, "a", "b"]), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mapping=st.dictionaries(st.sampled_from("abc"), NAMED), extra=NAMED, kind=st.booleans())
def test_wrong_types_anywhere_are_no_failure(alice, mapping, extra, kind):
    rest = extra if isinstance(extra, dict) else {"title": extra}
    chat = {**rest, "history": {"messages": mapping, "currentId": extra}}
    data = {**rest, "mapping": mapping} if kind else {**rest, "chat": chat}
    data.pop("format", None)
    if kind:
        data.pop("chat", None)
    done = imported(alice, [data])
    assert done.num_conversations <= 1


def test_signs_that_databases_do_not_store_are_replaced(alice):
    imported(
        alice,
        b'[{"title": "a\\u0000", "mapping": {"q": {"message": {"author": {"role": '
        b'"user"}, "content": {"content_type": "text", "parts": ["\\ud83d x\\u0000"]}}}}}]',
    )
    assert Message.objects.get().text == "? x\N{REPLACEMENT CHARACTER}"


def test_nothing_is_older_or_newer_than_it_can_be(alice):
    mapping = {
        str(n): node(None, "user", f"t{n}", create_time=at)
        for n, at in enumerate([-1, 1e300, True, "x", None, 0])
    }
    imported(alice, chatgpt(mapping, create_time=10**400))
    age = timezone.now() - Message.objects.earliest("created_at").created_at
    assert age < timedelta(minutes=5)


def test_what_is_wrong_is_said_in_the_readers_language(alice):
    with translation.override("de"), pytest.raises(BadFile) as caught:
        imported(alice, b" ")
    with translation.override("de"):
        text = translated(caught.value.words)
        done = imported(alice, chatgpt({**BRANCHES, "t": node("q", "tool", "found")}))
    assert text.startswith("Die Datei ist kein JSON")
    assert [reason for reason, _, _ in done.left] == ["eine Nachricht von tool"]
    assert done.label == "ChatGPT-Export"
