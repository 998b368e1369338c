"""axe-core looks at each page and state, in light and dark: nothing serious, nothing critical."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .library import opened
from .talk import LONG, answer, ask, begun, done, press, questions, stop
from .test_looks import PHONE

RICH = """# Heading

Some *text* with `code` and a [link](https://a.example).

| a | b |
|---|--:|
| 1 | 2 |

```python
def bake(cake: str) -> int:  # comment
    return len("cake") + 1
```

- [x] done
- [ ] not yet

> Quoted: $x^2$

1. one
2. two
"""
SERIOUS = ("serious", "critical")


def findings(page):
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]])
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.fixture(params=["light", "dark"])
def viewer(visit, request):
    return visit(color_scheme=request.param)


PAGES = [
    *("/", "/compare/", "/connect/", "/accounts/keys/", "/c/import/", "/c/folders/"),
    *("/c/presets/", "/c/shared/", "/c/list/archived/", "/c/list/deleted/"),
]


@pytest.mark.timeout(120)
def test_pages(viewer):
    page = viewer.open()
    found = {}
    for path in PAGES:
        page.goto(path)
        found[path] = findings(page)

    assert not any(found.values()), found


def test_a_conversation_and_what_opens_on_it(viewer):
    page = opened(viewer, "Tell me **all**.", RICH, reasoning=RICH)
    found = [findings(page)]
    answer(page).locator(".thinking summary").click()
    press(questions(page).first, "Edit")
    found.append(findings(page))
    page.keyboard.press("Escape")
    page.locator(".chat-row summary").click()
    expect(page.locator(".chat-menu-body").get_by_text("Pin", exact=True)).to_be_visible()
    found.append(findings(page))
    page.keyboard.press("Escape")
    page.locator("#side-search").fill("heading")
    expect(page.locator(".chat-hit")).to_have_count(1)
    found.append(findings(page))
    for button in ("Settings of this conversation", "Keyboard shortcuts"):
        page.get_by_role("button", name=button).first.click()
        found.append(findings(page))
        page.keyboard.press("Escape")

    assert not any(found), found


def test_answers_under_way_stopped_failed_and_refused(viewer):
    page = viewer.open()
    ask(page, LONG)
    begun(page)
    found = [findings(page)]
    ask(page, "busy")
    expect(page.get_by_role("alert")).to_be_visible()
    found.append(findings(page))
    stop(page)
    found.append(findings(page))
    press(questions(page).first, "Edit")
    page.get_by_label("Your message").fill("fail")
    page.get_by_label("Your message").press("Enter")
    done(page, "failed")
    found.append(findings(page))

    assert not any(found), found


def test_what_is_shared_and_what_strangers_see(viewer, stranger):
    page = opened(viewer, "Tell me **all**.", RICH)
    page.goto(page.url + "share/")
    page.get_by_role("button", name="Make a link").click()
    found = [findings(page)]
    other = stranger.open(page.locator("code.wrap").text_content())
    found.append(findings(other))
    other.goto("/accounts/login/")
    found.append(findings(other))

    assert not any(found), found


def test_a_phone_and_its_drawer(visit):
    page = visit(**PHONE).open()
    found = [findings(page)]
    page.locator(".open-side").tap()
    found.append(findings(page))

    assert not any(found), found
