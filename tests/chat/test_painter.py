"""What a page shows of an answer while it is written, and in the end."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import painter
from chat.markdown import render
from chat.painter import Painter

IDS = {"conversation": "c", "message": "m"}
LONG = "a line of code\n" * 300


def piece(text, type="delta"):
    return {"type": type, "text": text, "seq": 0, **IDS}


DONE = {"type": "done", **IDS}


def painter_of(page, show=None):
    return Painter(IDS, show or page.show, page.say, count)


async def count():
    return 0


class Page:
    """Puts blocks where they say that they belong."""

    def __init__(self):
        self.blocks = {}
        self.final = set()
        self.said = []
        self.seqs = []
        self.changed = asyncio.Event()

    async def say(self, frame):
        self.said.append(frame["type"])

    async def show(self, frame):
        assert (frame["type"], frame["message"]) == ("block", "m")
        place = frame["part"], frame["index"]
        assert place not in self.final, "a final block has changed"
        self.blocks[place] = frame["html"]
        if "seq" in frame:
            self.seqs.append(frame["seq"])
        if frame["is_final"]:
            self.final.add(place)
        self.changed.set()

    def html(self, part="text"):
        return "".join(html for (of, _), html in sorted(self.blocks.items()) if of == part)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(painter, "LEAST_PAUSE_SECONDS", 0.0)


async def test_a_page_is_painted_while_the_answer_is_written():
    page = Page()
    artist = painter_of(page)
    artist.add([piece("*one")])
    await page.changed.wait()
    assert page.html() == "<p>*one</p>\n"

    artist.add([piece("*\n\ntwo")])
    await artist.end(DONE)
    assert page.html() == render("*one*\n\ntwo")


async def test_thoughts_have_blocks_of_their_own():
    page = Page()
    artist = painter_of(page)
    artist.add([piece("Hm", "reasoning"), piece("Yes")])
    await artist.end(DONE)

    assert page.html("reasoning") == "<p>Hm</p>\n"
    assert page.html("text") == "<p>Yes</p>\n"


async def test_what_the_page_shows_already_is_not_sent_again():
    page = Page()
    artist = painter_of(page)
    artist.shows(text="one\n\ntwo")
    artist.add([piece(" more")])
    await artist.end(DONE)

    assert page.blocks == {("text", 1): "<p>two more</p>\n"}


async def test_what_is_long_is_rendered_on_a_thread(monkeypatch):
    threads = []

    async def apart(render, page):
        threads.append(page.size)
        return render(page)

    monkeypatch.setattr(painter, "apart", apart)
    page = Page()
    artist = painter_of(page)
    artist.add([piece("```\n" + LONG)])
    await artist.end(DONE)

    assert threads[0] == len(LONG) + 4
    assert page.html() == render("```\n" + LONG)


async def test_a_failure_ends_the_painting_and_not_the_socket(caplog):
    async def broken(frame):
        raise ValueError("broken")

    page = Page()
    artist = painter_of(page, broken)
    artist.add([piece("one")])
    await artist.end(DONE)

    assert "not shown" in caplog.text
    assert page.said == ["done"]


async def test_text_waits_for_nothing_that_is_said():
    """Nor is what is said, or a block, ahead of what was said before it."""
    may_go_on, order = asyncio.Event(), []

    async def say(frame):
        if frame["type"] == "accepted":
            await may_go_on.wait()
        order.append(frame["type"])

    async def show(frame):
        order.append(frame["type"])

    artist = Painter(IDS, show, say, count)
    artist.say({"type": "accepted", **IDS})
    artist.add([piece("one")])
    artist.say({"type": "usage", **IDS})
    ended = artist.end(DONE)
    await asyncio.sleep(0)
    assert order == []
    may_go_on.set()
    await ended
    assert order == ["accepted", "usage", "block", "done"]


async def test_blocks_say_how_much_the_page_shows_with_them():
    page = Page()
    artist = painter_of(page)
    artist.add([{**piece("one\n\ntwo"), "seq": 8}])
    await artist.end(DONE)
    assert len(page.blocks) == 2
    assert page.seqs == [8]


def test_blocks_are_rarer_the_more_there_is_to_do():
    assert painter.pause_seconds(0.001, 1, 0.0) == pytest.approx(0.002)
    assert painter.pause_seconds(0.001, 200, 0.0) == pytest.approx(0.4)
    assert painter.pause_seconds(0.001, 1, 0.05) == pytest.approx(1.0)
    assert painter.pause_seconds(1.0, 200, 1.0) == painter.MOST_PAUSE_SECONDS


@given(
    text=st.text(alphabet="ab *_`#\n-1.|", max_size=80),
    cuts=st.lists(st.integers(0, 100), max_size=6),
    has=st.integers(0, 100),
)
def test_in_the_end_a_page_shows_what_the_whole_text_renders_to(text, cuts, has):
    async def shown():
        start = has % (len(text) + 1)
        before, page = Page(), Page()
        old = painter_of(before)
        old.add([piece(text[:start])])
        await old.end(DONE)
        artist = painter_of(page)
        artist.shows(text=text[:start])
        places = sorted(
            {start, len(text), *(start + cut % (len(text) - start + 1) for cut in cuts)}
        )
        for a, b in itertools.pairwise(places):
            artist.add([piece(text[a:b])])
            await asyncio.sleep(0)
        await artist.end(DONE)
        page.blocks = before.blocks | page.blocks
        return page.html()

    assert asyncio.run(shown()) == render(text)
