"""What is Alice's is there for Alice only: for Bob, of her team, and Charlie it is a 404."""

import uuid

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation, Share
from chat.pages.library_urls import urlpatterns
from chat.sharing import share
from tests.accounts.site import browser_of, configured
from tests.chat.talk import conversation, downloaded, person


@pytest.fixture
def alices(db, settings):
    """Everything that has an address, and is Alice's."""
    configured(settings)
    alice, bob = person("alice"), person("bob")
    person("charlie")
    team = Group.objects.create(name="team")
    alice.groups.add(team)
    bob.groups.add(team)
    User.objects.create_superuser("root")
    talk = conversation(alice, "Cake", ("Hi", "Hello"))
    gone = conversation(alice, "Gone", ("Hi",), deleted_at=timezone.now())
    return {
        "uid": talk.uid,
        "message": talk.head.uid,
        "deleted": gone.uid,
        "folder": alice.folders.create(name="Work").pk,
        "preset": alice.presets.create(name="Brief").pk,
        "share": share(talk).pk,
    }


# Method, address, what is sent, and what its owner gets.
URLS = [
    ("GET", "/c/list/folder-{folder}/", {}, 200),
    ("GET", "/c/{uid}/at/{message}/", {}, 302),
    ("GET", "/c/{uid}/menu/", {}, 200),
    ("GET", "/c/{uid}/title/", {}, 200),
    ("POST", "/c/{uid}/title/", {"title": "Pie"}, 302),
    ("POST", "/c/{uid}/pin/", {}, 302),
    ("POST", "/c/{uid}/move/", {"folder": "{folder}"}, 302),
    ("POST", "/c/{uid}/archive/", {}, 302),
    ("POST", "/c/{uid}/unarchive/", {}, 302),
    ("GET", "/c/{uid}/delete/", {}, 200),
    ("POST", "/c/{uid}/delete/", {}, 302),
    ("POST", "/c/{deleted}/restore/", {}, 302),
    ("GET", "/c/{uid}/share/", {}, 200),
    ("POST", "/c/{uid}/share/", {}, 302),
    ("GET", "/c/shared/{share}/revoke/", {}, 200),
    ("POST", "/c/shared/{share}/revoke/", {}, 302),
    ("GET", "/c/{uid}/export.json", {}, 200),
    ("GET", "/c/{uid}/export.md", {}, 200),
    ("GET", "/c/folders/{folder}/rename/", {}, 200),
    ("POST", "/c/folders/{folder}/rename/", {"name": "Play"}, 302),
    ("GET", "/c/folders/{folder}/delete/", {}, 200),
    ("POST", "/c/folders/{folder}/delete/", {}, 302),
    ("POST", "/c/presets/{preset}/use/", {}, 302),
    ("GET", "/c/presets/{preset}/rename/", {}, 200),
    ("POST", "/c/presets/{preset}/rename/", {"name": "Long"}, 302),
    ("GET", "/c/presets/{preset}/delete/", {}, 200),
    ("POST", "/c/presets/{preset}/delete/", {}, 302),
    ("GET", "/c/{uid}/preset/", {}, 200),
    ("POST", "/c/{uid}/preset/", {"name": "New"}, 302),
]
# What names nothing of a person's own, and so is each one's own; or is for everybody.
OF_EACH = {"chat-search", "shared-links", "shared", "export-all", "import", "folders", "presets"}


def ask(browser, method, url, data, alices, **headers):
    filled = {name: value.format(**alices) for name, value in data.items()}
    return getattr(browser, method.lower())(url.format(**alices), filled, headers=headers)


def rows():
    """All that could have changed."""
    return [
        [*Conversation.objects.order_by("pk").values()],
        [*Share.objects.order_by("pk").values()],
        [
            (u.username, [*u.folders.values()], [*u.presets.values()])
            for u in User.objects.order_by("pk")
        ],
    ]


@pytest.mark.parametrize(("method", "url", "data", "status"), URLS)
def test_it_is_not_there_for_others(alices, method, url, data, status):
    before = rows()
    for name in ("bob", "charlie", "root"):
        browser = browser_of(User.objects.get(username=name))
        for headers in ({}, {"hx-request": "true"}):
            assert ask(browser, method, url, data, alices, **headers).status_code == 404
    assert rows() == before


@pytest.mark.parametrize(("method", "url", "data", "status"), URLS)
def test_it_is_there_for_its_owner(alices, method, url, data, status):
    browser = browser_of(User.objects.get(username="alice"))
    assert ask(browser, method, url, data, alices).status_code == status


@pytest.mark.parametrize(("method", "url", "data", "status"), URLS)
def test_nobody_is_asked_to_sign_in(alices, method, url, data, status):
    response = ask(Client(), method, url, data, alices)
    assert response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(("method", "url", "data", "status"), URLS)
def test_what_is_deleted_is_not_there_for_its_owner_either(alices, method, url, data, status):
    alice = User.objects.get(username="alice")
    Conversation.objects.update(deleted_at=timezone.now())
    is_left = "{uid}" not in url and "{share}" not in url
    response = ask(browser_of(alice), method, url, data, alices)
    assert response.status_code == (status if is_left else 404)


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("/c/{uid}/move/", {"folder": "{folder}"}),
        ("/c/{uid}/pin/", {"place": "folder-{folder}"}),
        ("/c/{uid}/at/{message}/", None),
    ],
)
def test_what_is_alices_cannot_be_named_in_what_is_bobs(alices, url, data):
    bob = User.objects.get(username="bob")
    talk = conversation(bob, "Bob's", ("Hi",))
    mixed, method = {**alices, "uid": talk.uid}, "POST" if data else "GET"
    headers = {"hx-request": "true"}
    assert ask(browser_of(bob), method, url, data or {}, mixed, **headers).status_code == 404
    talk.refresh_from_db()
    assert talk.folder is None


def test_another_conversations_message_is_not_in_this_one(alices):
    alice = User.objects.get(username="alice")
    other = conversation(alice, "Other", ("Hi",))
    url = f"/c/{other.uid}/at/{alices['message']}/"
    assert browser_of(alice).get(url).status_code == 404


def test_lists_and_files_have_ones_own_only(alices):
    bob = browser_of(User.objects.get(username="bob"))
    for url in ("/c/search/?q=cake", "/c/list/recent/", "/c/list/deleted/", "/c/shared/"):
        assert "Cake" not in bob.get(url).content.decode().replace("cake", "")
    assert b"Work" not in bob.get("/c/folders/").content
    assert b"Brief" not in bob.get("/c/presets/").content
    assert "Cake" not in downloaded(bob.get("/c/export.json"))


def test_every_page_is_in_the_table():
    resolver = get_resolver()
    filled = {
        name: str(uuid.uuid4()) if name in ("uid", "message", "deleted") else "7"
        for name in ("uid", "message", "deleted", "folder", "preset", "share")
    }
    tested = {resolver.resolve(url.format(**filled)).url_name for _, url, _, _ in URLS}
    assert tested | OF_EACH == {pattern.name for pattern in urlpatterns}
