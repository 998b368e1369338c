"""What the chat's templates need of Python."""

import json
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from chat.branch import messages_up_to
from chat.markdown import Block, Labels, LiveDocument
from chat.models import Message, Status
from chat.sentences import sentence_of
from chat.texts import code_labels, script_texts

# Rendered texts that a process remembers, and how long one of them may be, in characters.
NUM_REMEMBERED = 500
MAX_REMEMBERED = 10_000

register = template.Library()
register.simple_tag(script_texts)


@register.simple_tag
def preloaded_modules() -> SafeString:
    """All of the page's modules at once, not one after another as they import each other."""
    files = sorted((settings.BASE_DIR / "static/js/chat").glob("*.js"))
    addresses = ((static(f"js/chat/{file.name}"),) for file in files)
    return format_html_join("\n  ", '<link rel="modulepreload" href="{}">', addresses)


@register.filter
def markdown(text: str, num_citations: int = 0) -> SafeString:
    """The blocks of a text, each in an element of its own, as the socket replaces them."""
    render = _markdown if len(text) > MAX_REMEMBERED else _remembered
    return render(text, num_citations, code_labels())


def _markdown(text: str, num_citations: int, labels: Labels) -> SafeString:
    document = LiveDocument(num_citations, labels)
    return _in_elements([*document.feed(text), *document.finish()])


# A hundred answers, read anew, take as long as a few; some 20 MB at most.
_remembered = lru_cache(NUM_REMEMBERED)(_markdown)


@register.filter
def unfinished(text: str, num_citations: int = 0) -> SafeString:
    """The same of a text that goes on: its last block may change."""
    return _in_elements(LiveDocument(num_citations, code_labels()).feed(text))


def _in_elements(blocks: list[Block]) -> SafeString:
    last_of_each = {block.index: block.html for block in blocks}
    return format_html_join(
        "",
        '<div class="block" data-index="{}">{}</div>',
        # It was sanitised when it was rendered.
        ((index, mark_safe(html)) for index, html in last_of_each.items()),  # noqa: S308  # nosec
    )


@register.simple_tag(takes_context=True)
def attachments_before(context: template.Context, message: Message) -> int:
    """How many attachments the branch has before this message: citations count through."""
    numbers = context.get("numbers")
    if numbers is not None:
        return int(numbers[message.pk])
    return sum(len(row.attachments.all()) for row in messages_up_to(message)[:-1])


@register.filter
def outcome(answer: Message) -> str:
    """Why an answer is not whole, for people; nothing where it is."""
    match answer.status:
        case Status.STOPPED:
            return gettext("You stopped this answer.")
        case Status.INTERRUPTED:
            return _why(answer) or gettext("This answer was cut off when its server stopped.")
        case Status.FAILED:
            return _why(answer) or gettext("This answer failed.")
    if answer.finish_reason == "length":
        return gettext("This answer has reached its limit of tokens.")
    return ""


def _why(answer: Message) -> str:
    return sentence_of(answer.error_code, answer.error)


@register.filter
def dashes(used: int, whole: int) -> str:
    """A share, as the dashes of a circle that is 100 long."""
    share = min(100, round(100 * used / whole)) if whole else 0
    return f"{share} 100"


@register.filter
def as_json(value: Any) -> str:
    """For an attribute that a script reads."""
    return json.dumps(value)
