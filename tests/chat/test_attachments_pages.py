"""Attaching files: Alice's are hers, Bob and Charlie get 404."""

import asyncio
from datetime import timedelta
from unittest.mock import patch
from uuid import uuid4

import hypothesis
import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client
from django.utils import timezone, translation
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from accounts.models import Policy, User
from chat import turns
from chat.attachments.reading import QUEUE
from chat.errors import MessageNotFound
from chat.models import Attachment, Conversation
from chat.pages import files
from inference import runtime
from inference.runtime import InvalidParameter
from llmsite.config import Config
from tests.accounts.site import browser_of, configured

from .pdfs import make_pdf

NOTES = b"# Notes\n\nBuy milk."


@pytest.fixture
def people(db):
    names = ("alice", "bob", "charlie")
    return {name: User.objects.create_user(name) for name in names}


@pytest.fixture
def alice(people, settings):
    configured(settings)
    return browser_of(people["alice"])


def upload(browser, data=NOTES, name="notes.md"):
    return browser.post("/attachments/", {"file": SimpleUploadedFile(name, data)})


def uploaded(browser, *args):
    answer = upload(browser, *args)
    assert answer.status_code == 201, answer.content
    return answer.json()


def error(answer):
    assert answer.headers["content-type"] == "application/json"
    (said,) = answer.json().values()
    assert {*said} == {"message", "param", "code"}
    return said


def address(facts):
    return f"/attachments/{facts['uid']}/"


def sent(user, facts):
    """That file, in a message of a new conversation."""
    conversation = Conversation.objects.create(owner=f"user:{user.pk}", user=user)
    turns.say(conversation, None, "look", [facts["uid"]], "channel")
    return conversation


# Upload


def test_a_file_becomes_its_text_with_what_it_costs(alice):
    facts = uploaded(alice)

    row = Attachment.objects.get(uid=facts["uid"])
    assert row.text == NOTES.decode()
    assert row.user.username == "alice"
    assert facts == {
        "uid": str(row.uid),
        "name": "notes.md",
        "media_type": "text/markdown",
        "size_bytes": 18,
        "num_tokens": 5,
        "is_estimate": True,
        "num_characters": 18,
        "is_sent": False,
        "note": "",
    }


def test_a_pdf_becomes_its_text(alice):
    facts = uploaded(alice, make_pdf("Hello from a page"), "letter.pdf")

    assert facts["media_type"] == "application/pdf"
    assert Attachment.objects.get().text == "Hello from a page"


# What they cost


@pytest.fixture
async def ann(fake_model, settings):
    """Of a site with a model in memory."""
    configured(settings)
    await runtime.load(fake_model)
    return await sync_to_async(User.objects.create_user)("ann")


async def cost(user, model, data=NOTES):
    browser = AsyncClient()
    await browser.aforce_login(user)
    fields = {"file": SimpleUploadedFile("a.txt", data), "model": model}
    facts = (await browser.post("/attachments/", fields)).json()
    shown = (await browser.get(address(facts))).json()
    assert shown["num_tokens"] == facts["num_tokens"]
    return shown["num_tokens"], shown["is_estimate"]


@pytest.mark.parametrize("name", ["fake", "gpt-fake"])
async def test_a_model_in_memory_counts(ann, fake_model, name):
    (num_tokens,) = await runtime.count_texts(fake_model, [NOTES.decode()])

    assert await cost(ann, name) == (num_tokens, False)
    assert num_tokens != 5  # which would be the estimate


async def test_it_counts_what_is_longer_than_its_context(ann, fake_model):
    (num_tokens,) = await runtime.count_texts(fake_model, ["word " * 200])

    assert await cost(ann, "fake", b"word " * 40_000) == (num_tokens * 200, False)


@pytest.mark.parametrize("name", ["", "no-such", "fake\0"])
async def test_without_a_model_the_cost_is_estimated(ann, name):
    assert await cost(ann, name) == (5, True)


async def test_a_model_that_the_person_may_not_use_does_not_count(ann):
    await Policy.objects.acreate(user=ann, allowed_models=["other-*"])
    assert await cost(ann, "fake") == (5, True)


async def test_a_model_is_not_loaded_to_count(ann):
    await runtime.unload("fake")

    assert await cost(ann, "fake") == (5, True)
    assert not runtime.status()


# What is said


def test_a_guessed_encoding_is_said(alice):
    assert "Windows-1252" in uploaded(alice, "Größe".encode("cp1252"))["note"]


def test_names_are_cleaned(alice):
    assert uploaded(alice, NOTES, "a\u202eb\x07.md")["name"] == "ab.md"


