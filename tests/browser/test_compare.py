"""One prompt, two models."""

from playwright.sync_api import expect

from .talk import LONG, MEDIUM, ask, field, press
from .test_attachments import NOTES


def side(page, name):
    return page.locator(f'[data-side="{name}"]')


def answer_of(page, name):
    return side(page, name).locator('.message[data-role="assistant"]').last


def done_on_both(page, status="complete"):
    for name in ("left", "right"):
        expect(answer_of(page, name)).to_have_attribute("data-status", status)


def test_both_models_answer_side_by_side_and_again(alice):
    page = alice.open("/compare/")
    page.locator("#right-model").select_option("other")
    ask(page, MEDIUM)
    done_on_both(page)
    expect(answer_of(page, "left").locator(".figures")).to_contain_text("fake")
    expect(answer_of(page, "right").locator(".figures")).to_contain_text("other")
    ask(page, "more")
    expect(side(page, "left").locator(".turn")).to_have_count(2)
    expect(side(page, "right").locator(".turn")).to_have_count(2)
    done_on_both(page)


def test_both_are_there_when_the_page_is_loaded_again_and_one_goes_on_by_itself(alice):
    page = alice.open("/compare/")
    ask(page, "hello")
    done_on_both(page)
    page.reload()
    done_on_both(page)
    side(page, "right").get_by_role("link", name="Continue in this one").click()

    expect(field(page)).to_have_attribute("placeholder", "Ask anything")
    expect(page.locator(".turn")).to_have_count(1)


def test_stop_ends_both(alice):
    page = alice.open("/compare/")
    ask(page, LONG)
    for name in ("left", "right"):
        expect(answer_of(page, name)).to_contain_text("w9 ")
    page.get_by_role("button", name="Stop both").click()

    done_on_both(page, "stopped")


def test_what_one_model_refuses_comes_back_and_goes_to_that_one_alone(alice):
    page = alice.open("/compare/")
    refusing = page.locator("#right-model")
    name = refusing.locator("option").first
    name.evaluate("option => (option.value = 'nothing')")
    refusing.select_option("nothing")
    ask(page, "my words")
    expect(page.get_by_role("alert")).to_contain_text("nothing")
    expect(answer_of(page, "left")).to_have_attribute("data-status", "complete")
    expect(field(page)).to_have_value("my words")

    refusing.select_option("other")
    field(page).press("Enter")
    done_on_both(page)
    expect(field(page)).to_have_value("")
    for name in ("left", "right"):
        expect(side(page, name).locator(".turn")).to_have_count(1)


def test_branches_of_one_side_are_switched_where_it_is(alice):
    page = alice.open("/compare/")
    ask(page, "hello")
    done_on_both(page)
    address = page.url
    press(answer_of(page, "left"), "Answer again")
    expect(answer_of(page, "left").locator(".position")).to_have_text("2 / 2")
    expect(answer_of(page, "left")).to_have_attribute("data-status", "complete")
    press(answer_of(page, "left"), "Previous version")

    expect(answer_of(page, "left").locator(".position")).to_have_text("1 / 2")
    assert page.url == address


def test_settings_are_of_both_and_files_go_to_both(alice):
    page = alice.open("/compare/")
    page.get_by_role("button", name="Settings for both").click()
    page.get_by_label("System prompt").fill("shared words")
    page.get_by_role("button", name="Save").click()
    page.locator("#files").set_input_files(NOTES)
    expect(page.locator(".chip .cost")).to_contain_text("tokens")
    ask(page, "hello")
    done_on_both(page)
    for name in ("left", "right"):
        expect(answer_of(page, name)).to_contain_text("shared words")
        expect(answer_of(page, name)).to_contain_text("three more words")
        expect(side(page, name).locator(".attachments .name")).to_have_text("notes.txt")
    assert alice.context.request.get("/attachments/").json() == {"attachments": []}

    page.get_by_role("button", name="Settings for both").click()
    page.get_by_label("System prompt").fill("other words")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#settings")).to_be_hidden()
    for name in ("left", "right"):
        side(page, name).hover()
        side(page, name).get_by_role("button", name="Answer again").click()
        expect(answer_of(page, name)).to_contain_text("other words")
    page.reload()
    page.get_by_role("button", name="Settings for both").click()
    expect(page.get_by_label("System prompt")).to_have_value("other words")


def test_files_for_both_are_there_when_the_page_is_loaded_again(alice):
    page = alice.open("/compare/")
    page.locator("#files").set_input_files(NOTES)
    expect(page.locator(".chip .cost")).to_contain_text("tokens")
    page.reload()
    expect(page.locator(".chip .name")).to_have_text("notes.txt")
    page.get_by_role("button", name="Remove notes.txt").click()
    expect(page.locator(".chip")).to_have_count(0)
    ask(page, "hello")
    done_on_both(page)
    expect(page.locator(".attachments")).to_have_count(0)
