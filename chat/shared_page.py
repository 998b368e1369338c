"""What strangers see behind a link, as HTML. It never changes, so it is rendered once."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString

from .models import Message, Role, Share
from .sharing import SharedMessage, shared_messages

# Characters that are rendered as Markdown: of an answer, and of a page.
MAX_OF_ANSWER = 50_000
MAX_OF_PAGE = 500_000

MAX_REMEMBERED = 32_000_000  # characters of HTML, in each process


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """`is_plain`: it is an answer that is too long to be rendered."""

    message: Message
    text: str
    is_plain: bool


class Remembered:
    """Pages by link and language, as many as there is room for; the last used ones stay."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pages: OrderedDict[tuple[str, str], SafeString] = OrderedDict()
        self._size = 0
        self._making: dict[tuple[str, str], Future[SafeString]] = {}
        self._lock = Lock()

    def get_or_make(self, key: tuple[str, str], make: Callable[[], SafeString]) -> SafeString:
        """Who asks while it is made waits for that, and shares what it raises."""
        with self._lock:
            page = self._found(key)
            if page is not None:
                return page
            future = self._making.get(key)
            if is_first := future is None:
                future = self._making[key] = Future()
        if is_first:
            self._make(key, make, future)
        return future.result()

    def _make(
        self, key: tuple[str, str], make: Callable[[], SafeString], future: Future[SafeString]
    ) -> None:
        try:
            page = make()
            self.keep(key, page)
            future.set_result(page)
        except BaseException as error:
            future.set_exception(error)
        finally:
            with self._lock:
                del self._making[key]

    def get(self, key: tuple[str, str]) -> SafeString | None:
        with self._lock:
            return self._found(key)

    def _found(self, key: tuple[str, str]) -> SafeString | None:
        if key in self._pages:
            self._pages.move_to_end(key)
        return self._pages.get(key)

    def keep(self, key: tuple[str, str], page: SafeString) -> None:
        if len(page) > self._most:
            return
        with self._lock:
            self._size += len(page) - len(self._pages.pop(key, ""))
            self._pages[key] = page
            while self._size > self._most:
                _, oldest = self._pages.popitem(last=False)
                self._size -= len(oldest)


_remembered = Remembered(MAX_REMEMBERED)


def messages_html(link: Share) -> SafeString:
    """Whether the link is open is for who calls to know, each time."""
    key = link.token, translation.get_language() or ""
    return _remembered.get_or_make(key, lambda: _page(link))


def _page(link: Share) -> SafeString:
    return render_to_string("chat/shared_messages.html", {"shown": _shown(shared_messages(link))})


def _shown(messages: list[SharedMessage]) -> list[ShownMessage]:
    shown, left = [], MAX_OF_PAGE
    for one in messages:
        length = len(one.text) if one.message.role == Role.ASSISTANT else 0
        is_plain = length > min(MAX_OF_ANSWER, left)
        left -= 0 if is_plain else length
        shown.append(ShownMessage(one.message, one.text, is_plain))
    return shown