def test_a_refusal_names_the_file_and_what_is_wrong(alice):
    answer = upload(alice, b"\x89PNG\r\n\x1a\n\0", "photo.png")

    assert answer.status_code == 415
    assert error(answer) == {
        "message": "“photo.png” is an image. What can be read is text, such as Markdown, CSV"
        " and source code, and PDF.",
        "param": "file",
        "code": "file_unsupported",
    }
    assert not Attachment.objects.exists()


@pytest.mark.parametrize(
    "fields", [{}, {"file": "a text"}, {"other": SimpleUploadedFile("a.txt", b"a")}]
)
def test_a_request_without_a_file_is_refused(alice, fields):
    answer = alice.post("/attachments/", fields)

    assert answer.status_code == 400
    assert error(answer)["code"] == "file_missing"


def test_two_files_at_once_are_refused(alice):
    two = [SimpleUploadedFile("a.txt", b"a"), SimpleUploadedFile("b.txt", b"b")]
    assert error(alice.post("/attachments/", {"file": two}))["code"] == "file_missing"


def test_a_body_that_is_no_form_is_refused(alice):
    answer = alice.post("/attachments/", b"{}", content_type="application/json")
    assert error(answer)["code"] == "file_missing"


def test_a_form_that_breaks_off_is_refused(alice):
    kind = "multipart/form-data; boundary="
    assert alice.post("/attachments/", b"--x", content_type=kind).status_code == 400


@hypothesis.settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_get_a_file_or_a_clear_refusal(alice, settings, data):
    configured(settings, limits={"max_unsent_attachments": 1000})

    answer = upload(alice, data)

    assert answer.status_code in (201, 400, 415)
    assert "notes.md" in str(answer.json())


# Limits


@pytest.mark.parametrize(
    "limits",
    [
        {"max_attachment_mb": 0.001},
        {"max_body_mb": 0.001},
        {"max_attachment_mb": 0.001, "max_body_mb": 20},
    ],
)
def test_a_file_over_the_smaller_of_two_limits_is_refused(alice, settings, limits):
    configured(settings, limits=limits)

    assert upload(alice, b"x" * 1048).status_code == 201
    answer = upload(alice, b"x" * 1049, "big.txt")
    assert answer.status_code == 413
    assert error(answer)["message"] == "“big.txt” has 1,049 bytes, and files may have 1,048."


def test_a_file_over_the_persons_own_rule_is_refused(alice, people):
    Policy.objects.create(user=people["alice"], max_body_kb=1)

    assert upload(alice, b"x" * 1024).status_code == 201
    assert error(upload(alice, b"x" * 1025))["code"] == "file_too_large"


def test_a_text_over_the_limit_is_refused(alice, settings):
    configured(settings, limits={"max_attachment_characters": 10})

    answer = upload(alice, b"x" * 11)
    assert (answer.status_code, error(answer)["code"]) == (413, "text_too_long")


def test_a_person_holds_only_so_many_that_were_not_sent(alice, people, settings):
    configured(settings, limits={"max_unsent_attachments": 2})
    first, _ = uploaded(alice), uploaded(alice)

    answer = upload(alice)
    assert (answer.status_code, error(answer)["code"]) == (400, "too_many_attachments")
    assert "2 files that were not sent" in error(answer)["message"]

    assert upload(browser_of(people["bob"])).status_code == 201
    sent(people["alice"], first)
    assert upload(alice).status_code == 201


def test_a_person_stores_only_so_much(alice, people, settings):
    configured(settings, limits={"max_stored_attachment_characters": 20})
    sent(people["alice"], uploaded(alice, b"x" * 12)).delete_softly(timezone.now())

    answer = upload(alice, b"y" * 9, "y.txt")
    assert (answer.status_code, error(answer)["code"]) == (413, "storage_full")
    assert "y.txt" in error(answer)["message"]
    assert upload(browser_of(people["bob"]), b"y" * 9).status_code == 201

    uploaded(alice, b"y" * 8)
    assert error(upload(alice, b"z"))["code"] == "storage_full"
    Conversation.objects.all().delete()
    uploaded(alice, b"z" * 12)


def test_an_unsent_file_stays_when_another_is_added(alice):
    """Until it is tidied away, as `test_retention` has it."""
    first = uploaded(alice)
    Attachment.objects.update(created_at=timezone.now() - timedelta(days=8))
    uploaded(alice)

    assert alice.get(address(first)).status_code == 200


