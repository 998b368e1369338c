"""What a person has written is somewhere until it has arrived, and arrives once."""

from playwright.sync_api import Locator, Page, expect

from .talk import (
    LONG,
    answer,
    answers,
    ask,
    ask_and_wait,
    begun,
    done,
    field,
    press,
    questions,
    text_of,
)
from .test_attachments import NOTES, chip
from .visitor import Visitor
from .wire import Wire

TOO_LATE = "00:31"  # for an answer of a socket


def conversations(page: Page) -> Locator:
    return page.locator("#library .chat-row a.chat-link")


def over_wire(alice: Visitor, path: str = "/", **fault: bool) -> tuple[Page, Wire]:
    """A page with a clock of its own, and that fault of its sockets."""
    page = alice.context.new_page()
    page.clock.install()
    wire = Wire(page, **fault)
    page.goto(path)
    return page, wire


def edit(page: Page, text: str) -> None:
    press(questions(page), "Edit")
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def test_what_nobody_has_acknowledged_is_there_when_the_page_is_loaded_again(alice):
    page = alice.context.new_page()
    wire = Wire(page, is_deaf=True)
    page.goto("/")
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    ask(page, "my words")
    expect(field(page)).to_have_value("")
    field(page).fill("and more")
    wire.mend()
    page.reload()

    expect(field(page)).to_have_value("my words\n\nand more")
    expect(chip(page).locator(".name")).to_have_text("notes.txt")
    ask(page, "my words")
    expect(text_of(done(page))).to_contain_text("three more words")
    page.reload()
    expect(field(page)).to_have_value("")


def test_what_has_arrived_does_not_come_back(alice, page):
    ask_and_wait(page, "hello")
    other = alice.context.new_page()
    wire = Wire(other, is_mute=True)
    other.goto(page.url)
    ask(other, "and then?")
    expect(questions(page).last).to_contain_text("and then?")
    wire.mend()
    other.reload()

    expect(questions(other)).to_have_count(2)
    expect(field(other)).to_have_value("")


def test_while_a_message_is_on_its_way_no_other_is_sent(alice):
    page = alice.context.new_page()
    wire = Wire(page, is_deaf=True)
    page.goto("/")
    ask(page, "my words")
    ask(page, "my words again")

    expect(page.get_by_role("alert")).to_contain_text("An answer is being written")
    expect(field(page)).to_have_value("my words again")
    assert len(wire.sent("send")) == 1


def test_what_a_silent_socket_has_swallowed_is_sent_again_over_another(alice):
    page, wire = over_wire(alice, is_deaf=True)
    ask(page, "my words")
    wire.wait_until_sent("send")
    expect(field(page)).to_have_value("")
    wire.mend()
    page.clock.fast_forward(TOO_LATE)

    expect(text_of(answer(page))).to_have_text("my words")
    expect(field(page)).to_have_value("")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#connection")).to_be_hidden()
    assert [one["question"] for one in wire.sent("send")] == [wire.sent("send")[0]["question"]] * 2


def test_what_had_arrived_begins_one_conversation(alice):
    page, wire = over_wire(alice, is_mute=True)
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    ask(page, "my words")
    other = alice.open()
    conversations(other).click()
    done(other)
    field(page).fill("and more")
    wire.mend()
    page.clock.fast_forward(TOO_LATE)

    expect(text_of(answer(page))).to_contain_text("three more words")
    expect(answer(page)).to_be_visible()
    expect(field(page)).to_have_value("and more")
    expect(chip(page)).to_have_count(0)
    expect(conversations(page)).to_have_count(1)
    expect(page).to_have_url(conversations(page).get_attribute("href"))
    expect(questions(page)).to_have_count(1)
    ask_and_wait(page, "and more")
    expect(questions(page)).to_have_count(2)


def test_a_file_that_came_after_a_message_was_lost_goes_with_the_next(alice):
    page, wire = over_wire(alice, is_mute=True)
    page.locator("#files").set_input_files(NOTES)
    expect(chip(page).locator(".cost")).to_contain_text("tokens")
    ask(page, "my words")
    expect(conversations(alice.open())).to_have_count(1)
    wire.is_cut = True
    page.clock.fast_forward(TOO_LATE)
    expect(chip(page)).to_have_count(1)
    later = {"name": "later.txt", "mimeType": "text/plain", "buffer": b"Said later."}
    page.locator("#files").set_input_files(later)
    expect(chip(page).locator(".cost")).to_contain_text(["tokens", "tokens"])
    wire.mend()
    page.clock.fast_forward(TOO_LATE)

    expect(text_of(answer(page))).to_contain_text("three more words")
    done(page)
    expect(chip(page).locator(".name")).to_have_text("later.txt")
    ask(page, "more")
    expect(questions(page).last.locator(".attachments .name")).to_have_text("later.txt")
    expect(chip(page)).to_have_count(0)


