"""What the model is given to read: the branch, its attachments, and the system prompt."""

from collections.abc import Iterable, Sequence
from typing import Any

from .models import Attachment, Conversation, Message, Status

CITING = "The documents are numbered: to cite one, write its number in brackets, such as [1]."


def messages_for_model(
    conversation: Conversation, branch: Sequence[Message]
) -> tuple[list[dict[str, Any]], list[Message | None]]:
    """Messages for the chat template, and beside each the row that it comes from.

    Answers that failed before their first word are left out: a template may refuse an
    empty one.
    """
    rows = [row for row in branch if row.text or row.status == Status.COMPLETE]
    system = _system_prompt(conversation, rows)
    first: list[Message | None] = [None] if system else []
    messages = [{"role": "system", "content": system}] if system else []
    number = 0
    for row in rows:
        documents = list(_numbered(row.attachments.all(), number))
        number += len(documents)
        messages.append({"role": row.role, "content": "\n\n".join([*documents, row.text])})
    return messages, [*first, *rows]


def _system_prompt(conversation: Conversation, rows: Iterable[Message]) -> str:
    has_documents = any(row.attachments.all() for row in rows)
    return "\n\n".join(filter(None, [conversation.system_prompt, CITING if has_documents else ""]))


def _numbered(attachments: Iterable[Attachment], before: int) -> Iterable[str]:
    for number, attachment in enumerate(attachments, before + 1):
        name = attachment.name.replace('"', "'")
        yield f'<document number="{number}" name="{name}">\n{attachment.text}\n</document>'


def beginning(answer: Message) -> str:
    """What an answer that goes on begins with, as the model wrote it."""
    if not answer.reasoning:
        return answer.text
    end = "</think>\n\n" if answer.text else ""
    return f"<think>{answer.reasoning}{end}{answer.text}"
