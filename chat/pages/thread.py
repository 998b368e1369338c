"""A conversation's shown branch, as a page lays it out: turn by turn."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.branch import Shown, attachments_before, branch
from chat.models import Conversation, Message, Role


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a person said, and the answer: one of them may be missing, as in imports."""

    question: Shown | None
    answer: Shown | None


@dataclass(frozen=True, slots=True)
class Thread:
    """
    Attributes:
        numbers: how many attachments come before a message, by its primary key.
        context_used: tokens of the model's context, as of the newest answer that knows.
        unseen: hexadecimal ids of the messages that it had no room for.
    """

    exchanges: list[Exchange]
    numbers: dict[int, int]
    unseen: list[str]
    context_used: int
    context_length: int

    @property
    def last_unseen(self) -> str:
        return self.unseen[-1] if self.unseen else ""


def thread_of(conversation: Conversation) -> Thread:
    shown = branch(conversation)
    messages = [one.message for one in shown]
    newest = next((one for one in reversed(messages) if one.context_length), Message())
    return Thread(
        exchanges=_exchanges(shown),
        numbers=attachments_before(shown),
        unseen=[one.uid.hex for one in messages if one.uid.hex in newest.unseen],
        context_used=(newest.prompt_tokens or 0) + (newest.completion_tokens or 0),
        context_length=newest.context_length or 0,
    )


def _exchanges(shown: Sequence[Shown]) -> list[Exchange]:
    exchanges: list[Exchange] = []
    for one in shown:
        is_answer = one.message.role == Role.ASSISTANT
        if is_answer and exchanges and exchanges[-1].answer is None:
            exchanges[-1] = Exchange(exchanges[-1].question, one)
        else:
            exchanges.append(Exchange(None, one) if is_answer else Exchange(one, None))
    return exchanges