def test_words_that_were_changed_since_are_another_message(alice):
    page, wire = over_wire(alice, is_deaf=True)
    ask(page, "my words")
    wire.wait_until_sent("send")
    wire.is_cut = True
    page.clock.fast_forward(TOO_LATE)
    expect(page.get_by_role("alert")).to_contain_text("will be sent again")
    expect(field(page)).to_have_value("my words")
    field(page).fill("other words")
    wire.mend()
    page.clock.fast_forward(TOO_LATE)
    expect(page.locator("#connection")).to_be_hidden()
    ask_and_wait(page, "other words")

    assert [one["text"] for one in wire.sent("send")] == ["my words", "other words"]


def test_what_may_have_arrived_when_the_page_was_left_is_not_said_twice(alice):
    page = alice.context.new_page()
    wire = Wire(page, is_mute=True)
    page.goto("/")
    ask(page, "my words")
    expect(conversations(alice.open())).to_have_count(1)
    wire.mend()
    page.reload()
    expect(field(page)).to_have_value("my words")
    page.reload()
    expect(field(page)).to_have_value("my words")
    field(page).press("Enter")

    expect(text_of(done(page))).to_have_text("my words")
    expect(conversations(page)).to_have_count(1)
    assert len({one["question"] for one in wire.sent("send")}) == 1


def test_what_was_left_on_its_way_and_is_cleared_is_gone(alice):
    page = alice.context.new_page()
    wire = Wire(page, is_deaf=True)
    page.goto("/")
    ask(page, "my words")
    wire.mend()
    page.reload()
    field(page).fill("")
    page.reload()

    expect(field(page)).to_have_value("")


def test_an_edit_that_a_connection_lost_makes_one_branch(alice):
    page = alice.open()
    ask_and_wait(page, "first")
    other, wire = over_wire(alice, page.url, is_mute=True)
    edit(other, "second")
    expect(questions(page).locator(".position")).to_have_text("2 / 2")
    wire.mend()
    other.clock.fast_forward(TOO_LATE)

    expect(text_of(done(other))).to_have_text("second")
    expect(questions(other).locator(".position")).to_have_text("2 / 2")
    press(questions(other), "Previous version")
    expect(text_of(done(other))).to_have_text("first")
    expect(other.get_by_label("Your message")).to_be_hidden()


def test_an_edit_that_never_arrived_is_sent_again(alice):
    page = alice.open()
    ask_and_wait(page, "first")
    other, wire = over_wire(alice, page.url, is_deaf=True)
    edit(other, "second")
    wire.wait_until_sent("edit")
    wire.mend()
    other.clock.fast_forward(TOO_LATE)

    expect(text_of(done(other))).to_have_text("second")
    expect(questions(other).locator(".position")).to_have_text("2 / 2")


def test_a_stop_that_is_pressed_without_a_connection_is_sent_with_the_next(alice):
    page = alice.open()
    ask(page, LONG)
    begun(page)
    other = alice.context.new_page()
    other.clock.install()
    wire = Wire(other)
    wire.is_cut = True
    other.goto(page.url)
    other.get_by_role("button", name="Stop", exact=True).click()
    wire.mend()
    other.clock.fast_forward(TOO_LATE)

    done(other, "stopped")
    done(page, "stopped")


def test_a_network_that_comes_back_waits_for_no_socket_to_close(alice):
    page = alice.context.new_page()
    wire = Wire(page, is_deaf=True)
    page.goto("/")
    expect(field(page)).to_be_visible()
    wire.mend()
    page.evaluate("dispatchEvent(new Event('online'))")
    ask_and_wait(page, "my words")

    assert wire.num_sockets == 2


def test_two_models_are_asked_once_and_nothing_is_lost_on_the_way(alice):
    page = alice.context.new_page()
    wire = Wire(page, is_deaf=True)
    page.goto("/compare/")
    ask(page, "my words")
    expect(field(page)).to_have_value("")
    ask(page, "again")
    wire.mend()
    page.reload()

    expect(field(page)).to_have_value("my words\n\nagain")
    assert len(wire.sent("send")) == 2


def test_of_two_models_each_has_heard_it_once_when_a_connection_was_lost(alice):
    page, wire = over_wire(alice, "/compare/", is_mute=True)
    ask(page, "my words")
    expect(conversations(alice.open())).to_have_count(2)
    wire.mend()
    page.clock.fast_forward(TOO_LATE)

    for side in ("left", "right"):
        thread = page.locator(f'[data-side="{side}"]')
        expect(text_of(answers(thread))).to_have_text("my words")
    expect(field(page)).to_have_value("")
    expect(conversations(page)).to_have_count(2)
