"""The parser: which markdown is understood, and how each piece of it becomes HTML."""

from collections.abc import Sequence
from typing import Any

from linkify_it import LinkifyIt
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from . import citations, code, formulas, links, tables

# Of blocks in blocks: recursion and the time for `[[[[…` grow with it.
MAX_NESTING = 20


class Parser(MarkdownIt):
    """Shows as text what links anywhere but to the web or to a mailbox."""

    def validateLink(self, url: str) -> bool:
        return links.is_allowed(url)


class Addresses(LinkifyIt):
    """What says that it is an address becomes a link: `main.py` and `me@home` are none."""

    def __init__(self) -> None:
        super().__init__(options={"fuzzy_link": False, "fuzzy_email": False})

    def pretest(self, text: str) -> bool:
        """Without the library's look at every character, a hundred times as dear."""
        return links.ALLOWED.search(text) is not None


class Renderer(RendererHTML):
    """HTML of the tokens that are ours, or that the library would style or load."""

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        return code.block(token.content, token.info, env["max_highlighted"], env["labels"])

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return code.block(tokens[idx].content, "", 0, env["labels"])

    def list_item_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A box of a list of tasks is named by its task, for those who do not see it."""
        html = super().list_item_open(tokens, idx, options, env)
        if "checked" not in tokens[idx].meta:
            return html
        texts = [token.children for token in tokens[idx + 1 : idx + 4] if token.type == "inline"]
        name = self.renderInlineAsText(texts[0] if texts else None, options, env).strip()
        return html.replace("<input ", f'<input aria-label="{escapeHtml(name)}" ', 1)

    def math_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return formulas.inline(tokens[idx])

    def math_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return formulas.block(tokens[idx])

    def citation(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return citations.link(tokens[idx].content)


def make_parser() -> Parser:
    options = {"html": False, "maxNesting": MAX_NESTING, "tasklists": True, "linkify": True}
    parser = Parser("commonmark", options, renderer_cls=Renderer)
    parser.enable(["table", "strikethrough", "linkify"])
    parser.linkify = Addresses()
    parser.disable(["reference", "html_block", "html_inline"])
    for plugin in (formulas.plugin, citations.plugin, links.plugin, tables.plugin):
        parser.use(plugin)
    return parser
