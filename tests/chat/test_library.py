"""The conversations at the side of the chat: in order, changed in place, and without scripts."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from chat import library
from chat.library import Place, listing, where_kept
from chat.models import Conversation, Role
from chat.pages.zone import zone_of
from tests.accounts.site import browser_of, configured, text
from tests.chat.talk import conversation, message, owner, person

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
HTMX = {"hx-request": "true"}


@pytest.fixture
def alice(db, settings):
    configured(settings)
    return person("alice")


@pytest.fixture
def browser(alice):
    return browser_of(alice)


def groups(user, place="recent", after=None):
    found = listing(owner(user), Place(place), after, NOW)
    return {group.heading: [row.title for row in group.rows] for group in found.groups}


def links(response):
    """Titles of the rows, in order."""
    return re.findall(r'class="chat-link"[^>]*>([^<]+)<', text(response))


# Order


def test_pinned_ones_come_first_and_the_others_by_day(alice):
    ages = {"now": 0, "morning": 12, "night": 13, "two days": 48, "week": 180, "old": 200}
    for title, hours in ages.items():
        conversation(alice, title, updated_at=NOW - timedelta(hours=hours))
    conversation(alice, "dear", is_pinned=True, updated_at=NOW - timedelta(days=400))
    assert groups(alice) == {
        "Pinned": ["dear"],
        "Today": ["now", "morning"],
        "Yesterday": ["night"],
        "Last 7 days": ["two days", "week"],
        "Older": ["old"],
    }


@pytest.mark.parametrize(
    ("zone", "heading"), [("Pacific/Auckland", "Yesterday"), ("America/Los_Angeles", "Today")]
)
def test_days_begin_where_the_reader_is(alice, zone, heading):
    """Noon in UTC is midnight in Auckland, and morning in Los Angeles."""
    conversation(alice, "Cake", updated_at=NOW - timedelta(hours=1))
    found = listing(owner(alice), Place("recent"), None, NOW.astimezone(ZoneInfo(zone)))
    assert [group.heading for group in found.groups] == [heading]


def test_days_are_calendar_days_when_clocks_change(alice):
    """On 29 March 2026 Berlin has 23 hours: yesterday began 24 hours before that day's end."""
    conversation(alice, "Cake", updated_at=datetime(2026, 3, 28, 23, 30, tzinfo=UTC))
    now = datetime(2026, 3, 29, 23, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    found = listing(owner(alice), Place("recent"), None, now)
    assert [group.heading for group in found.groups] == ["Yesterday"]


@pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("", "UTC"),
        ("Europe", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("/etc/localtime", "UTC"),
        ("Mars/Olympus", "UTC"),
    ],
)
def test_the_browsers_time_zone_is_one_that_there_is(rf, cookie, zone):
    request = rf.get("/")
    request.COOKIES["timezone"] = cookie
    assert zone_of(request).key == zone


def test_pages_list_by_the_browsers_days(browser, alice):
    conversation(alice, "Cake", updated_at=timezone.now())
    here, far = timezone.now(), {"Pacific/Kiritimati": 14, "Etc/GMT+12": -12}
    days = {zone: (here + timedelta(hours=hours)).date() for zone, hours in far.items()}
    Conversation.objects.update(updated_at=here - timedelta(hours=13))
    for zone in far:
        browser.cookies["timezone"] = zone
        day = (here - timedelta(hours=13) + timedelta(hours=far[zone])).date()
        heading = "Today" if day == days[zone] else "Yesterday"
        assert f'<h3 class="chat-group">{heading}</h3>' in text(browser.get("/"))


def test_there_are_so_many_at_once_and_the_rest_after_them(alice, monkeypatch):
    monkeypatch.setattr(library, "PAGE", 2)
    for number in range(5):
        conversation(alice, str(number), updated_at=NOW)
    conversation(alice, "dear", is_pinned=True)
    first = listing(owner(alice), Place("recent"), None, NOW)
    second = listing(owner(alice), Place("recent"), first.more_after, NOW)
    assert groups(alice) == {"Pinned": ["dear"], "Today": ["4", "3"]}
    assert groups(alice, after=first.more_after) == {"": ["2", "1"]}
    assert groups(alice, after=second.more_after) == {"": ["0"]}
    assert listing(owner(alice), Place("recent"), second.more_after, NOW).more_after is None


@pytest.mark.parametrize("change", [{"updated_at": NOW}, {"deleted_at": NOW}])
def test_the_rest_is_the_same_though_the_last_has_grown_or_gone(alice, monkeypatch, change):
    monkeypatch.setattr(library, "PAGE", 2)
    for hours in range(4):
        conversation(alice, str(hours), updated_at=NOW - timedelta(hours=hours + 1))
    first = listing(owner(alice), Place("recent"), None, NOW)
    Conversation.objects.filter(title="1").update(**change)
    assert groups(alice, after=first.more_after) == {"": ["2", "3"]}


