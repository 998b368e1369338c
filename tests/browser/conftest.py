"""One browser and one service for all these tests; people and windows for each of its own.

They live as long as this folder's tests: while Playwright runs, no other event loop does.
"""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from . import chromium
from .site import Site
from .visitor import PATIENCE_MS, Visitor

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not chromium.PATH.exists():
        pytest.skip(chromium.MISSING)
    with chromium.chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def site(browser, tmp_path_factory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    try:
        yield site.start()
    finally:
        site.server.stop()


@pytest.fixture
def visit(browser, site) -> Iterator[Callable[..., Visitor]]:
    """Lets somebody in, by default a person of their own; after the test they leave."""
    visitors = []

    def enter(cookies: dict[str, str] | None = None, **options) -> Visitor:
        cookies = next(site.people) if cookies is None else cookies
        visitors.append(Visitor(browser, site.url, cookies, **options))
        return visitors[-1]

    yield enter
    for visitor in visitors:
        visitor.leave()


@pytest.fixture
def alice(visit) -> Visitor:
    return visit()


@pytest.fixture
def bob(visit) -> Visitor:
    return visit()


@pytest.fixture
def stranger(visit) -> Visitor:
    """Without an account."""
    return visit(cookies={})


@pytest.fixture
def page(alice) -> Page:
    """A new chat of Alice's."""
    return alice.open()
