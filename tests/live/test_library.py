"""The conversations at the side, in a browser: what htmx does with what the pages answer."""

import json
import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import chromium

NUM_TALKS = 120

pytestmark = pytest.mark.skipif(not chromium.PATH.exists(), reason=chromium.MISSING)


def talk(number):
    at = f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z"
    said = {"uid": "q", "parent": None, "role": "user", "text": f"On apples {number}"}
    return {
        "title": f"Talk {number}",
        "created_at": at,
        "updated_at": at,
        "head": "q",
        "messages": [{**said, "created_at": at}],
    }


@pytest.fixture
def site(make_server):
    """A service with conversations that came as a file."""
    server = make_server().start()
    file = {
        "format": "llmsite-conversations",
        "version": 1,
        "conversations": [talk(number) for number in range(NUM_TALKS)],
    }
    with httpx.Client(base_url=server.url) as client:
        client.get("/c/import/")
        token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        done = client.post("/c/import/", data=token, files={"file": json.dumps(file).encode()})
        assert f"{NUM_TALKS} conversations" in done.text
    return server.url


@pytest.fixture
def page(site):
    with chromium.chromium() as browser:
        page, errors = browser.new_page(base_url=site), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto("/")
        yield page
    assert errors == []  # the policy for scripts and styles was kept, too


def menu_of(page, title):
    row = page.locator(".chat-row", has=page.get_by_role("link", name=title, exact=True))
    row.locator("summary").click()
    return row


def test_older_conversations_come_as_one_scrolls(page):
    rows, more = page.locator("#library .chat-link"), page.locator("#library .chat-more")
    expect(rows).to_have_count(50)
    more.scroll_into_view_if_needed()
    expect(rows).to_have_count(100)
    more.scroll_into_view_if_needed()
    expect(rows).to_have_count(NUM_TALKS)
    expect(more).to_have_count(0)


def test_a_row_is_renamed_pinned_and_deleted_where_it_is(page):
    menu_of(page, "Talk 118").get_by_role("link", name="Rename").click()
    title = page.get_by_label("Title")
    expect(title).to_be_focused()
    title.fill("Of apples")
    title.press("Enter")
    renamed = page.get_by_role("link", name="Of apples", exact=True)
    expect(renamed).to_be_visible()

    menu_of(page, "Of apples").get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("#library h3").first).to_have_text("Pinned")
    expect(page.locator(".chat-link").first).to_have_text("Of apples")

    menu_of(page, "Of apples").get_by_role("link", name="Delete").click()
    expect(renamed).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(renamed).to_be_visible()


def test_a_menu_that_is_opened_as_its_row_comes_has_all_that_can_be_done(page):
    page.evaluate(
        """document.addEventListener("htmx:afterSwap", () => {
            document.querySelector(".chat-row details").open = true;
            document.body.dataset.opened = "";
        }, { once: true })"""
    )
    page.evaluate("document.body.dispatchEvent(new CustomEvent('chat:changed'))")
    expect(page.locator("body[data-opened]")).to_have_count(1)
    expect(page.get_by_role("button", name="Pin", exact=True)).to_be_visible()


def test_what_is_typed_is_found_and_leads_to_its_message(page):
    page.get_by_role("searchbox").fill("apples 77")
    expect(page.get_by_text("1 conversation found")).to_be_visible()
    page.locator(".chat-hit a").click()
    expect(page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/#message-[0-9a-f]{32}$"))
    expect(page.locator("#title")).to_have_text("Talk 77")
