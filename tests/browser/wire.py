"""The sockets between a page and its server, as a network that fails."""

import json
from typing import Any

from playwright.sync_api import Page, WebSocketRoute


class Wire:
    """Of the sockets that a page opens from now on.

    Those that open while the wire `is_deaf` bring nothing to the server, and those that open
    while it `is_mute` nothing back; whoever closes one of these waits for ever. While it `is_cut`
    none stays open.
    """

    def __init__(self, page: Page, *, is_deaf: bool = False, is_mute: bool = False) -> None:
        self._page = page
        self.is_deaf, self.is_mute, self.is_cut = is_deaf, is_mute, False
        self.frames: list[dict[str, Any]] = []
        self._told: set[str] = set()
        self._pages: list[WebSocketRoute] = []
        self.num_sockets = 0
        page.route_web_socket("**/ws/chat/**", self._opened)

    def sent(self, type: str) -> list[dict[str, Any]]:
        """The frames of that type that the page has sent."""
        return [frame for frame in self.frames if frame["type"] == type]

    def wait_until_sent(self, type: str) -> None:
        while not self.sent(type):
            self._page.wait_for_timeout(10)

    def wait_until_told(self, type: str) -> None:
        """Until the page has had a frame of that type, and has done at once what it does then."""
        while type not in self._told:
            self._page.wait_for_timeout(10)
        self._page.evaluate("0")

    def tell(self, **frame: Any) -> None:
        """As the server might."""
        self._pages[-1].send(json.dumps(frame))

    def mend(self) -> None:
        self.is_deaf = self.is_mute = self.is_cut = False

    def _opened(self, page: WebSocketRoute) -> None:
        self.num_sockets += 1
        if self.is_cut:
            page.close()
            return
        self._pages.append(page)
        server = page.connect_to_server()
        is_deaf, is_mute = self.is_deaf, self.is_mute

        def heard(text: str | bytes) -> None:
            self.frames.append(json.loads(text))
            if not is_deaf:
                server.send(text)

        page.on_message(heard)

        def told(text: str | bytes) -> None:
            if not is_mute:
                page.send(text)
                self._told.add(json.loads(text)["type"])

        server.on_message(told)
        if is_deaf or is_mute:
            page.on_close(lambda code, reason: None)