@pytest.mark.parametrize("year", [1, 1969, 2026, 9999])
def test_where_a_page_ended_can_be_written_down(year):
    ended = library.Cursor(datetime(year, 1, 2, 3, 4, 5, 6, tzinfo=UTC), 7)
    assert library.Cursor.of(str(ended)) == ended


def test_each_is_where_it_is_kept(alice):
    folder = alice.folders.create(name="Work")
    conversation(alice, "folder", folder=folder, updated_at=NOW)
    conversation(alice, "archived", archived_at=NOW, updated_at=NOW)
    conversation(alice, "both", folder=folder, archived_at=NOW, updated_at=NOW)
    conversation(alice, "deleted", deleted_at=NOW)
    conversation(alice, "session", session_id="s", updated_at=NOW)
    assert groups(alice) == {}
    assert groups(alice, "archived") == {"Today": ["both", "archived"]}
    assert groups(alice, "deleted") == {"Today": ["deleted"]}
    place = Place(folder.place_name, folder)
    assert [*place.rows(owner(alice)).values_list("title", flat=True)] == ["folder"]


# Pages


def test_every_page_has_the_list_and_marks_where_one_is(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    conversation(alice, "<b>Pie</b>", ("Hi",))
    page = text(browser.get(f"/c/{cake.uid}/"))
    here = f'id="open-{cake.uid.hex}" href="/c/{cake.uid}/" aria-current="page"'
    assert f'<a class="chat-link" {here}>Cake</a>' in page
    assert page.count('class="chat-link"') == 2
    assert "&lt;b&gt;Pie&lt;/b&gt;</a>" in page
    assert page.count('aria-current="page"') == 1 + page.count('aria-current="page">Chat')


def test_a_conversation_in_a_folder_opens_that_folder(browser, alice):
    folder = alice.folders.create(name="Work")
    cake = conversation(alice, "Cake", ("Hi",), folder=folder)
    page = browser.get(f"/c/{cake.uid}/")
    assert links(page) == ["Cake"]
    assert '<h2 class="chat-place">Work</h2>' in text(page)


def test_a_scroll_asks_for_what_follows(browser, alice, monkeypatch):
    monkeypatch.setattr(library, "PAGE", 2)
    for number in range(5):
        conversation(alice, str(number), ("Hi",))
    page, seen = text(browser.get("/")), []
    for _ in range(3):
        seen += re.findall(r'class="chat-link"[^>]*>([^<]+)<', page)
        more = re.search(r'hx-get="([^"]+)" hx-trigger="intersect once"', page)
        page = text(browser.get(more[1], headers=HTMX)) if more else ""
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("place", ["recent", "archived", "deleted"])
def test_an_empty_place_says_so(browser, place):
    assert "chat-empty" in text(browser.get(f"/c/list/{place}/", headers=HTMX))
    assert "There is nothing here." in text(browser.get(f"/c/list/{place}/"))


@pytest.mark.parametrize("place", ["nowhere", "folder-", "folder-x", "folder-99", "folder-²"])
def test_there_are_no_other_places(browser, place):
    assert browser.get(f"/c/list/{place}/").status_code == 404


def test_a_bad_place_to_go_on_from_is_404_and_a_foreign_one_nothing(browser, alice):
    conversation(alice, "Cake", ("Hi",))
    foreign = conversation(person("bob"), "Pie", ("Hi",))
    for bad in ("x", "9.", "١.1", f"{10**18 - 1}.1", f"1.{10**18}"):
        assert browser.get("/c/list/recent/", {"after": bad}).status_code == 404
    after = library.Cursor(foreign.updated_at, foreign.pk)
    assert "Pie" not in text(browser.get(f"/c/list/recent/?after={after}"))


# Changes


def test_a_title_is_given_in_the_row_and_stays(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    url = f"/c/{cake.uid}/title/"
    assert 'value="Cake"' in text(browser.get(url, headers=HTMX))
    changed = browser.post(url, {"title": " Pie "}, headers=HTMX)
    assert links(changed) == ["Pie"]
    assert 'id="title"' not in text(changed)
    cake.refresh_from_db()
    assert (cake.title, cake.is_title_given) == ("Pie", True)


def test_the_open_conversations_heading_has_its_new_title_too(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    here = {**HTMX, "hx-current-url": f"http://testserver/c/{cake.uid}/"}
    changed = browser.post(f"/c/{cake.uid}/title/", {"title": "Pie"}, headers=here)
    assert '<h1 id="title" hx-swap-oob="true">Pie</h1>' in text(changed)
    assert 'aria-current="page"' in text(changed)


@pytest.mark.parametrize("title", ["", "  ", "a\nb", "x" * 201])
def test_a_title_is_one_line_that_can_be_seen(browser, alice, title):
    cake = conversation(alice, "Cake", ("Hi",))
    refused = browser.post(f"/c/{cake.uid}/title/", {"title": title}, headers=HTMX)
    assert "errorlist" in text(refused)
    cake.refresh_from_db()
    assert cake.title == "Cake"


def test_pinning_shows_the_list_as_it_is_then(browser, alice):
    old = conversation(alice, "Old", ("Hi",))
    conversation(alice, "New", ("Hi",))
    changed = browser.post(f"/c/{old.uid}/pin/", headers=HTMX)
    assert links(changed) == ["Old", "New"]
    assert "Pinned." in text(changed)
    assert links(browser.post(f"/c/{old.uid}/pin/", headers=HTMX)) == ["New", "Old"]


def test_moving_takes_the_row_out_of_the_list(browser, alice):
    folder = alice.folders.create(name="Work")
    cake = conversation(alice, "Cake", ("Hi",))
    moved = browser.post(f"/c/{cake.uid}/move/", {"folder": folder.pk}, headers=HTMX)
    assert moved["HX-Retarget"] == f"#conversation-{cake.uid.hex}"
    assert moved["HX-Reswap"] == "delete"
    assert links(browser.get(f"/c/list/{folder.place_name}/", headers=HTMX)) == ["Cake"]
    browser.post(f"/c/{cake.uid}/move/", {"folder": ""}, headers=HTMX)
    assert links(browser.get("/c/list/recent/", headers=HTMX)) == ["Cake"]


def test_archiving_can_be_undone(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    done = browser.post(f"/c/{cake.uid}/archive/", headers=HTMX)
    undo = re.search(r'hx-post="([^"]+)" hx-target="#library"', text(done))[1]
    assert links(browser.get("/c/list/archived/", headers=HTMX)) == ["Cake"]
    assert links(browser.post(undo, headers=HTMX)) == ["Cake"]


@pytest.mark.parametrize(
    ("archived_at", "done", "undo", "heading"),
    [(None, "archive", "unarchive", "Work"), (NOW, "unarchive", "archive", "Archived")],
)
def test_what_is_undone_is_shown_where_it_is_kept(browser, alice, archived_at, done, undo, heading):
    folder = alice.folders.create(name="Work")
    cake = conversation(alice, "Cake", ("Hi",), folder=folder, archived_at=archived_at)
    changed = browser.post(f"/c/{cake.uid}/{done}/", {"place": where_kept(cake).name}, headers=HTMX)
    assert changed["HX-Retarget"] == f"#conversation-{cake.uid.hex}"
    assert f'hx-post="/c/{cake.uid}/{undo}/"' in text(changed)
    browser.post(f"/c/{cake.uid}/{undo}/", {"undo": ""}, headers=HTMX)
    undone_twice = browser.post(f"/c/{cake.uid}/{undo}/", {"undo": ""}, headers=HTMX)
    assert "HX-Retarget" not in undone_twice
    assert f'<h2 class="chat-place">{heading}</h2>' in text(undone_twice)
    assert links(undone_twice) == ["Cake"]


def test_deleting_can_be_undone(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    done = browser.post(f"/c/{cake.uid}/delete/", headers=HTMX)
    assert (done["HX-Retarget"], done["HX-Reswap"]) == (
        f"#conversation-{cake.uid.hex}",
        "delete",
    )
    assert browser.get(f"/c/{cake.uid}/").status_code == 404
    undo = re.search(r'hx-post="([^"]+)" hx-target="#library"', text(done))[1]
    assert links(browser.post(undo, headers=HTMX)) == ["Cake"]
    assert browser.get(f"/c/{cake.uid}/").status_code == 200


def test_whoever_deletes_what_is_open_is_led_away(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    here = {**HTMX, "hx-current-url": f"http://testserver/c/{cake.uid}/"}
    done = browser.post(f"/c/{cake.uid}/delete/", headers=here)
    assert done["HX-Redirect"] == "/c/list/deleted/"
    page = text(browser.get("/c/list/deleted/"))
    assert "“Cake” was deleted." in page
    assert f'action="/c/{cake.uid}/restore/"' in page


def test_all_of_it_goes_without_scripts(browser, alice):
    cake = conversation(alice, "Cake", ("Hi",))
    menu = text(browser.get(f"/c/{cake.uid}/menu/"))
    assert f'formaction="/c/{cake.uid}/pin/"' in menu
    for action in ("pin", "archive"):
        assert browser.post(f"/c/{cake.uid}/{action}/")["Location"] == f"/c/{cake.uid}/"
    assert "Delete “Cake”?" in text(browser.get(f"/c/{cake.uid}/delete/"))
    assert Conversation.objects.get().deleted_at is None
    assert browser.post(f"/c/{cake.uid}/delete/")["Location"] == "/c/list/deleted/"
    assert browser.post(f"/c/{cake.uid}/restore/")["Location"] == f"/c/{cake.uid}/"


def test_a_page_of_another_site_cannot_change_anything(alice):
    browser = browser_of(alice)
    browser.handler.enforce_csrf_checks = True
    cake = conversation(alice, "Cake", ("Hi",))
    assert browser.post(f"/c/{cake.uid}/delete/").status_code == 403


# Search


def test_what_is_found_is_marked_and_leads_to_the_message(browser, alice):
    cake = conversation(alice, "Baking", ("An <i>apple</i> cake?",))
    page = text(browser.get("/c/search/?q=apple", headers=HTMX))
    assert "<mark>apple</mark>&lt;/i&gt; cake" in page
    assert f'href="/c/{cake.uid}/at/{cake.head.uid}/"' in page
    assert "1 conversation found" in page


def test_a_hit_on_another_branch_asks_before_that_is_shown(browser, alice):
    cake = conversation(alice, "Cake", ("Hi", "Hello"))
    head = cake.head
    other = message(cake, "Bye", cake.messages.first(), Role.ASSISTANT)
    page = text(browser.get(f"/c/{cake.uid}/at/{other.uid}/"))
    assert 'action="/c/branch/"' in page
    assert f'name="message" value="{other.uid}"' in page
    cake.refresh_from_db()
    assert cake.head == head
    shown = browser.post("/c/branch/", {"message": other.uid})
    assert shown["Location"] == f"/c/{cake.uid}/#message-{other.uid.hex}"
    cake.refresh_from_db()
    assert cake.head == other


def test_a_hit_on_the_shown_branch_leaves_it_as_it_is(browser, alice):
    cake = conversation(alice, "Cake", ("Hi", "Hello", "More"))
    head = cake.head
    message(cake, "Other", cake.messages.all()[1])
    browser.get(f"/c/{cake.uid}/at/{cake.messages.all()[1].uid}/")
    cake.refresh_from_db()
    assert cake.head == head


def test_nothing_typed_shows_the_list_again(browser, alice):
    conversation(alice, "Cake", ("Hi",))
    assert links(browser.get("/c/search/?q=%20", headers=HTMX)) == ["Cake"]
    assert "0 conversations found" in text(browser.get("/c/search/?q=nothing"))


# Folders and presets


def test_a_deleted_folders_conversations_stay(browser, alice):
    browser.post("/c/folders/", {"name": "Work"})
    folder = alice.folders.get()
    conversation(alice, "Cake", ("Hi",), folder=folder)
    browser.post(f"/c/folders/{folder.pk}/rename/", {"name": "Play"})
    assert "Play" in text(browser.get("/c/folders/"))
    assert "1 conversation" in text(browser.get("/c/folders/"))
    browser.post(f"/c/folders/{folder.pk}/delete/")
    assert links(browser.get("/c/list/recent/", headers=HTMX)) == ["Cake"]


@pytest.mark.parametrize(("url", "kind"), [("/c/folders/", "folders"), ("preset", "presets")])
def test_no_two_have_the_same_name(browser, alice, url, kind):
    getattr(alice, kind).create(name="Work")
    cake = conversation(alice, "Cake")
    page = browser.post(f"/c/{cake.uid}/preset/" if url == "preset" else url, {"name": "Work"})
    assert "There is one named “Work” already." in text(page)
    assert getattr(alice, kind).count() == 1


def test_a_preset_begins_other_conversations(browser, alice):
    facts = {"model": "qwen", "system_prompt": "Be brief.", "parameters": {"temperature": 0.3}}
    cake = conversation(alice, "Cake", **facts)
    browser.post(f"/c/{cake.uid}/preset/", {"name": "Brief"})
    preset = alice.presets.get()
    page = text(browser.get("/c/presets/"))
    assert "qwen · temperature 0.3" in page
    begun = browser.post(f"/c/presets/{preset.pk}/use/")
    new = Conversation.objects.latest("pk")
    assert begun["Location"] == f"/c/{new.uid}/"
    assert {name: getattr(new, name) for name in facts} == facts
    assert (new.title, new.head) == ("", None)
    browser.post(f"/c/presets/{preset.pk}/rename/", {"name": "Short"})
    browser.post(f"/c/presets/{preset.pk}/delete/")
    assert "no preset yet" in text(browser.get("/c/presets/"))


def test_with_sign_in_off_everybody_is_one_person(client, db):
    Conversation.objects.all().delete()
    assert "Here will be what you talk about." in text(client.get("/"))
    client.post("/c/folders/", {"name": "Work"})
    assert "Work" in text(client.get("/c/list/recent/", headers=HTMX))
