"""What the conversations' templates need of Python."""

from typing import Any

from django import template

from chat.pages.library import sidebar as sidebar_of

register = template.Library()


@register.simple_tag(takes_context=True)
def sidebar(context: template.Context) -> dict[str, Any]:
    """What is at the side of a page: it need not know. `conversation` is what it shows."""
    return sidebar_of(context["request"], context.get("conversation"))
