"""Finding, sorting, sharing and taking along what was said."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .library import bring, conversation, notice, opened
from .talk import answer, ask_and_wait, press, questions, text_of
from .wire import Wire


@pytest.fixture
def kitchen(alice):
    """Alice's page, with two conversations in the list."""
    return bring(
        alice,
        conversation("Cake", "How is a cake made?", "With **eggs** and flour."),
        conversation("Soup", "How is a soup made?", "With water."),
    )


def row(page, title):
    return page.locator(".chat-row").filter(has_text=title)


def choose(page, title, what):
    """From the menu of that conversation."""
    row(page, title).locator("summary").click()
    row(page, title).locator(".chat-menu-body").get_by_text(what, exact=True).click()


def make_folder(page, name):
    page.goto("/c/folders/")
    page.locator("#content").get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the folder").click()


def toast(page):
    return page.locator("#toast")


def test_what_was_said_is_found_and_leads_to_the_message(kitchen):
    kitchen.locator("#side-search").fill("egg")
    expect(kitchen.locator(".chat-hit")).to_have_count(1)
    expect(kitchen.locator(".chat-hit mark")).to_have_text("eggs")
    kitchen.locator(".chat-hit a").click()

    expect(kitchen.locator("#title")).to_have_text("Cake")
    assert "#message-" in kitchen.url


def test_what_is_on_another_branch_is_found_and_shown(page):
    ask_and_wait(page, "apricot")
    press(questions(page).first, "Edit")
    page.get_by_label("Your message").fill("banana")
    page.get_by_label("Your message").press("Enter")
    expect(text_of(answer(page))).to_have_text("banana")
    page.locator("#side-search").fill("apricot")
    page.locator(".chat-hit a").first.click()
    page.get_by_role("button", name="Show its branch").click()

    expect(questions(page)).to_contain_text("apricot")


def test_hits_stay_while_an_answer_begins_and_gets_its_title(kitchen):
    kitchen.goto("/")
    kitchen.locator("#side-search").fill("egg")
    expect(kitchen.locator(".chat-hit")).to_have_count(1)
    ask_and_wait(kitchen, "hello")
    expect(kitchen).to_have_title(re.compile("^Write a title"))

    expect(kitchen.locator(".chat-hit")).to_have_count(1)


def test_hits_are_joined_by_what_is_said_meanwhile(kitchen):
    kitchen.goto("/")
    kitchen.locator("#side-search").fill("egg")
    expect(kitchen.locator(".chat-hit")).to_have_count(1)
    ask_and_wait(kitchen, "Another egg")

    expect(kitchen.locator(".chat-hit")).to_have_count(2)
    expect(kitchen.locator("#side-search")).to_have_value("egg")


@pytest.mark.parametrize("place", ["Archived", "Recently deleted", "Desserts"])
def test_the_list_that_was_chosen_stays_while_an_answer_begins_and_gets_its_title(
    alice, kitchen, place
):
    alice.may_complain("htmx:(sendAbort|afterRequest)")  # of a list that makes way for another
    make_folder(kitchen, "Desserts")
    kitchen.goto("/")
    side = kitchen.locator("#sidebar")
    side.get_by_role("link", name=place, exact=True).click()
    expect(side.locator(".chat-place")).to_have_text(place)
    with kitchen.expect_response(re.compile("/c/list/")) as read:
        ask_and_wait(kitchen, "hello")
    assert read.value.ok
    expect(kitchen).to_have_title(re.compile("^Write a title"))

    expect(side.locator(".chat-place")).to_have_text(place)
    expect(side.locator(".chat-row")).to_have_count(0)
    side.get_by_role("link", name="All conversations").click()
    expect(row(kitchen, "Write a title")).to_have_count(1)


def test_a_list_that_is_chosen_while_another_is_read_twice_is_shown(alice, kitchen):
    alice.may_complain("htmx:(sendAbort|afterRequest)")  # of a list that makes way for another
    page = alice.context.new_page()
    wire = Wire(page)
    page.goto("/")
    side = page.locator("#sidebar")
    side.get_by_role("link", name="Archived", exact=True).click()
    expect(side.locator(".chat-place")).to_have_text("Archived")
    held = []

    def hold_the_first(route):
        if held:
            route.continue_()
        held.append(route)

    page.route("**/c/list/archived/", hold_the_first)
    for title in ("One", "Another"):
        wire.tell(type="title", conversation="0" * 32, title=title)
    while not held:
        page.wait_for_timeout(10)
    side.get_by_role("link", name="All conversations").click()

    expect(side.locator(".chat-row")).to_have_count(2)


