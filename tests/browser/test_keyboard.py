"""Everything without a mouse."""

from playwright.sync_api import expect

from .library import opened
from .talk import LONG, answer, ask, ask_and_wait, begun, done, field, questions, text_of


def focused(page):
    return page.evaluate(
        "(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()"
    )


def start_at_the_top(page):
    page.evaluate("document.body.tabIndex = -1, document.body.focus()")


def tab(page, times=1):
    for _ in range(times):
        page.keyboard.press("Tab")


def test_a_conversation_is_had_by_keyboard_alone(page):
    expect(field(page)).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(field(page)).to_have_value("one\ntwo")
    page.keyboard.press("Enter")
    done(page)
    expect(text_of(answer(page))).to_contain_text("one two")
    expect(field(page)).to_be_focused()
    page.keyboard.press("ArrowUp")
    editor = page.get_by_label("Your message")
    expect(editor).to_be_focused()
    expect(editor).to_have_value("one\ntwo")
    page.keyboard.press("Escape")
    expect(editor).to_have_count(0)
    expect(questions(page).get_by_role("button", name="Edit")).to_be_focused()


def test_escape_stops_the_answer(page):
    field(page).fill(LONG)
    page.keyboard.press("Enter")
    begun(page)
    page.keyboard.press("Escape")

    done(page, "stopped")


def test_escape_for_a_menu_or_another_field_does_not_stop_the_answer(page):
    ask(page, LONG)
    begun(page)
    summary = page.locator(".chat-row summary")
    summary.click()
    page.keyboard.press("Escape")
    expect(page.locator(".chat-menu")).not_to_have_attribute("open", "")
    page.locator("#side-search").press("Escape")
    page.locator("#model").press("Escape")
    begun(page, "w40 ")
    field(page).press("Escape")

    done(page, "stopped")


def test_tab_goes_through_the_page_in_the_order_that_it_is_read(alice):
    page = opened(alice, "How?", "So.")
    start_at_the_top(page)
    seen = []
    for _ in range(60):
        tab(page)
        seen.append(focused(page))
    order = [
        "Skip to the content",
        "Skip to the message field",
        "Hide conversations",
        "New chat",
        "Cake",
        "Import and export",
        "Chat",
        "Keyboard shortcuts",
        "Copy",
        "Edit",
        "Answer again",
        "Attach files",
        "Settings of this conversation",
        "Send",
    ]
    places = [seen.index(name) for name in order]
    assert places == sorted(places)


def test_what_has_the_focus_is_outlined(page):
    start_at_the_top(page)
    tab(page, 3)

    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_the_skip_link_leads_to_the_field(page):
    start_at_the_top(page)
    tab(page, 2)
    assert focused(page) == "Skip to the message field"
    page.keyboard.press("Enter")

    expect(field(page)).to_be_focused()


def test_the_help_lists_the_keys_and_escape_closes_it(page):
    page.keyboard.press("Control+/")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("Edit the last message")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()

    expect(field(page)).to_be_focused()


def test_settings_are_opened_filled_in_and_saved(page):
    ask_and_wait(page, "hello")
    field(page).focus()
    page.get_by_role("button", name="Settings of this conversation").focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Settings of this conversation")
    sheet.get_by_label("System prompt").fill("Be brief.")
    sheet.get_by_role("button", name="Save").press("Enter")
    expect(sheet).to_be_hidden()
    page.reload()

    expect(page.get_by_label("System prompt")).to_have_value("Be brief.")


def test_settings_that_did_not_arrive_are_not_saved(alice, page):
    alice.may_complain("net::ERR_FAILED")
    ask_and_wait(page, "hello")
    page.get_by_role("button", name="Settings of this conversation").click()
    sheet = page.get_by_role("dialog", name="Settings of this conversation")
    sheet.get_by_label("System prompt").fill("Be brief.")
    page.route("**/settings/", lambda route: route.abort(), times=1)
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.get_by_role("alert")).to_contain_text("could not be reached")
    expect(sheet.get_by_label("System prompt")).to_have_value("Be brief.")
    sheet.get_by_role("button", name="Save").click()
    expect(sheet).to_be_hidden()


def test_search_is_one_step_away_even_if_the_column_is_closed(page):
    page.keyboard.press("Control+b")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.keyboard.press("Control+k")

    expect(page.locator("#side-search")).to_be_focused()


def test_the_other_keys_do_what_the_help_says(page):
    ask_and_wait(page, "hello")
    page.locator("#sidebar a").first.focus()
    page.keyboard.press("Control+i")
    expect(field(page)).to_be_focused()
    page.keyboard.press("Control+Shift+L")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.keyboard.press("Control+Shift+O")
    expect(page.locator("#title")).to_have_text("New chat")


def test_a_menu_is_opened_and_closed(alice):
    page = opened(alice, "How?", "So.")
    summary = page.locator(".chat-row summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".chat-menu-body").get_by_text("Pin", exact=True)).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator(".chat-menu")).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
