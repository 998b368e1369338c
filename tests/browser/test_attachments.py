"""Files beside a message: chosen or dropped, with what they cost."""

import pytest
from playwright.sync_api import expect

from .talk import answer, ask, ask_and_wait, done, field, questions, text_of
from .wire import Wire

NOTES = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"three more words"}
PICTURE = {"name": "cat.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + b"\0" * 99}
DROP = """
name => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["dropped words"], name, { type: "text/plain" }));
  const options = { dataTransfer, bubbles: true, cancelable: true };
  const isLeftToTheBrowser = (type) => document.body.dispatchEvent(new DragEvent(type, options));
  const over = isLeftToTheBrowser("dragover");
  const isInvited = !document.getElementById("drop").hidden;
  return { over, isInvited, drop: isLeftToTheBrowser("drop") };
}
"""


def chip(page):
    return page.locator(".chip")


def test_a_file_is_chosen_costs_tokens_and_reaches_the_model(page):
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".name")).to_have_text("notes.txt")
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    ask(page, "What is in it?")

    expect(text_of(done(page))).to_contain_text("three more words")
    expect(chip(page)).to_have_count(0)
    expect(questions(page).locator(".attachments .name")).to_have_text("notes.txt")
    expect(questions(page).locator(".attachments .cost")).to_contain_text("tokens")


def test_a_file_is_dropped_anywhere_on_the_page(page):
    heard = page.evaluate(DROP, "drop.md")

    assert heard == {"over": False, "isInvited": True, "drop": False}
    expect(chip(page).locator(".name")).to_have_text("drop.md")
    expect(page.locator("#drop")).to_be_hidden()
    ask(page, "Look")
    expect(text_of(done(page))).to_contain_text("dropped words")


def test_a_message_that_is_sent_while_its_file_is_read_waits_for_that(page):
    held = []
    page.route("**/attachments/", lambda route: held.append(route))
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page)).to_have_attribute("aria-busy", "true")
    ask(page, "What is in it?")
    expect(questions(page)).to_have_count(0)
    held.pop().continue_()

    expect(text_of(done(page))).to_contain_text("three more words")
    expect(questions(page).last.locator(".attachments .name")).to_have_text("notes.txt")


def test_one_whose_file_is_not_taken_stays_in_the_field(alice, page):
    alice.may_complain("status of 400")
    held = []
    page.route("**/attachments/", lambda route: held.append(route))
    page.locator("#files").set_input_files(NOTES)
    ask(page, "What is in it?")
    expect(chip(page)).to_have_attribute("aria-busy", "true")
    held.pop().fulfill(status=400, json={"error": {"message": "It is no text."}})

    expect(page.get_by_role("alert")).to_contain_text("It is no text.")
    expect(field(page)).to_have_value("What is in it?")
    expect(questions(page)).to_have_count(0)


def test_files_that_were_not_sent_are_there_when_the_page_is_loaded_again(page):
    ask_and_wait(page, "hello")
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    page.reload()
    expect(chip(page).locator(".name")).to_have_text("notes.txt")
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    ask(page, "What is in it?")
    expect(text_of(answer(page))).to_contain_text("three more words")
    done(page)
    page.reload()

    expect(questions(page).last.locator(".attachments .name")).to_have_text("notes.txt")
    expect(chip(page)).to_have_count(0)


def test_files_that_were_sent_as_the_connection_broke_are_sent_once(alice, page):
    ask_and_wait(page, "hello")
    other = alice.context.new_page()
    wire = Wire(other, is_mute=True)
    other.goto(page.url)
    other.locator("#files").set_input_files(NOTES)
    expect(chip(other).locator(".cost")).to_contain_text("tokens")
    field(other).press("Enter")
    expect(text_of(answer(page))).to_contain_text("three more words")
    wire.mend()
    other.evaluate("dispatchEvent(new Event('online'))")

    expect(questions(other)).to_have_count(2)
    expect(chip(other)).to_have_count(0)
    expect(other.get_by_role("alert")).to_be_hidden()
    wire.wait_until_told("accepted")
    done(other)
    ask_and_wait(other, "more")


def test_cells_of_a_spreadsheet_are_pasted_as_text(page):
    paste = """types => {
        const clipboardData = new DataTransfer();
        for (const type of types) clipboardData.setData(type, "a\\tb");
        clipboardData.items.add(new File(["cells"], "image.txt", { type: "text/plain" }));
        const options = { clipboardData, bubbles: true, cancelable: true };
        const pasted = new ClipboardEvent("paste", options);
        return document.getElementById("prompt").dispatchEvent(pasted);
    }"""
    assert page.evaluate(paste, ["text/plain", "text/html"]), "left to the browser"
    assert not page.evaluate(paste, [])

    expect(chip(page)).to_have_count(1)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")


def test_files_stay_with_their_conversation(alice, page):
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    other = alice.open("/compare/")
    expect(field(other)).to_be_visible()
    expect(chip(other)).to_have_count(0)
    page.reload()
    expect(chip(page)).to_have_count(1)
    page.get_by_role("button", name="Remove notes.txt").click()
    page.reload()

    expect(field(page)).to_be_visible()
    expect(chip(page)).to_have_count(0)


def test_a_file_is_taken_away_again(alice, page):
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("button", name="Remove notes.txt").click()

    expect(chip(page)).to_have_count(0)
    expect(field(page)).to_be_focused()
    assert alice.context.request.get("/attachments/").json() == {"attachments": []}


def test_a_file_that_cannot_be_read_is_refused_in_words(alice, page):
    alice.may_complain("status of 4")
    page.locator("#files").set_input_files(PICTURE)

    expect(page.get_by_role("alert")).to_contain_text("cat.png")
    expect(chip(page)).to_have_count(0)


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.txt", "x" * 150 + ".txt"])
def test_a_name_is_only_a_name(page, name):
    page.locator("#files").set_input_files({**NOTES, "name": name})
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    ask(page, "Look")
    done(page)

    assert page.locator(".attachments img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(answer(page)).to_be_visible()
