"""Pictures of the chat for the README and the documentation: `make screenshots`.

They show what was said to nobody: conversations are imported, and their figures are made up.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import chromium, talk  # noqa: E402
from tests.browser.library import bring, conversation  # noqa: E402
from tests.browser.site import Site  # noqa: E402
from tests.browser.visitor import Visitor  # noqa: E402

FOLDER = ROOT / "docs/images"
MAX_BYTES = 200_000
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
QUESTION = "How does a hash table find things so quickly?"
ANSWER = """A hash table turns each key into a *place*: it looks in one spot, and searches nothing.

1. A **hash function** makes a number of the key.
2. The number, modulo the table's size, is the bucket.
3. Keys that share a bucket are kept beside each other.

```python
def bucket(key: str, size: int) -> int:
    return hash(key) % size  # the same key, the same place
```

With load $\\alpha = n / m$, an unsuccessful search looks at about $1 + \\alpha$ entries:

| load | entries |
|-----:|--------:|
| 0.5  | 1.5     |
| 0.75 | 1.75    |
"""
FIGURES = {
    "prompt_tokens": 41,
    "completion_tokens": 214,
    "first_token_seconds": 0.18,
    "decode_seconds": 5.1,
    "context_length": 4096,
}
MODELS = ("small-model", "large-model")
COMPARED = (
    (
        "It is too dry, or too small. Water it, and heap it up to a metre.",
        {"completion_tokens": 19, "first_token_seconds": 0.11, "decode_seconds": 0.23},
    ),
    (
        """Three things keep it cold:

- **Too little nitrogen.** Add grass cuttings or kitchen scraps.
- **Too dry.** It should feel like a sponge that was wrung out.
- **Too small.** Below a cubic metre it loses heat faster than it makes it.

Turn it once, and put a hand in after two days.""",
        {"completion_tokens": 71, "first_token_seconds": 0.42, "decode_seconds": 2.9},
    ),
)
OTHERS = {
    "Bread with rye sourdough": ("How long does rye rise?", "Four to six hours, by warmth."),
    "A lease: what to ask": ("What do I ask?", "Who repairs what, and when it ends."),
    "Merging intervals": ("Merge intervals in Python", "Sort them by where they begin."),
    "Replying to Ms Okafor": ("A friendly no, please", "Thank you for thinking of me."),
}


class Photographer:
    """Takes pictures of one person's pages."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self._browser = browser
        self._site = site
        self._cookies = next(site.people)
        self._visitors: list[Visitor] = []

    def sit_down(self, scheme: str, **options: object) -> Visitor:
        options = {"color_scheme": scheme, **options}
        visitor = Visitor(self._browser, self._site.url, self._cookies, **options)
        self._visitors.append(visitor)
        return visitor

    def leave(self) -> None:
        for visitor in self._visitors:
            visitor.leave()


def take(page: Page, name: str) -> None:
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    size = path.stat().st_size
    assert size < MAX_BYTES, f"{path.name}: {size} bytes are more than {MAX_BYTES}"
    print(f"{path.relative_to(ROOT)}: {size // 1000} kB", flush=True)


def talked(visitor: Visitor) -> str:
    """The address of the conversation to be shown, with others in the list."""
    others = [conversation(title, *said) for title, said in OTHERS.items()]
    said = conversation("How hash tables work", QUESTION, ANSWER, model=MODELS[0], **FIGURES)
    page = bring(visitor, *others, said)
    page.locator("#library").get_by_role("link", name="How hash tables work").click()
    expect(page.locator("#title")).to_have_text("How hash tables work")
    return page.url


def take_streaming(visitor: Visitor, name: str) -> None:
    """The answer comes; it is the system prompt, which the fake model echoes first."""
    page = visitor.open()
    page.get_by_role("button", name="Settings of this conversation").click()
    page.get_by_label("System prompt").fill(ANSWER.replace("\n", " ¶ ") + "word " * 300)
    page.get_by_role("button", name="Save").click()
    talk.ask(page, QUESTION)
    talk.begun(page, "modulo")
    take(page, name)
    talk.stop(page)


def take_comparison(visitor: Visitor, name: str) -> None:
    both = [
        conversation("Compost", "Why is my compost cold?", text, model=model, **figures)
        for model, (text, figures) in zip(MODELS, COMPARED, strict=True)
    ]
    page = bring(visitor, *both)
    links = page.locator("#library .chat-link", has_text="Compost")
    left, right = (link.get_attribute("href").split("/")[2] for link in links.all())
    page.goto(f"/compare/?left={right}&right={left}")
    take(page, name)


def take_sheet(page: Page, button: str, name: str) -> None:
    page.get_by_role("button", name=button).first.click()
    take(page, name)
    page.keyboard.press("Escape")


def take_all(photographer: Photographer) -> None:
    light = photographer.sit_down("light")
    dark = photographer.sit_down("dark")
    address = talked(light)
    for visitor, scheme in ((light, "light"), (dark, "dark")):
        take(visitor.open(address), f"chat-{scheme}")
        take(visitor.open(), f"new-{scheme}")
    page = light.open(address)
    take_sheet(page, "Settings of this conversation", "settings")
    take_sheet(page, "Keyboard shortcuts", "shortcuts")
    page.locator("#side-search").fill("place")
    expect(page.locator(".chat-hit")).to_have_count(1)
    take(page, "search")
    take_streaming(light, "streaming")
    take_comparison(light, "compare")
    for scheme in ("light", "dark"):
        phone = photographer.sit_down(scheme, **PHONE)
        take(phone.open(address), f"phone-{scheme}")
    page = phone.open(address)
    page.locator(".open-side").tap()
    expect(page.locator("#sidebar")).to_be_in_viewport(ratio=0.99)
    take(page, "phone-conversations")


@contextmanager
def photographing() -> Iterator[Photographer]:
    with tempfile.TemporaryDirectory(prefix="llmsite-screenshots-") as folder:
        site = Site(Path(folder), MODELS)
        try:
            with chromium.chromium() as browser:
                photographer = Photographer(browser, site.start())
                yield photographer
                photographer.leave()
        finally:
            site.server.stop()


def main() -> None:
    if not chromium.PATH.exists():
        sys.exit(chromium.MISSING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with photographing() as photographer:
        take_all(photographer)


if __name__ == "__main__":
    main()
