"""Files of conversations on pages: the downloads, and what an import says."""

import json
from unittest.mock import patch

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AuditEntry, Policy
from chat.exchange.importing import Imported
from chat.models import Conversation, Message
from chat.pages import exchange
from tests.accounts.site import browser_of, configured, text
from tests.chat.talk import conversation, downloaded, person


@pytest.fixture
def alice(db, settings):
    configured(settings)
    return person("alice")


@pytest.fixture
def browser(alice):
    return browser_of(alice)


def upload(browser, content, name="file.json"):
    return text(browser.post("/c/import/", {"file": SimpleUploadedFile(name, content)}))


def test_all_conversations_are_one_file(browser, alice):
    for title in ("Cake", "Pie"):
        conversation(alice, title, ("Hi", "Hello"))
    response = browser.get("/c/export.json")
    titles = [one["title"] for one in json.loads(downloaded(response))["conversations"]]
    assert titles == ["Cake", "Pie"]
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert response["Content-Type"] == "application/json; charset=utf-8"


def test_one_is_a_file_of_its_own_whose_name_tells_nothing(browser, alice):
    cake = conversation(alice, "Cake", ("Hi", "Hello"))
    conversation(alice, "Pie", ("Hi",))
    response = browser.get(f"/c/{cake.uid}/export.json")
    (one,) = json.loads(downloaded(response))["conversations"]
    assert one["title"] == "Cake"
    assert "Cake" not in response["Content-Disposition"]
    markdown = browser.get(f"/c/{cake.uid}/export.md")
    assert downloaded(markdown).startswith("# Cake\n")
    assert markdown["Content-Type"] == "text/markdown; charset=utf-8"


def test_exports_are_in_the_audit_log_without_a_word(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    for url in ("/c/export.json", f"/c/{cake.uid}/export.json", f"/c/{cake.uid}/export.md"):
        browser.get(url)
    entries = AuditEntry.objects.filter(action="conversation.exported").order_by("number")
    target = f"conversation:{cake.pk} {cake.uid}"
    assert [(e.target, e.after, e.actor_name) for e in entries] == [
        ("all conversations", {"format": "json"}, "alice"),
        (target, {"format": "json"}, "alice"),
        (target, {"format": "markdown"}, "alice"),
    ]


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)],
)
def test_no_other_site_has_a_file_exported(browser, alice, site, status):
    cake = conversation(alice, "Cake", ("Hi",))
    for url in ("/c/export.json", f"/c/{cake.uid}/export.json", f"/c/{cake.uid}/export.md"):
        assert browser.get(url, headers={"sec-fetch-site": site}).status_code == status
    assert AuditEntry.objects.filter(action="conversation.exported").exists() == (status == 200)


def test_an_import_says_what_it_found_and_what_it_left(browser):
    say = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Hi"]}}
    tool = {"author": {"role": "tool"}, "content": {"content_type": "text", "parts": ["<i>"]}}
    mapping = {"a": {"message": say}, "<b>": {"message": tool, "parent": "a"}}
    page = upload(browser, json.dumps([{"title": "Cake", "mapping": mapping}]).encode())
    assert "<strong>ChatGPT export</strong>: 1 conversation,\n    1 message." in page
    assert "1 × a message of tool" in page
    assert "(conversations[0], &lt;b&gt;)" in page
    assert Conversation.objects.get().title == "Cake"


def test_what_was_exported_is_imported_on_the_page(browser, alice):
    conversation(alice, "Cake", ("Hi", "Hello"))
    page = upload(browser, downloaded(browser.get("/c/export.json")).encode())
    assert "<strong>llmsite export</strong>: 1 conversation,\n    2 messages." in page
    assert Message.objects.count() == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is not JSON"),
        (b"{", "line 1, column 2"),
        (b"[]", "no format that is known here"),
        (b'{"format": "llmsite-conversations", "version": 9}', "version: 9 is not 1"),
    ],
)
def test_a_bad_file_is_said_beside_the_field(browser, content, words):
    page = upload(browser, content)
    assert words in page[page.index('class="errorlist"') :]
    assert not Conversation.objects.exists()


def test_without_a_file_there_is_nothing_to_import(browser):
    assert "This field is required." in text(browser.post("/c/import/", {}))
    assert "up to 10.0" in text(browser.get("/c/import/"))


def test_a_policys_size_of_requests_holds_for_files_too(browser, alice):
    Policy.objects.create(user=alice, max_body_kb=1)
    file = SimpleUploadedFile("file.json", b" " * 1025)
    refused = browser.post("/c/import/", {"file": file})
    assert refused.status_code == 413
    assert "larger than 1024 bytes (rule max_body_kb of" in text(refused)
    assert "The file is not JSON" in upload(browser, b" " * 1024)
    assert "up to 1.0" in text(browser.get("/c/import/"))


def test_an_import_that_ended_halfway_is_said(browser):
    done = Imported("llmsite export", num_in_file=3, num_conversations=1, num_messages=2)

    async def halfway(*args):
        return done

    with patch.object(exchange, "import_file", halfway):
        page = upload(browser, b"[]")
    assert "The last 2 conversations of the file did not come in" in page
