"""Coming in and going out."""

from playwright.sync_api import expect

from .site import PASSWORD
from .talk import ask_and_wait, field
from .test_attachments import NOTES, chip


def test_alice_signs_in_where_she_wanted_to_go_and_out_again(stranger):
    page = stranger.open("/compare/")
    page.get_by_label("User name or email").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Compare two models")).to_be_visible()
    page.goto("/")
    ask_and_wait(page, "hello")
    page.locator("details.menu", has_text="alice").locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_told_and_nothing_more(stranger):
    page = stranger.open("/")
    page.get_by_label("User name or email").fill("alice")
    page.get_by_label("Password").fill("something-else")
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("alert")).to_be_visible()
    assert "/accounts/login/" in page.url


def test_a_page_whose_session_has_ended_says_so_and_keeps_the_text(alice, page):
    alice.may_complain("WebSocket|status of 40")
    cookies = alice.context.cookies()
    page.goto("/")
    alice.context.clear_cookies()
    alice.context.add_cookies([one for one in cookies if one["name"] == "csrftoken"])
    field(page).fill("my words")
    page.reload()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    alice.context.add_cookies(cookies)
    page.goto("/")
    expect(field(page)).to_have_value("my words")


def test_what_is_asked_once_the_session_has_ended_is_not_taken_for_done(alice, page):
    alice.may_complain("WebSocket|status of 40")
    ask_and_wait(page, "hello")
    alice.context.clear_cookies(name="sessionid")
    with page.expect_response("**/c/list/**"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('chat:changed'))")
    page.get_by_role("button", name="Settings of this conversation").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#settings").get_by_role("alert")).to_contain_text("You are signed out")
    page.keyboard.press("Escape")
    page.locator("#files").set_input_files(NOTES)
    expect(page.locator("#refusal")).to_contain_text("You are signed out")
    expect(chip(page)).to_have_count(0)
    page.locator("#side-search").fill("hello")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "next=/c/" in page.url
