"""Conversations to begin with: imported by the page for that, as people do."""

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

from .visitor import Visitor

AT = "2026-03-01T09:00:00Z"


def said(*texts: str, **of_answers: Any) -> list[dict[str, Any]]:
    """Questions and answers in turn, as our own export has them."""
    roles = ("user", "assistant")
    return [
        {
            "uid": f"m{number}",
            "parent": f"m{number - 1}" if number else None,
            "role": roles[number % 2],
            "text": text,
            "created_at": AT,
            **({"model": "fake", **of_answers} if number % 2 else {}),
        }
        for number, text in enumerate(texts)
    ]


def conversation(title: str, *texts: str, **of_answers: Any) -> dict[str, Any]:
    messages = said(*texts, **of_answers)
    facts = {"title": title, "is_title_given": True, "created_at": AT, "updated_at": AT}
    return {
        **facts,
        "model": messages[-1]["model"],
        "messages": messages,
        "head": messages[-1]["uid"],
    }


def bring(visitor: Visitor, *conversations: dict[str, Any]) -> Page:
    """The page that has imported them."""
    whole = {"format": "llmsite-conversations", "version": 1, "conversations": conversations}
    file = {
        "name": "conversations.json",
        "mimeType": "application/json",
        "buffer": json.dumps(whole).encode(),
    }
    page = visitor.open("/c/import/")
    page.set_input_files("#content input[type=file]", file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(notice(page)).to_contain_text("among your conversations now")
    return page


def notice(page: Page) -> Locator:
    """What a page says of what was just done."""
    return page.locator("#content [role=status]").first


def opened(visitor: Visitor, *texts: str, title: str = "Cake", **of_answers: Any) -> Page:
    """The page of a conversation in which that was said."""
    page = bring(visitor, conversation(title, *texts, **of_answers))
    page.locator("#library").get_by_role("link", name=title, exact=True).click()
    expect(page.locator("#title")).to_have_text(title)
    return page
