"""The one gate to the page: whatever was rendered, only what is named here passes."""

import nh3

from . import code, links, mathml

_HTML = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"),
    *("em", "strong", "s", "a", "code", "pre", "div", "span", "button", "input"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ALIGNED = {"align": {"left", "center", "right"}}


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Of addresses none that are relative: those would be our own pages."""
    if name == "href" and not (links.is_allowed(value) or links.CITATION.fullmatch(value)):
        return None
    return value


_CLEANER = nh3.Cleaner(
    tags=_HTML | mathml.TAGS,
    attributes={
        "a": {"href", "title"},
        "ol": {"start"},
        "button": {"hidden"},
        "input": {"checked", "aria-label"},
        **{tag: set(mathml.ATTRIBUTES) for tag in mathml.TAGS},
    },
    attribute_filter=_attribute,
    tag_attribute_values={
        "a": {"target": {"_blank"}},
        "input": {"type": {"checkbox"}},
        "th": _ALIGNED,
        "td": _ALIGNED,
    },
    set_tag_attribute_values={
        "button": {"type": "button"},
        "input": {"disabled": ""},
    },
    allowed_classes={
        "a": {"cite"},
        "button": {"copy"},
        "div": {"md-code", "md-code-head", "md-formula"},
        "input": {"task-list-item-checkbox"},
        "li": {"task-list-item"},
        "pre": {"md-formula"},
        "span": {"md-language", *code.CLASSES},
        "ul": {"contains-task-list"},
        "ol": {"contains-task-list"},
    },
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def sanitize(html: str) -> str:
    return _CLEANER.clean(html)