def test_a_message_takes_only_so_many(alice, people, settings):
    configured(settings, limits={"max_attachments": 1})
    conversation = Conversation.objects.create(owner="user:1", user=people["alice"])
    uids = [uploaded(alice)["uid"] for _ in range(2)]

    with pytest.raises(InvalidParameter, match="attachments: 2 are more files than 1"):
        turns.say(conversation, None, "look", uids, "channel")

    turns.say(conversation, None, "look", uids[:1], "channel")


# Whose they are


def test_a_preview_shows_how_the_text_begins(alice):
    facts = uploaded(alice, b"x" * 5000)

    shown = alice.get(address(facts)).json()

    assert shown["beginning"] == "x" * files.PREVIEW_CHARACTERS
    assert shown["num_characters"] == 5000
    assert "no-cache" in alice.get(address(facts)).headers["cache-control"]


def test_what_was_not_sent_is_listed(alice, people):
    first, second = uploaded(alice), uploaded(alice, b"b", "b.txt")
    sent(people["alice"], first)
    uploaded(browser_of(people["bob"]))

    (listed,) = alice.get("/attachments/").json()["attachments"]

    assert listed["uid"] == second["uid"]


def test_an_unsent_file_can_be_removed(alice):
    facts = uploaded(alice)

    assert alice.delete(address(facts)).status_code == 204
    assert alice.delete(address(facts)).status_code == 404
    assert not Attachment.objects.exists()


def test_a_file_that_was_sent_stays(alice, people):
    facts = uploaded(alice)
    sent(people["alice"], facts)

    assert alice.delete(address(facts)).status_code == 404
    assert alice.get(address(facts)).json()["is_sent"] is True


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_other_peoples_files_are_not_there(alice, people, stranger):
    facts = uploaded(alice)
    other = browser_of(people[stranger])

    assert other.get(address(facts)).status_code == 404
    assert other.delete(address(facts)).status_code == 404
    with pytest.raises(MessageNotFound, match="attachments"):
        sent(people[stranger], facts)
    assert other.get("/attachments/").json() == {"attachments": []}
    assert alice.get(address(facts)).status_code == 200


def test_files_of_a_deleted_conversation_are_not_shown(alice, people):
    facts = uploaded(alice)
    sent(people["alice"], facts).delete_softly(timezone.now())

    assert alice.get(address(facts)).status_code == 404


def test_an_unknown_file_is_not_there(alice):
    assert alice.get(f"/attachments/{uuid4()}/").status_code == 404
    assert alice.get("/attachments/1/").status_code == 404


def test_it_is_for_people_who_signed_in(alice):
    assert upload(Client()).headers["location"].startswith("/accounts/login/")
    assert not Attachment.objects.exists()


def test_other_sites_cannot_upload(alice, people):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(people["alice"])

    assert upload(careful).status_code == 403
    assert not Attachment.objects.exists()


def test_a_page_uploads_with_its_token_in_a_header(alice, people):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(people["alice"])
    token = careful.get("/accounts/keys/").cookies["csrftoken"].value
    file = SimpleUploadedFile("a.txt", b"a")

    answer = careful.post("/attachments/", {"file": file}, headers={"x-csrftoken": token})
    assert answer.status_code == 201


def test_without_sign_in_files_are_the_local_persons(db, settings):
    settings.CONFIG = Config()
    uploaded(Client())
    assert Attachment.objects.get().user == User.objects.local()


# Reading


async def test_a_persons_files_are_read_one_at_a_time_and_others_meanwhile():
    """The barrier opens for two at once: one of each person, or nobody comes through."""
    both, order = asyncio.Barrier(2), []

    async def reads(who, pk):
        async with QUEUE.turn(pk):
            order.append(who)
            await both.wait()

    people = ("ann", 1), ("ann", 1), ("ben", 2), ("ben", 2)
    await asyncio.gather(*(reads(*one) for one in people))

    assert sorted(order[:2]) == sorted(order[2:]) == ["ann", "ben"]


async def test_no_more_are_read_at_once_than_there_are_readers():
    both, running, seen = asyncio.Barrier(2), set(), []

    async def reads(pk):
        async with QUEUE.turn(pk):
            running.add(pk)
            seen.append(len(running))
            await both.wait()
            running.discard(pk)

    await asyncio.gather(*map(reads, range(6)))

    assert max(seen) == QUEUE.num_at_once


def test_refusals_are_in_the_readers_language(alice):
    with (
        translation.override("de"),
        patch.object(translation._trans, "gettext", lambda text: f"de: {text}"),
    ):
        assert error(upload(alice, b""))["message"].startswith("de: ")
