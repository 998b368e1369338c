"""Administrators see conversations by number, and not a word of them."""

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from chat.models import Conversation
from tests.accounts.administration import browser, root, staff, text_of
from tests.chat.talk import attached, conversation, person

LIST = "/admin/chat/conversation/"
WORDS = ("Cake", "Hello", "Be brief.", "recipe.txt", "flour")


@pytest.fixture
def cake(db):
    alice = person("alice")
    made = conversation(alice, "Cake", ("Hi", "Hello"), system_prompt="Be brief.", model="qwen")
    attached(alice, made.messages.first(), name="recipe.txt", text="flour")
    return made


def pages(cake):
    return [LIST, f"{LIST}{cake.pk}/change/", f"{LIST}{cake.pk}/delete/"]


def test_no_page_has_a_word_of_it(cake):
    visitor = browser(root())
    for url in pages(cake):
        page = text_of(visitor.get(url))
        assert str(cake.uid) in page
        assert [word for word in WORDS if word in page] == []
    asked = {"action": "delete_selected", "_selected_action": [cake.pk]}
    page = text_of(visitor.post(LIST, asked))
    assert [word for word in WORDS if word in page] == []


def test_it_says_whose_they_are_and_how_much_is_in_them(cake):
    page = text_of(browser(root()).get(f"{LIST}{cake.pk}/change/"))
    for label in ("Messages", "Attachments", "Shared links", "Last grew (UTC)"):
        assert label in page
    assert f"user:{cake.user_id}" in page
    assert "qwen" in page


def test_search_is_by_owner_and_id_and_not_by_words(cake):
    visitor = browser(root())
    for query, is_found in (("alice", True), (str(cake.uid), True), ("Cake", False)):
        page = text_of(visitor.get(LIST, {"q": query}))
        assert (f"{LIST}{cake.pk}/change/" in page) is is_found


def test_nothing_is_added_or_changed(cake):
    visitor = browser(root())
    assert visitor.get(f"{LIST}add/").status_code == 403
    assert visitor.post(f"{LIST}{cake.pk}/change/", {"title": "Pie"}).status_code == 403


def test_deleting_is_for_good_and_in_the_audit_log(cake):
    cake.delete_softly(timezone.now())
    boss = root()
    browser(boss).post(f"{LIST}{cake.pk}/delete/", {"post": "yes"})
    assert not Conversation.objects.exists()
    entry = AuditEntry.objects.get(action="conversation.deleted")
    assert (entry.actor_name, entry.before) == ("root", None)
    assert entry.target == f"conversation:{cake.pk} {cake.uid} of {cake.owner}"


def test_several_are_deleted_at_once(cake):
    conversation(cake.user, "Pie")
    asked = {"action": "delete_selected", "post": "yes"}
    keys = [*Conversation.objects.values_list("pk", flat=True)]
    browser(root()).post(LIST, {**asked, "_selected_action": keys})
    assert not Conversation.objects.exists()
    assert AuditEntry.objects.filter(action="conversation.deleted").count() == 2


def test_staff_need_the_right(cake):
    assert browser(staff("sam")).get(LIST).status_code == 403
    viewer = browser(staff("vera", "view_conversation"))
    assert viewer.get(LIST).status_code == 200
    assert viewer.post(f"{LIST}{cake.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Conversation.objects.exists()
