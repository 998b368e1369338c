"""What the model is given to read: the branch, its attachments, and the system prompt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .models import Attachment, Message, Role

CITING = "The documents are numbered: to cite one, write its number in brackets, such as [1]."


# What a question itself was refused for: with it in the prompt, so would be the next one.
REFUSED = frozenset({"content_denied", "context_length_exceeded"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages for the chat template, and beside each the rows that it comes from.

    Questions and answers alternate, which many templates insist on.
    """

    messages: list[dict[str, Any]]
    rows: list[list[Message]]

    def rows_of(self, indices: Iterable[int]) -> list[Message]:
        return [row for index in indices for row in self.rows[index]]


def prompt_of(system_prompt: str, branch: Sequence[Message]) -> Prompt:
    """Answers that failed before their first word are left out, and what was said before
    and after one is one message. So are questions that were refused for what is in them.
    Rows that are not stored have no attachments.
    """
    refused = {row.pk for row, answer in pairwise(branch) if _is_refused(row, answer)}
    read = [row for row in branch if row.has_begun and row.pk not in refused]
    prompt = Prompt([], [])
    if system := _system_prompt(system_prompt, read):
        prompt.messages.append({"role": "system", "content": system})
        prompt.rows.append([])
    number = 0
    for row in branch:
        documents = list(_numbered(_attachments(row), number))
        number += len(documents)  # of what is left out, too: the page counts them
        if row in read:
            _append(prompt, row, "\n\n".join([*documents, row.text]))
    return prompt


def mentions_functions(branch: Iterable[Message]) -> bool:
    """Whether some have been called."""
    return any(row.calls or row.role == Role.TOOL for row in branch)


def _is_refused(question: Message, answer: Message) -> bool:
    is_question = question.role == Role.USER and not answer.has_begun
    return is_question and answer.error_code in REFUSED


def _append(prompt: Prompt, row: Message, content: str) -> None:
    before = prompt.rows[-1] if prompt.rows else []
    is_plain = not (row.calls or row.call_id or any(one.calls for one in before))
    if before and is_plain and before[-1].role == row.role:
        prompt.messages[-1]["content"] += f"\n\n{content}"
        prompt.rows[-1].append(row)
    else:
        prompt.messages.append(_message(row, content))
        prompt.rows.append([row])


def _message(row: Message, content: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": row.role, "content": content}
    if row.call_id:
        message["tool_call_id"] = row.call_id
    if row.calls:  # who calls has not answered yet: what was thought belongs to it
        message |= {"content": content or None, "tool_calls": [*map(_call, row.calls)]}
        message |= {"reasoning_content": row.reasoning} if row.reasoning else {}
    return message


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}


def _attachments(row: Message) -> Sequence[Attachment]:
    return [*row.attachments.all()] if row.pk else []


def _system_prompt(given: str, rows: Iterable[Message]) -> str:
    has_documents = any(_attachments(row) for row in rows)
    return "\n\n".join(filter(None, [given, CITING if has_documents else ""]))


def _numbered(attachments: Iterable[Attachment], before: int) -> Iterable[str]:
    for number, attachment in enumerate(attachments, before + 1):
        name = attachment.name.replace('"', "'")
        yield f'<document number="{number}" name="{name}">\n{attachment.content}\n</document>'


def beginning(answer: Message) -> str:
    """What an answer that goes on begins with, as the model wrote it."""
    if not answer.reasoning:
        return answer.text
    end = "</think>\n\n" if answer.text else ""
    return f"<think>{answer.reasoning}{end}{answer.text}"