def test_the_first_page_lists_by_the_browsers_days(visit):
    visitor = visit(timezone_id="Pacific/Auckland")
    page = visitor.open()
    cookies = {cookie["name"]: cookie["value"] for cookie in visitor.context.cookies()}

    assert cookies["timezone"] == "Pacific/Auckland"
    expect(page.locator("#library .chat-empty")).to_be_visible()


def test_a_search_without_a_hit_says_so(kitchen):
    kitchen.locator("#side-search").fill("zebra")
    expect(kitchen.locator("#library")).to_contain_text("0 conversations found")


def test_a_conversation_is_pinned_and_unpinned(kitchen):
    choose(kitchen, "Cake", "Pin")
    expect(toast(kitchen)).to_contain_text("Pinned.")
    expect(kitchen.locator(".chat-group").nth(1)).to_have_text("Pinned")
    choose(kitchen, "Cake", "Unpin")

    expect(kitchen.locator(".chat-group", has_text="Pinned")).to_have_count(0)


def test_what_the_server_fails_to_do_is_told(alice, kitchen):
    alice.may_complain("status of 500|net::ERR_FAILED|htmx:|500 from")
    kitchen.route("**/pin/", lambda route: route.fulfill(status=500), times=1)
    choose(kitchen, "Cake", "Pin")
    expect(toast(kitchen)).to_contain_text("The server failed")
    kitchen.route("**/pin/", lambda route: route.abort(), times=1)
    kitchen.get_by_role("button", name="Pin", exact=True).click()
    expect(toast(kitchen)).to_contain_text("could not be reached")


def test_an_archived_conversation_goes_and_comes_back(kitchen):
    choose(kitchen, "Cake", "Archive")
    expect(row(kitchen, "Cake")).to_have_count(0)
    toast(kitchen).get_by_role("button", name="Undo").click()
    expect(row(kitchen, "Cake")).to_have_count(1)
    choose(kitchen, "Cake", "Archive")
    expect(row(kitchen, "Cake")).to_have_count(0)
    kitchen.get_by_role("link", name="Archived").click()

    expect(row(kitchen, "Cake")).to_have_count(1)


def test_whoever_has_chosen_from_a_menu_by_keyboard_goes_on_close_by(kitchen):
    cake = row(kitchen, "Cake").locator("summary")
    cake.press("Enter")
    row(kitchen, "Cake").get_by_role("button", name="Pin", exact=True).press("Enter")
    expect(toast(kitchen)).to_contain_text("Pinned.")
    expect(cake).to_be_focused()
    cake.press("Enter")
    row(kitchen, "Cake").get_by_role("button", name="Archive", exact=True).press("Enter")
    undo = toast(kitchen).get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(row(kitchen, "Cake")).to_have_count(1)

    expect(kitchen.locator("#library a:focus")).to_have_count(1)


def test_a_deleted_conversation_is_had_back(kitchen):
    choose(kitchen, "Cake", "Delete")
    expect(row(kitchen, "Cake")).to_have_count(0)
    toast(kitchen).get_by_role("button", name="Undo").click()
    expect(row(kitchen, "Cake")).to_have_count(1)
    choose(kitchen, "Cake", "Delete")
    expect(row(kitchen, "Cake")).to_have_count(0)
    kitchen.get_by_role("link", name="Recently deleted").click()
    row(kitchen, "Cake").get_by_role("button", name="Restore").click()

    expect(toast(kitchen)).to_contain_text("“Cake” is back.")


def test_the_conversation_that_is_open_is_deleted(alice):
    page = opened(alice, "How?", "So.")
    choose(page, "Cake", "Delete")

    expect(page.get_by_role("heading", name="Recently deleted")).to_be_visible()
    expect(notice(page)).to_contain_text("“Cake” was deleted.")


def test_a_title_is_changed_in_its_row(kitchen):
    choose(kitchen, "Cake", "Rename")
    field = kitchen.locator(".chat-rename input[name=title]")
    field.fill("Pie")
    field.press("Enter")

    expect(row(kitchen, "Pie")).to_have_count(1)


# Sharing


def test_a_stranger_reads_what_is_shared_until_it_is_revoked(alice, stranger):
    stranger.may_complain("404")
    page = opened(alice, "How is a cake made?", "With **eggs**.")
    page.goto(page.url + "share/")
    page.get_by_role("button", name="Make a link").click()
    address = page.locator("code.wrap").text_content()
    shared = stranger.open(address)
    expect(shared.get_by_role("heading", name="Cake")).to_be_visible()
    expect(shared.locator(".prose strong")).to_have_text("eggs")
    expect(shared.get_by_text(re.compile("Alice|person-"))).to_have_count(0)

    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    assert stranger.context.request.get(address).status == 404


