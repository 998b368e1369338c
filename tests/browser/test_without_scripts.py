"""What a browser without JavaScript shows: all there is to read, and the way around."""

import pytest
from playwright.sync_api import expect

from .library import notice, opened
from .talk import answer, questions, text_of


@pytest.fixture
def plain(visit):
    """The page of a conversation, in a browser that runs no scripts."""
    scripted = visit()
    page = opened(scripted, "How is a cake made?", "With **eggs**.\n\n```python\nbake()\n```")
    cookies = {cookie["name"]: cookie["value"] for cookie in scripted.context.cookies()}
    return visit(cookies, java_script_enabled=False).open(page.url)


def test_a_conversation_is_read(plain):
    expect(questions(plain)).to_contain_text("How is a cake made?")
    expect(text_of(answer(plain)).locator("strong")).to_have_text("eggs")
    expect(text_of(answer(plain)).locator("pre")).to_contain_text("bake()")
    expect(plain.locator("noscript p")).to_be_visible()
    expect(plain.locator("#composer")).to_be_hidden()


def test_conversations_are_searched(plain):
    plain.locator("#side-search").fill("eggs")
    plain.locator("#side-search").press("Enter")
    expect(plain.locator("#content mark")).to_have_text("eggs")
    plain.locator("#content .chat-hit a").click()

    expect(plain.locator("#title")).to_have_text("Cake")


def test_a_conversation_is_deleted_and_restored(plain):
    plain.locator(".chat-row summary").click()
    plain.get_by_text("All there is").click()
    plain.locator("#content").get_by_text("Delete", exact=True).click()
    plain.get_by_role("button", name="Delete").click()
    expect(notice(plain)).to_contain_text("“Cake” was deleted.")
    plain.locator("#content").get_by_role("button", name="Restore").click()

    expect(notice(plain)).to_contain_text("“Cake” is back.")
