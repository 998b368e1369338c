"""Somebody at a browser: their windows, and all that went wrong in them."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

RECORDER = Path(__file__).with_name("recorder.js")
PATIENCE_MS = 20_000
SIZE = {"width": 1280, "height": 800}
# Asked of nobody else.
OWN_SCHEMES = ("data", "blob", "about")


class Visitor:
    """One browser context. `cookies` say who it is; without, it is a stranger.

    Whatever a page complains of is a failure, unless the test says `may_complain`.
    """

    def __init__(
        self, browser: Browser, url: str, cookies: dict[str, str] | None = None, **options: Any
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            **{"base_url": url, "viewport": SIZE, "locale": "en-US", **options}
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(path=RECORDER)
        self.context.add_cookies(
            [{"name": name, "value": value, "url": url} for name, value in (cookies or {}).items()]
        )
        self.context.on("console", self._said)
        self.context.on("weberror", self._failed)
        self.context.on("request", self._asked)
        self._host = urlsplit(url).netloc
        self._expected: list[str] = []
        self._complaints: list[str] = []
        self.elsewhere: list[str] = []

    def open(self, path: str = "/") -> Page:
        """Another window."""
        page = self.context.new_page()
        page.goto(path)
        return page

    def may_complain(self, pattern: str) -> None:
        """Of what the test itself has done, such as pulling the plug."""
        self._expected.append(pattern)

    @property
    def complaints(self) -> list[str]:
        is_expected = re.compile("|".join(self._expected) or "(?!)").search
        return [text for text in self._complaints if not is_expected(text)]

    def leave(self) -> None:
        self.context.close()
        assert not self.complaints, self.complaints
        assert self.elsewhere == [], "a page has asked another host"

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(f"{message.type}: {message.text}")

    def _failed(self, error: WebError) -> None:
        self._complaints.append(f"exception: {error.error}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.netloc != self._host and address.scheme not in OWN_SCHEMES:
            self.elsewhere.append(request.url)
