"""The audit log and kept prompts in the administration."""

import json
import uuid

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from accounts import audit
from accounts.models import AuditEntry, PromptRecord
from tests.accounts.administration import browser, root, staff, text_of

LIST = "/admin/accounts/auditentry/"
EXPORT = f"{LIST}export/"
PROMPTS = "/admin/accounts/promptrecord/"


@pytest.fixture
def admin(db):
    return browser(root())


@pytest.fixture
def entry(alice):
    before, after = {"max_running": 4, "note": "<b>"}, {"max_running": 8, "models": ["qwen"]}
    return audit.record("policy.changed", "policy:1", before=before, after=after, actor=alice)


def page_of(row, what="change", of=LIST):
    return f"{of}{row.pk}/{what}/"


# The audit log


def test_an_entry_says_what_was_and_what_is(admin, entry):
    cells = "".join(text_of(admin.get(page_of(entry))).split())

    assert '<thscope="row">max_running</th><td>4</td><td>8</td>' in cells
    assert '<thscope="row">note</th><td>&lt;b&gt;</td><td></td>' in cells
    assert '<thscope="row">models</th><td></td><td>[&quot;qwen&quot;]</td>' in cells


def test_an_entry_about_no_change_shows_none(admin):
    entry = audit.record("user.signed_out", "user:1", actor_name="alice")

    assert "<td>" not in text_of(admin.get(page_of(entry)))


def test_the_list_is_narrowed_to_an_action(admin, entry):
    other = audit.record("key.created", "key:1", actor_name="bob")
    html = text_of(admin.get(LIST, {"action": "policy.changed"}))

    assert page_of(entry) in html
    assert page_of(other) not in html


def test_the_list_is_narrowed_to_an_actor(admin, alice, entry):
    other = audit.record("key.created", "key:1", actor_name="bob")
    html = text_of(admin.get(LIST, {"actor__id__exact": alice.pk}))

    assert page_of(entry) in html
    assert page_of(other) not in html


def test_nobody_changes_the_log(admin, entry):
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(page_of(entry), {"action": "other"}).status_code == 403
    assert admin.post(page_of(entry, "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    admin.post(LIST, chosen)
    assert audit.verify() is None
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


@pytest.mark.parametrize("page", [LIST, EXPORT])
def test_staff_without_rights_sees_nothing(db, page):
    assert browser(staff("sam")).get(page).status_code == 403
    assert not AuditEntry.objects.filter(action="audit.exported").exists()


async def test_who_may_look_may_download_the_log(transactional_db):
    sam = await sync_to_async(staff)("sam", "view_auditentry")
    client = AsyncClient()
    await client.aforce_login(sam)
    response = await client.get(EXPORT, {"q": "user.created"})
    pieces = [piece async for piece in response.streaming_content]
    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]

    assert [(line["action"], line["target"]) for line in lines] == [
        ("user.created", f"user:{sam.pk} sam")
    ]
    entry = await AuditEntry.objects.aget(number=lines[0]["number"])
    assert lines[0]["hash"] == await sync_to_async(audit.hash_of)(entry)
    export = await AuditEntry.objects.aget(action="audit.exported")
    assert (export.actor_name, export.after) == ("sam", {"filter": "q=user.created"})


async def test_the_log_is_downloaded_from_its_beginning(transactional_db):
    client = AsyncClient()
    await client.aforce_login(await sync_to_async(root)())
    response = await client.get(EXPORT)
    pieces = [piece async for piece in response.streaming_content]
    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]

    assert [line["number"] for line in lines] == [*range(1, len(lines) + 1)]
    assert lines[-1]["action"] == "audit.exported"


# Kept prompts


@pytest.fixture
def prompt(alice):
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "<b>Hi</b>"}]
    return PromptRecord.objects.create(
        uid=uuid.uuid4(),
        at=timezone.now(),
        user=alice,
        owner="alice",
        model="fake",
        prompt=said,
        answer="Hello.",
    )


def test_superusers_read_prompts(admin, prompt):
    html = text_of(admin.get(page_of(prompt, of=PROMPTS)))

    assert "Be brief." in html
    assert "&lt;b&gt;Hi&lt;/b&gt;" in html
    assert "Hello." in html


@pytest.mark.parametrize(
    ("asked", "shown"), [("Once upon", "Once upon"), ([101, 102], "101"), (["one"], "one")]
)
def test_prompts_that_are_no_chat_are_shown_too(admin, prompt, asked, shown):
    PromptRecord.objects.update(prompt=asked)
    html = text_of(admin.get(page_of(prompt, of=PROMPTS)))

    assert shown in html


def test_superusers_delete_prompts_and_do_not_change_them(admin, prompt):
    changed = {"answer": "Something else."}

    assert admin.post(page_of(prompt, of=PROMPTS), changed).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [prompt.pk], "post": "yes"}
    admin.post(PROMPTS, chosen)
    assert not PromptRecord.objects.exists()


def test_no_right_but_a_superusers_opens_prompts(prompt):
    rights = [f"{verb}_promptrecord" for verb in ("view", "change", "delete")]
    sam = browser(staff("sam", *rights))

    assert sam.get(PROMPTS).status_code == 403
    assert sam.get(page_of(prompt, of=PROMPTS)).status_code == 403
    assert sam.post(page_of(prompt, "delete", PROMPTS), {"post": "yes"}).status_code == 403
    assert "promptrecord" not in text_of(sam.get("/admin/"))
    assert PromptRecord.objects.exists()
