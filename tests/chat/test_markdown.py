"""Markdown: what it becomes, and that streaming makes the same of it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.markdown import LiveDocument, live, render
from chat.markdown.languages import LEXERS

# What texts are put together from: beginnings and ends of blocks, and what confuses them.
PARTS = [
    *("a", "b c", " ", "  ", "    ", "\t", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\0", "é"),
    *("- ", "* ", "+ ", "1. ", "2) ", "12. ", "- [ ] ", "- [x] ", "-", "1.", "- a\n\n  b\n"),
    *("# ", "## ", "#", "---", "***", "===", "-", "=", "> ", ">", ">>"),
    *("```", "```py\n", "~~~", "````\n", "`", "```\ncode\n```\n", "  ```\n"),
    *("a | b", "|", "|-|-|\n", "---|---\n", "-|-x\n", "| a | b |\n| - | - |\n| 1 | 2 |\n"),
    *(
        "[1]",
        "[a]: https://b.example\n",
        "[a]",
        "[a](https://b.example)",
        "![i](https://c.example)",
    ),
    *("<div>", "</div>\n", "<!-- ", "-->", "<script>", "&amp;", "<https://a.example>"),
    *("$$", "$", "$x$", r"\[", r"\]", r"\(", r"\)", "$$\nx\n$$\n", "\\", "x_1^2", r"\frac{1}{2}"),
    *("**", "*", "_", "~~", "\ud800"),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=24).map("".join),
    st.lists(st.sampled_from([*PARTS, "\n", "\n\n"]), max_size=60).map("".join),
)
CODE = "```python\n" + "x = 1\n" * 2000 + "```\n"


def cut(text, places):
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(ends)]


def stream(text, pieces, num_citations=0):
    """All blocks that were said, in their order."""
    document = LiveDocument(num_citations)
    blocks = [block for piece in pieces for block in document.feed(piece)]
    return blocks + document.finish()


def final_html(blocks):
    return "".join(block.html for block in blocks if block.is_final)


# Streaming


@given(TEXTS, st.lists(st.integers(0, 500), max_size=12))
def test_final_blocks_are_the_whole_text_however_it_is_cut(text, places):
    assert final_html(stream(text, cut(text, places), 1)) == render(text, 1)


@given(TEXTS)
def test_final_blocks_are_the_whole_text_character_by_character(text):
    assert final_html(stream(text, text, 1)) == render(text, 1)


@given(TEXTS, st.lists(st.integers(0, 500), max_size=12))
def test_blocks_are_numbered_and_final_ones_are_said_once(text, places):
    said = stream(text, cut(text, places))

    final = [block.index for block in said if block.is_final]
    assert final == list(range(len(final)))
    for earlier, later in pairwise(said):
        assert later.index == earlier.index + earlier.is_final


@given(TEXTS, st.lists(st.integers(0, 500), max_size=12))
def test_only_the_last_block_of_a_piece_is_not_final(text, places):
    document = LiveDocument()

    for piece in cut(text, places):
        assert all(block.is_final for block in document.feed(piece)[:-1])
    assert all(block.is_final for block in document.finish())


@pytest.mark.parametrize(
    ("text", "num_final"),
    [
        ("a\n", 0),
        ("a\n\n", 1),
        ("# a\n", 1),
        ("# a | b\n", 0),
        ("# a | b\n\n", 1),
        ("```\na\n", 0),
        ("```\n```\n", 1),
        ("```\n```", 0),
        ("$$\nx\n$$\n", 1),
        ("$$\nx\n", 0),
        ("---\n", 1),
        ("- a\n\n", 0),
        ("- a\n\n  b", 0),
        ("- a\n\n-", 0),
        ("- a\n\nT", 1),
        ("- a\n\n**", 1),
        ("1. a\n\n2", 0),
        ("1. a\n\n2024 was", 1),
        ("    a\n\n", 0),
        ("    a\n\nT", 1),
        ("- a\n# b\nc", 2),
        ("a\n- b\nc\n", 1),
        ("> a\n\n", 1),
        ("|a|\n|-|\n|b|\n\n", 1),
    ],
)
def test_a_block_is_final_as_soon_as_nothing_can_change_it(text, num_final):
    assert sum(block.is_final for block in LiveDocument().feed(text)) == num_final


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("```py\nx = 1", '<span class="hl-n">x</span>'),
        ("|a|\n|-|\n|b", "<td>b</td>"),
        ("- a\n- b", "<li>b</li>"),
        ("$$\n\\frac{1", '<pre class="md-formula"><code>$$\n\\frac{1</code></pre>'),
        ("a\n\n> b", "<blockquote>\n<p>b</p>\n</blockquote>"),
        ("see [the docs](/docs", "<p>see [the docs](/docs</p>"),
    ],
)
def test_what_is_not_finished_is_shown_as_what_it_will_be(text, html):
    last = LiveDocument().feed(text)[-1]

    assert html in last.html
    assert not last.is_final


def test_large_code_is_coloured_when_it_closes():
    document = LiveDocument()

    (still_open,) = document.feed(CODE.removesuffix("```\n"))
    (closed,) = document.feed("```\n")

    assert "x = 1\n" in still_open.html
    assert '<span class="hl-n">x</span>' in closed.html
    assert closed.is_final


def test_pending_size_is_what_will_be_rendered_again():
    document = LiveDocument()
    document.feed("a\n\nb\nc")
    assert document.pending_size == len("b\nc")

    document.feed("\n\n")
    assert document.pending_size == len("\n")


@pytest.fixture
def parsed(monkeypatch):
    """The sizes of all texts that were parsed."""
    sizes = []

    def parse(text, num_citations):
        sizes.append(len(text))
        return original(text, num_citations)

    original = live.parse
    monkeypatch.setattr(live, "parse", parse)
    return sizes


# Each of them ends the one before it.
BLOCKS = ["A paragraph of *some* words.\n\n", "- a list\n- of two\n\n", "```\ncode\n```\n", "# b\n"]


@pytest.mark.parametrize("size", [1, 7])
def test_the_cost_of_a_piece_is_that_of_the_last_block_not_of_the_text(parsed, size):
    text = "".join(BLOCKS * 50)

    stream(text, [text[start : start + size] for start in range(0, len(text), size)])

    assert max(parsed) <= max(map(len, BLOCKS)) + size + 2


def test_a_long_paragraph_does_not_render_the_list_before_it_again(parsed):
    document = LiveDocument()
    document.feed("- item\n" * 1000 + "\n")
    document.feed("T")
    parsed.clear()

    for word in ["his ", "goes ", "on"]:
        document.feed(word)

    assert max(parsed) == len("This goes on")


# What it becomes


def without_spans(html):
    return re.sub("</?span[^>]*>", "", html)


def paragraph(html):
    return f"<p>{html}</p>\n"


LINK = 'target="_blank" rel="noopener noreferrer nofollow"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<em>a</em> <strong>b</strong> <s>c</s> <code>d</code>"),
        ("[a](https://b.example)", f'<a href="https://b.example" {LINK}>a</a>'),
        ("<https://b.example>", f'<a href="https://b.example" {LINK}>https://b.example</a>'),
        ("<a@b.example>", f'<a href="mailto:a@b.example" {LINK}>a@b.example</a>'),
        ("<b>a</b>", "&lt;b&gt;a&lt;/b&gt;"),
        ("a<br>b", "a&lt;br&gt;b"),
        ("[a]: /b", "[a]: /b"),
        ("at https://b.example.", f'at <a href="https://b.example" {LINK}>https://b.example</a>.'),
        ("b.example, main.py and a@b.example", "b.example, main.py and a@b.example"),
    ],
)
def test_text(text, html):
    assert render(text) == paragraph(html)


def test_images_are_links_that_load_nothing():
    link = f'<a href="https://b.example/c.png" {LINK}>image: a cat (b.example)</a>'
    assert render("![a *cat*](https://b.example/c.png)").strip("\n") == f"<p>{link}</p>"


def test_an_image_in_a_link_is_its_text():
    html = render("[![a](https://b.example/c.png)](https://d.example)")
    assert html == paragraph(f'<a href="https://d.example" {LINK}>image: a (b.example)</a>')


def test_tables_align_without_styles():
    html = render("|a|b|\n|:-:|-:|\n|1|2|")
    assert '<td align="center">1</td>\n<td align="right">2</td>' in html


def test_tasks_are_boxes_that_nobody_can_tick():
    html = render("- [ ] a\n- [x] b")
    assert html.count(' type="checkbox"') == html.count('disabled=""> ') == 2
    assert html.count('checked=""') == 1


def test_boxes_are_named_by_their_tasks():
    html = render('- [ ] *a* "b"\n- [x] c `d`')
    assert re.findall(r'aria-label="(.*?)"', html) == ["a &quot;b&quot;", "c d"]


def test_code_has_its_language_a_button_and_classes():
    html = render("```Python title\nif x:\n    pass\n```")

    assert '<span class="md-language">Python</span>' in html
    assert '<button class="copy" hidden="" type="button">Copy</button>' in html
    assert '<pre><code><span class="hl-k">if</span>' in html
    assert "title" not in html


@pytest.mark.parametrize("language", ["", "no-such-language", "brainfuck"])
def test_code_of_other_languages_is_plain(language):
    assert "<pre><code>if x:\n</code></pre>" in render(f"```{language}\nif x:\n```")


@pytest.mark.parametrize("language", ["", "text", "python"])
def test_code_keeps_its_empty_lines(language):
    assert "<code>\n\na\n\n</code>" in without_spans(render(f"```{language}\n\n\na\n\n```"))


@pytest.mark.parametrize(
    "source",
    ["x = 1\n" * 4000, "x" * 400, "\n" * 30, "a b\n" * 30, "a.b\n" * 30, "x = 1\n" + " \n" * 30],
)
def test_code_that_would_take_long_to_colour_is_plain(source):
    assert "hl-" not in render(f"```python\n{source}\n```")


@pytest.mark.parametrize("language", sorted(LEXERS))
def test_every_language_that_is_named_has_its_lexer(language):
    assert "<pre><code>" in render(f"```{language}\n(x = 1)\n```")


# Formulae


@pytest.mark.parametrize("text", ["$a<b$", r"\(a<b\)"])
def test_formulae_in_a_line(text):
    math = '<math display="inline"><mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow></math>'
    assert render(f"If {text}, then") == paragraph(f"If {math}, then")


@pytest.mark.parametrize("text", ["$$x$$", r"\[x\]", "$$\nx\n$$", "\\[\nx\n\\]", "$$ x\n$$"])
def test_formulae_of_their_own(text):
    math = '<math display="block"><mrow><mi>x</mi></mrow></math>'
    assert render(text) == f'<div class="md-formula">{math}</div>\n'


def test_a_formula_interrupts_a_paragraph_and_takes_the_sentences_end():
    html = render("Hence\n$$\nx\n$$.\nq.e.d.")
    math = '<math display="block"><mrow><mi>x</mi><mo>.</mo></mrow></math>'
    assert html == f'<p>Hence</p>\n<div class="md-formula">{math}</div>\n<p>q.e.d.</p>\n'


def test_a_large_formula_may_stand_in_a_line():
    assert '<math display="block">' in render("a $$x$$ b")


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $6",
        "from $5-$10 to $20",
        "US$5 (A$8)",
        "5$ and 6$",
        r"\$x\$",
        "$ x $",
        "$x",
        "$$",
        r"\\(x\\)",
        r"\(x",
        "`$x$`",
    ],
)
def test_money_and_the_like_is_no_formula(text):
    assert "<math" not in render(text)


@pytest.mark.parametrize(
    "latex",
    [
        r"\left(x",
        r"\begin{matrix}x",
        r"x^1^2",
        r"\def\a{x}\a",
        r"\newcommand{\a}{x}\a",
        "{" * 900,
    ],
)
def test_what_is_no_formula_is_shown_as_it_was_written(latex):
    assert render(f"$$\n{latex}\n$$") == (
        f'<pre class="md-formula"><code>$$\n{latex}\n$$</code></pre>\n'
    )
    assert render(f"a ${latex}$") == paragraph(f"a <code>${latex}$</code>")


def test_a_formula_ends_at_an_empty_line():
    html = render("$$\nx\n\n*y*")
    assert html == '<pre class="md-formula"><code>$$\nx</code></pre>\n<p><em>y</em></p>\n'


# Citations


def test_citations_lead_to_the_attachments_there_are():
    cited = '<a class="cite" href="#attachment-2" rel="noopener noreferrer nofollow">[2]</a>'
    assert render("As [2] says, not [3] or [0].", 2) == paragraph(
        f"As {cited} says, not [3] or [0]."
    )


@pytest.mark.parametrize("text", ["`[1]`", "[1](https://a.example)", "[a [1]](https://a.example)"])
def test_what_else_is_in_brackets_is_no_citation(text):
    assert 'class="cite"' not in render(text, 1)
