"""What may stand in a page of ours, checked on the page: none of the renderer's rules is used."""

import re
from html.parser import HTMLParser

VOID = {"br", "hr", "input"}
PLAIN = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "li", "ul", "ol"),
    *("em", "strong", "s", "code", "pre", "div", "span", "table", "thead", "tbody", "tr"),
    *("th", "td", "a", "button", "input"),
}
MATH = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "mpadded", "mphantom"),
    *("mfrac", "msqrt", "mroot", "menclose", "msub", "msup", "msubsup", "munder", "mover"),
    *("munderover", "mtable", "mtr", "mtd"),
}
WEB = re.compile(r"(https?://|mailto:)[^\s\"<>`]*", re.IGNORECASE)
CITATION = re.compile(r"#attachment-[1-9]\d*")
LENGTH = re.compile(r"[+-]?(\d{0,2}(\.\d+)?(pt|px|mm|mu)?|[0-3]?(\.\d+)?(em|ex|cm|in))")
CLASSES = {
    *("cite", "copy", "md-code", "md-code-head", "md-language", "md-formula"),
    *("task-list-item", "task-list-item-checkbox", "contains-task-list"),
}
LENGTHS = {
    *("width", "height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize"),
    *("linethickness", "columnspacing", "rowspacing"),
}
ALLOWED = {
    "a": {"href", "title", "target", "rel", "class"},
    "button": {"type", "class", "hidden"},
    "input": {"type", "class", "disabled", "checked", "aria-label"},
    "ol": {"start", "class"},
    "th": {"align"},
    "td": {"align"},
    **{tag: {"class"} for tag in ("div", "span", "pre", "li", "ul")},
}
WORDS = {
    *("display", "displaystyle", "scriptlevel", "mathvariant", "accent", "accentunder"),
    *("stretchy", "fence", "form", "separator", "largeop", "symmetric", "movablelimits"),
    *("columnalign", "columnlines", "rowlines", "notation"),
}


class Page(HTMLParser):
    """Fails with the first element or attribute that is none of ours."""

    def __init__(self, html):
        super().__init__()
        self.text = ""
        self.links = []
        self._open = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        assert tag in PLAIN | MATH, tag
        allowed = WORDS | LENGTHS if tag in MATH else ALLOWED.get(tag, set())
        for name, value in attrs:
            assert name in allowed, f"{tag} {name}={value}"
            check(tag, name, value)
        assert len(attrs) == len(dict(attrs)), f"twice: {attrs}"
        self._complete(tag, dict(attrs))
        self._open += [] if tag in VOID else [tag]

    def _complete(self, tag, attrs):
        if tag == "a":
            assert attrs["rel"] == "noopener noreferrer nofollow"
            self.links.append(attrs.get("href"))
        if tag == "button":
            assert attrs == {"type": "button", "class": "copy", "hidden": ""}
        if tag == "input":
            assert attrs["type"] == "checkbox"
            assert "disabled" in attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data}")


def check(tag, name, value):
    """That attribute's value can neither run, load, nor cover anything."""
    values = {
        "href": lambda: WEB.fullmatch(value) or CITATION.fullmatch(value),
        "target": lambda: value == "_blank",
        "class": lambda: all(c in CLASSES or re.fullmatch(r"hl-\w+", c) for c in value.split()),
        "align": lambda: value in {"left", "center", "right"},
        "start": lambda: value.isdigit(),
        **dict.fromkeys(WORDS, lambda: re.fullmatch(r"[a-z0-9 -]*", value)),
        **dict.fromkeys(LENGTHS, lambda: all(map(LENGTH.fullmatch, value.split()))),
    }
    assert values.get(name, lambda: True)(), f"{tag} {name}={value}"
