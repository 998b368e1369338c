"""What a person has written is somewhere until it has arrived, and arrives once."""

from playwright.sync_api import expect

from .talk import answer, ask, ask_and_wait, done, field, questions, text_of
from .test_attachments import NOTES, chip
from .wire import Wire

TOO_LATE = "00:31"  # for an answer of a socket


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


def test_a_socket_that_says_nothing_makes_way_for_another(alice):
    page = alice.context.new_page()
    page.clock.install()
    wire = Wire(page, is_deaf=True)
    page.goto("/")
    ask(page, "my words")
    wire.wait_until_sent("send")
    expect(field(page)).to_have_value("")
    wire.mend()
    page.clock.fast_forward(TOO_LATE)

    expect(page.get_by_role("alert")).to_contain_text("The connection broke")
    expect(field(page)).to_have_value("my words")
    expect(page.locator("#connection")).to_be_hidden()
    ask(page, "my words")
    expect(text_of(answer(page))).to_have_text("my words")


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
