"""A person asks, and watches the answer come."""

import re
from itertools import pairwise

from playwright.sync_api import expect

from .talk import (
    LONG,
    MEDIUM,
    answer,
    answers,
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

BLOCKS = "# Cake ¶ ¶ First the eggs, then the *flour*. ¶ ¶ ```python ¶ bake(cake) ¶ ``` ¶ ¶ Enjoy."


def recorded(page, what):
    return page.evaluate(f"window.recorded.{what}")


def test_an_answer_grows_while_it_is_read(page):
    ask(page, MEDIUM)
    expect(questions(page)).to_contain_text("w0 w1 w2")
    done(page)

    texts = recorded(page, "texts")
    assert len(texts) > 10
    assert all(new.startswith(old.rstrip()) for old, new in pairwise(texts))
    expect(text_of(answer(page))).to_have_text(MEDIUM)


def test_blocks_are_replaced_until_they_are_final(page):
    ask_and_wait(page, BLOCKS)

    changed = [int(index) for index in recorded(page, "blocks")]
    assert changed == sorted(changed)
    assert changed[-1] == 3
    expect(text_of(answer(page)).locator("h1, h2, h3")).to_have_text("Cake")
    expect(text_of(answer(page)).locator("em")).to_have_text("flour")
    expect(text_of(answer(page)).locator("pre code")).to_contain_text("bake(cake)")


def test_thoughts_are_folded_and_stay_unfolded_once_opened(page):
    ask(page, f"<think> Hm, eggs. {MEDIUM} </think> So.")
    thoughts = answer(page).locator("details.thinking")
    thoughts.locator("summary").click()
    expect(thoughts.locator(".blocks")).to_contain_text("Hm, eggs.")
    done(page)

    expect(thoughts).to_have_attribute("open", "")
    expect(text_of(answer(page))).to_have_text("So.")


def test_an_answer_says_what_it_cost_and_the_gauge_how_full_the_context_is(page):
    ask_and_wait(page, "one two three")

    expect(answer(page).locator(".figures")).to_contain_text("fake")
    expect(answer(page).locator(".figures")).to_contain_text("4 tokens")
    expect(answer(page).locator(".figures")).to_contain_text("a second")
    expect(page.get_by_role("meter", name="Context")).to_contain_text("7 of 4,096")


def test_a_conversation_has_an_address_and_a_title_from_its_model(page):
    ask_and_wait(page, "Hello there")

    expect(page).to_have_title(re.compile("^Write a title of at most six words"))
    assert re.search(r"/c/[0-9a-f-]{36}/$", page.url)
    expect(page.locator("#library .chat-link[aria-current]")).to_have_count(1)


def test_stop_keeps_what_is_there(page, site):
    ask(page, LONG)
    begun(page)
    stopped = stop(page)

    expect(stopped).to_contain_text("You stopped this answer.")
    assert LONG.startswith(text_of(stopped).text_content().strip())
    assert site.text_of(uid_of(stopped)).strip() == text_of(stopped).text_content().strip()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_an_old_message_is_edited_and_its_branches_are_switched(page):
    ask_and_wait(page, "first")
    ask_and_wait(page, "second")
    press(questions(page).first, "Edit")
    page.get_by_label("Your message").fill("another")
    page.get_by_label("Your message").press("Enter")
    expect(questions(page)).to_have_count(1)
    expect(text_of(done(page))).to_have_text("another")

    expect(questions(page).locator(".position")).to_have_text("2 / 2")
    press(questions(page).first, "Previous version")
    expect(questions(page)).to_have_count(2)
    expect(questions(page).last).to_contain_text("second")
    expect(questions(page).first).to_be_focused()
    press(questions(page).first, "Next version")
    expect(questions(page)).to_have_count(1)
    expect(text_of(answer(page))).to_have_text("another")


def test_half_an_edit_is_there_when_the_page_is_loaded_again_until_it_was_sent(page):
    ask_and_wait(page, "first")
    press(questions(page), "Edit")
    page.get_by_label("Your message").fill("half a thought")
    page.reload()
    expect(page.get_by_label("Your message")).to_have_value("half a thought")
    page.get_by_label("Your message").press("Enter")
    expect(text_of(done(page))).to_have_text("half a thought")
    press(questions(page), "Previous version")
    expect(questions(page)).to_contain_text("first")

    expect(page.get_by_label("Your message")).to_have_count(0)


def test_half_an_edit_that_is_given_up_is_gone(page):
    ask_and_wait(page, "first")
    press(questions(page), "Edit")
    page.get_by_label("Your message").fill("half a thought")
    page.keyboard.press("Escape")
    page.reload()
    press(questions(page), "Edit")

    expect(page.get_by_label("Your message")).to_have_value("first")


def test_an_answer_is_given_again_beside_the_old_one(page):
    ask_and_wait(page, "word")
    first = uid_of(answer(page))
    press(answer(page), "Answer again")
    expect(answer(page).locator(".position")).to_have_text("2 / 2")
    again = uid_of(done(page))

    assert again != first
    expect(answers(page)).to_have_count(1)
    press(answer(page), "Previous version")
    expect(answer(page)).to_have_attribute("data-uid", first)


def test_a_stopped_answer_is_continued(page):
    ask(page, LONG)
    begun(page)
    stopped = stop(page)
    before = text_of(stopped).text_content().strip()
    press(stopped, "Continue")
    expect(answer(page)).to_have_attribute("data-status", "running")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    stopped = stop(page)

    assert text_of(stopped).text_content().startswith(before)


# Before the first word


def test_the_page_says_that_the_model_is_loaded_and_that_the_prompt_is_read(page):
    page.locator("#model").select_option("untouched")
    ask(page, LONG)
    begun(page)
    stop(page)

    words = " | ".join(recorded(page, "words"))
    assert "Waiting for the model | Loading the model: " in words
    assert f"of {len(LONG.split())} tokens" in words
    assert words.endswith("Writing")


def test_who_has_to_wait_sees_the_place_in_the_queue(alice, bob):
    first, second = alice.open(), bob.open()
    for page in (first, second):
        page.locator("#model").select_option("narrow")
    ask(first, LONG)
    begun(first)
    ask(second, "me too")
    expect(answer(second).locator(".waiting .words")).to_contain_text("in the queue")
    stop(first)

    expect(text_of(done(second))).to_have_text("me too")


# What was written is not lost


def test_a_draft_is_kept_for_each_conversation(page):
    ask_and_wait(page, "hello")
    field(page).fill("and what I have not sent")
    page.get_by_role("link", name="New chat").first.click()
    expect(field(page)).to_have_value("")
    field(page).fill("something new")
    page.go_back()
    expect(field(page)).to_have_value("and what I have not sent")
    page.goto("/")
    expect(field(page)).to_have_value("something new")


def test_nobody_finds_what_somebody_else_has_written_in_the_same_browser(visit, site):
    visitor = visit()
    page = visitor.open()
    field(page).fill("for nobody else")
    mine = visitor.context.cookies()
    others = [{"name": k, "value": v, "url": site.url} for k, v in next(site.people).items()]
    visitor.context.clear_cookies()
    visitor.context.add_cookies(others)
    page.goto("/")
    expect(field(page)).to_have_value("")
    visitor.context.clear_cookies()
    visitor.context.add_cookies(mine)
    page.goto("/")

    expect(field(page)).to_have_value("for nobody else")


def test_an_edited_message_is_answered_by_the_model_that_is_chosen(page):
    ask_and_wait(page, "first")
    page.locator("#model").select_option("other")
    press(questions(page), "Edit")
    page.get_by_label("Your message").fill("second")
    page.get_by_label("Your message").press("Enter")
    expect(text_of(done(page))).to_have_text("second")

    expect(answer(page).locator(".figures")).to_contain_text("other")


def test_a_message_that_is_refused_returns_to_the_field(page):
    too_long = "word " * 5000
    ask(page, too_long)
    done(page, "failed")
    expect(answer(page)).to_contain_text("context")

    ask(page, LONG)
    begun(page)
    ask(page, "meanwhile")
    expect(page.get_by_role("alert")).to_contain_text("wait for its end, or stop it")
    expect(field(page)).to_have_value("meanwhile")
    stop(page)


def test_a_message_whose_model_is_gone_returns_to_the_field(page):
    page.evaluate("document.querySelector('#model option').value = 'nothing'")
    page.locator("#model").select_option("nothing")
    ask(page, "my words")

    expect(page.get_by_role("alert")).to_contain_text("nothing")
    expect(field(page)).to_have_value("my words")


def test_a_model_that_fails_is_reported_and_asked_again(page):
    ask(page, "fail")
    failed = done(page, "failed")

    expect(failed.locator(".notice-error")).to_be_visible()
    expect(failed.get_by_role("button", name="Try again")).to_be_visible()


def test_suggestions_fill_the_field(page):
    page.locator(".suggestions button").first.click()

    expect(field(page)).to_be_focused()
    expect(field(page)).not_to_have_value("")