def test_people_do_not_see_each_others_conversations(alice, bob):
    bob.may_complain("404")
    page = opened(alice, "How is a cake made?", "With eggs.")
    other = bob.open()

    expect(other.locator("#library .chat-row")).to_have_count(0)
    other.locator("#side-search").fill("eggs")
    expect(other.locator("#library")).to_contain_text("0 conversations found")
    assert other.goto(page.url).status == 404
    assert bob.context.request.get(page.url + "export.json").status == 404


@pytest.fixture
def renamed(alice, kitchen):
    """A function: the page that shows Soup, once that is called Broth on another device."""

    def rename():
        choose(elsewhere, "Soup", "Rename")
        elsewhere.get_by_label("Title").fill("Broth")
        elsewhere.get_by_label("Title").press("Enter")
        expect(kitchen.locator("#title")).to_have_text("Broth")

    row(kitchen, "Soup").locator(".chat-link").click()
    expect(kitchen.locator("#title")).to_have_text("Soup")
    elsewhere = alice.open()
    return rename


def test_a_new_title_is_listed_and_the_focus_stays(kitchen, renamed):
    cake = row(kitchen, "Cake").locator(".chat-link")
    cake.focus()
    renamed()

    expect(row(kitchen, "Broth")).to_be_visible()
    expect(cake).to_be_focused()


def test_an_open_menu_stays_and_the_new_title_is_listed_when_it_is_shut(kitchen, renamed):
    row(kitchen, "Cake").locator("summary").click()
    pin = row(kitchen, "Cake").get_by_role("button", name="Pin", exact=True)
    expect(pin).to_be_visible()
    renamed()
    expect(row(kitchen, "Soup")).to_be_visible()
    expect(pin).to_be_visible()

    kitchen.keyboard.press("Escape")
    expect(row(kitchen, "Broth")).to_be_visible()


def test_a_menu_that_is_opened_while_another_list_is_on_its_way_stays(kitchen, renamed):
    held = []
    kitchen.route("**/c/list/**", lambda route: held.append(route))
    with kitchen.expect_request("**/c/list/**"):
        renamed()
    row(kitchen, "Cake").locator("summary").click()
    pin = row(kitchen, "Cake").get_by_role("button", name="Pin", exact=True)
    expect(pin).to_be_visible()
    with kitchen.expect_event("requestfinished", lambda request: "/c/list/" in request.url):
        held.pop().continue_()
    kitchen.unroute("**/c/list/**")
    expect(row(kitchen, "Soup")).to_be_visible()
    expect(pin).to_be_visible()

    kitchen.keyboard.press("Escape")
    expect(row(kitchen, "Broth")).to_be_visible()


def test_a_title_that_is_being_typed_is_not_lost_to_another(kitchen, renamed):
    choose(kitchen, "Cake", "Rename")
    title = kitchen.get_by_label("Title")
    title.fill("Cak")
    renamed()
    title.press_sequentially("es")
    title.press("Enter")

    expect(row(kitchen, "Cakes")).to_be_visible()
    expect(row(kitchen, "Broth")).to_be_visible()


def test_a_stranger_is_asked_to_sign_in(alice, stranger):
    page = opened(alice, "How?", "So.")
    other = stranger.open(page.url)

    assert "/accounts/login/" in other.url


# Taking along


def test_what_is_exported_is_imported_by_somebody_else(alice, bob, tmp_path):
    page = opened(alice, "How is a cake made?", "With **eggs**.")
    page.goto("/c/import/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export all").click()
    file = tmp_path / "export.json"
    download.value.save_as(file)
    other = bob.open("/c/import/")
    other.set_input_files("#content input[type=file]", file)
    other.get_by_role("button", name="Import", exact=True).click()
    expect(notice(other)).to_contain_text("1 conversation, 2 messages")
    other.locator("#library").get_by_role("link", name="Cake").click()

    expect(text_of(answer(other)).locator("strong")).to_have_text("eggs")


def test_a_conversation_is_downloaded_as_markdown(alice):
    page = opened(alice, "How is a cake made?", "With **eggs**.")
    row(page, "Cake").locator("summary").click()
    with page.expect_download() as download:
        row(page, "Cake").get_by_text("Export as Markdown").click()

    assert "With **eggs**." in Path(download.value.path()).read_text()


def test_a_file_that_is_none_of_ours_is_refused_in_words(alice):
    page = alice.open("/c/import/")
    file = {"name": "x.json", "mimeType": "application/json", "buffer": json.dumps({}).encode()}
    page.set_input_files("#content input[type=file]", file)
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.locator("#content form")).to_contain_text("file")
    expect(page.locator("#content [id$=_error], #content .errorlist").first).to_be_visible()
