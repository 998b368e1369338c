"""Another branch is shown, here or in another window, whatever is being written."""

import pytest
from playwright.sync_api import expect

from .talk import (
    LONG,
    MEDIUM,
    answer,
    ask,
    ask_and_wait,
    begun,
    done,
    press,
    questions,
    stop,
    text_of,
    uid_of,
)
from .wire import Wire


def ask_otherwise(page, text):
    """As another version of the first message."""
    press(questions(page).first, "Edit")
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


@pytest.fixture
def forked(page):
    """A page that shows the second of two branches."""
    ask_and_wait(page, "first")
    ask_otherwise(page, "second")
    expect(text_of(done(page))).to_have_text("second")
    return page


def test_an_answer_that_was_left_for_another_branch_goes_on_where_it_is_now(alice, site):
    page = alice.context.new_page()
    wire = Wire(page)
    page.goto("/")
    ask_and_wait(page, "first")
    ask_otherwise(page, MEDIUM)
    begun(page)
    press(questions(page), "Previous version")
    expect(text_of(answer(page))).to_have_text("first")
    press(questions(page), "Next version")
    expect(text_of(answer(page))).to_contain_text("w9 ")
    whole = done(page)

    assert {frame.get("message") for frame in wire.sent("resume")} == {uid_of(whole)}
    assert text_of(whole).text_content().strip() == MEDIUM == site.text_of(uid_of(whole)).strip()


def test_an_answer_that_was_continued_elsewhere_is_whole_again(alice, page):
    ask(page, LONG)
    begun(page)
    text = text_of(stop(page)).text_content()
    asleep = alice.context.new_page()
    wire = Wire(asleep, is_mute=True)
    asleep.goto(page.url)
    expect(text_of(answer(asleep))).to_have_text(text)
    press(answer(page), "Continue")
    begun(page)
    longer = text_of(stop(page)).text_content()
    assert len(longer) > len(text)
    wire.mend()
    asleep.evaluate("dispatchEvent(new Event('online'))")

    expect(text_of(answer(asleep))).to_have_text(longer)


def test_a_page_that_comes_late_does_not_make_an_answer_go_on(alice, page):
    ask(page, LONG)
    begun(page)
    other = alice.open(page.url)
    begun(other)
    late = alice.context.request.get(page.url).text()
    held = []
    page.route("**/c/*/", lambda route: held.append(route), times=1)
    token = page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))")
    form = {"message": uid_of(questions(page))}
    with page.expect_request("**/c/*/"):
        assert alice.context.request.post("/c/branch/", form=form, headers=token).ok
    stop(other)
    done(page, "stopped")
    page.evaluate("document.querySelector('.message').dataset.isOld = ''")
    held.pop().fulfill(body=late, content_type="text/html; charset=utf-8")
    expect(page.locator("[data-is-old]")).to_have_count(0)

    done(page, "stopped")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_a_branch_that_cannot_be_had_leaves_the_page_and_says_so(alice, forked):
    alice.may_complain("net::ERR_FAILED")
    forked.route("**/c/branch/", lambda route: route.abort())
    press(questions(forked), "Previous version")

    expect(forked.get_by_role("alert")).to_contain_text("could not be reached")
    expect(text_of(answer(forked))).to_have_text("second")


def test_another_window_shows_the_branch_that_was_chosen(alice, forked):
    other = alice.open(forked.url)
    press(questions(other), "Previous version")

    expect(text_of(answer(forked))).to_have_text("first")


def test_what_is_being_edited_stays_while_another_window_shows_another_branch(alice, forked):
    page = alice.context.new_page()
    wire = Wire(page)
    page.goto(forked.url)
    press(questions(page), "Edit")
    page.get_by_label("Your message").fill("half a thought")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    press(questions(forked), "Previous version")
    wire.wait_until_told("switched")

    assert asked == []
    expect(page.get_by_label("Your message")).to_have_value("half a thought")


def test_a_message_follows_what_its_page_shows(alice, forked):
    """Though another branch is shown elsewhere, which this one has not heard of."""
    deaf = alice.context.new_page()
    Wire(deaf, is_mute=True)
    deaf.goto(forked.url)
    expect(text_of(answer(deaf))).to_have_text("second")
    press(questions(forked), "Previous version")
    expect(text_of(answer(forked))).to_have_text("first")
    ask(deaf, "third")

    expect(questions(forked)).to_contain_text(["second", "third"])
    done(forked)
