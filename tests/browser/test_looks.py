"""Phones, dark rooms, and people whom motion makes sick."""

import re

import pytest
from playwright.sync_api import expect

from .library import opened
from .talk import ask, begun, field, stop

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDE = "| " + " | ".join(f"column {i}" for i in range(30)) + " |\n|" + "---|" * 30 + "\n"
ANSWER = f"{WIDE}\n\n```\n{'x' * 400}\n```\n\n{'y' * 400}\n\n$${'z+' * 200}z$$"


def is_in_view(page, locator):
    box, size = locator.bounding_box(), page.viewport_size
    return box["x"] >= 0 and box["x"] + box["width"] <= size["width"] + 1 and is_above(box, size)


def is_above(box, size):
    return box["y"] >= 0 and box["y"] + box["height"] <= size["height"] + 1


def fits(page):
    """Nothing has to be scrolled sideways, but within itself."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def paper(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# A phone


@pytest.mark.parametrize(
    "path",
    ["/", "/compare/", "/connect/", "/c/import/", "/c/presets/", "/c/folders/", "/c/list/deleted/"],
)
def test_pages_fit_a_phone(visit, path):
    assert fits(visit(**PHONE).open(path))


def test_a_conversation_fits_a_phone_whatever_is_in_it(visit):
    page = opened_on_phone(visit, "x" * 400, ANSWER)

    assert fits(page)
    assert is_in_view(page, page.locator("#composer"))


def opened_on_phone(visit, *texts):
    cookies = visit().context.cookies()
    same = {cookie["name"]: cookie["value"] for cookie in cookies}
    page = opened(visit(same), *texts)
    return visit(same, **PHONE).open(page.url)


def test_on_a_phone_conversations_are_in_a_drawer(visit):
    page = opened_on_phone(visit, "How?", "So.")
    drawer, opener = page.locator("#sidebar"), page.locator(".open-side")
    expect(drawer).to_be_hidden()
    opener.tap()
    expect(drawer).to_be_in_viewport(ratio=0.99)
    expect(drawer.get_by_role("button", name="Hide conversations")).to_be_focused()
    page.locator(".veil").tap(position={"x": 380, "y": 400})
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()
    opener.tap()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_on_a_phone_one_asks_and_the_composer_stays_in_view(visit):
    page = visit(**PHONE).open()
    assert is_in_view(page, page.locator("#composer"))
    field(page).fill("word " * 300 + "\n" * 30)
    assert is_in_view(page, page.get_by_role("button", name="Send", exact=True))
    ask(page, " ".join(f"w{number}" for number in range(500)))
    begun(page, "w40 ")
    assert is_in_view(page, page.locator("#composer"))
    stop(page)
    assert fits(page)


# Themes


def test_it_is_dark_where_the_system_is(visit):
    light, dark = visit().open(), visit(color_scheme="dark").open()

    assert paper(light) == "rgb(251, 250, 248)"
    assert paper(dark) == "rgb(22, 24, 28)"


def test_a_theme_that_was_chosen_stays_from_the_first_paint_on(visit):
    page = visit(color_scheme="light").open()
    button = page.locator('[data-do="theme"]')
    for name in ("Theme: light", "Theme: dark"):
        button.click()
        expect(button).to_have_attribute("aria-label", name)
    page.goto("/compare/")

    assert paper(page) == "rgb(22, 24, 28)"
    button.click()
    expect(button).to_have_attribute("aria-label", "Theme: as the system")
    assert paper(page) == "rgb(251, 250, 248)"


# Motion


@pytest.mark.parametrize(("preference", "name"), [("reduce", "none"), ("no-preference", "pulse")])
def test_nothing_moves_for_those_who_do_not_want_it(visit, preference, name):
    page = visit(reduced_motion=preference).open()
    ask(page, " ".join(f"w{number}" for number in range(300)))
    pulse = begun(page).locator(".pulse")
    expect(pulse).to_have_css("animation-name", name)
    expect(page.locator("#sidebar")).to_have_css(
        "transition-duration", re.compile("0s" if preference == "reduce" else "0.18s")
    )
    stop(page)
