"""An answer goes on, whatever becomes of the page, the network and the server."""

import pytest
from playwright.sync_api import expect

from .site import Site
from .talk import (
    LONG,
    MEDIUM,
    answer,
    ask,
    ask_and_wait,
    begun,
    done,
    field,
    press,
    questions,
    stop,
    text_of,
    uid_of,
)
from .visitor import Visitor

NO_NETWORK = "WebSocket|net::ERR_"


def test_a_page_that_is_loaded_again_goes_on_where_it_was(page, site):
    ask(page, MEDIUM)
    begun(page)
    page.reload()
    begun(page)
    last = done(page)

    # Put together from what the server rendered and what the socket told, not read anew at the end.
    streamed = page.evaluate("window.recorded.texts.at(-1)")
    assert streamed.strip() == MEDIUM
    assert text_of(last).text_content().strip() == MEDIUM == site.text_of(uid_of(last)).strip()


def test_a_page_that_comes_back_later_has_all_of_it(alice, page, site):
    ask(page, MEDIUM)
    begun(page)
    address = page.url
    page.close()
    again = alice.open(address)

    assert text_of(done(again)).text_content().strip() == MEDIUM


def test_a_title_that_was_found_while_the_page_was_on_its_way_is_shown(alice, page):
    """Its socket opens once its scripts are there: until then nobody tells it."""
    ask_and_wait(page, "hello")
    expect(page.locator("#title")).to_contain_text("Write a title")
    address = page.url
    token = page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))")
    page.close()

    def find(route):
        form = {"title": "Found meanwhile"}
        assert alice.context.request.post(f"{address}title/", form=form, headers=token).ok
        route.continue_()

    other = alice.context.new_page()
    other.route("**/js/chat/page*.js", find)
    other.goto(address)

    expect(other.locator("#title")).to_have_text("Found meanwhile")
    expect(other.locator("#library").get_by_role("link", name="Found meanwhile")).to_be_visible()


def test_another_window_sees_it_live(alice, page):
    ask(page, LONG)
    begun(page)
    other = alice.open(page.url)
    begun(other)
    stop(other)
    done(page, "stopped")

    assert text_of(answer(page)).text_content() == text_of(answer(other)).text_content()


def test_another_window_sees_what_is_asked_next(alice, page):
    ask_and_wait(page, "first")
    other = alice.open(page.url)
    ask_and_wait(other, "second")
    expect(questions(page)).to_have_count(2)
    done(page)
    ask_and_wait(page, "third")

    expect(questions(other).last).to_contain_text("third")
    assert text_of(done(other)).text_content() == text_of(answer(page)).text_content()


def test_another_window_lists_the_new_conversation(alice, page):
    ask_and_wait(page, "first")
    other = alice.open("/")
    ask_and_wait(other, "second")

    expect(page.locator("#library .chat-link")).to_have_count(2)


def test_a_network_that_comes_back_brings_the_rest(alice, page):
    alice.may_complain(NO_NETWORK)
    ask(page, MEDIUM)
    begun(page)
    alice.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("You are offline")
    field(page).fill("what I wrote meanwhile")
    alice.context.set_offline(False)

    expect(page.locator("#connection")).to_be_hidden()
    assert text_of(done(page)).text_content().strip() == MEDIUM
    expect(field(page)).to_have_value("what I wrote meanwhile")


# A service of the test's own, to be killed


@pytest.fixture
def mortal(browser, tmp_path):
    """Slow as long as it lives: a busy machine may see late how far an answer has come."""
    site = Site(tmp_path)
    try:
        yield site.start(FAKE_STEP_SECONDS="0.2")
    finally:
        site.server.stop()


@pytest.mark.timeout(240)
def test_what_a_killed_server_had_written_is_there_and_is_continued(browser, mortal):
    visitor = Visitor(browser, mortal.url, next(mortal.people))
    visitor.may_complain(NO_NETWORK)
    page = visitor.open()
    ask(page, MEDIUM)
    begun(page, "w20 ")  # some of it has been stored; the rest takes twenty seconds
    mortal.server.process.kill()
    mortal.server.process.wait()
    expect(page.locator("#connection")).to_contain_text("No connection")
    mortal.server.start(FAKE_STEP_SECONDS="0.02")
    cut_off = done(page, "interrupted")
    partial = text_of(cut_off).text_content().strip()
    press(cut_off, "Continue")
    whole = text_of(done(page)).text_content()

    assert 0 < len(partial) < len(MEDIUM)
    assert MEDIUM.startswith(partial)
    assert whole.startswith(partial)
    assert len(whole) > len(partial)
    assert whole.strip() == mortal.text_of(uid_of(answer(page))).strip()
    visitor.leave()


@pytest.mark.timeout(240)
def test_what_is_sent_without_a_connection_stays_in_the_field(browser, mortal):
    visitor = Visitor(browser, mortal.url, next(mortal.people))
    visitor.may_complain(NO_NETWORK)
    page = visitor.open()
    mortal.server.process.kill()
    mortal.server.process.wait()
    expect(page.locator("#connection")).to_contain_text("No connection")
    ask(page, LONG)

    expect(page.get_by_role("alert")).to_contain_text("your text is kept here")
    expect(field(page)).to_have_value(LONG)
    mortal.server.start()
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.get_by_role("alert")).to_be_hidden()
    visitor.leave()
