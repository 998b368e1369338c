"""The branch of a conversation that is shown, as Markdown to read elsewhere."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from chat.branch import branch
from chat.models import Conversation, Message, Role


def markdown_pieces(conversation: Conversation) -> Iterator[str]:
    yield f"# {conversation.title or _('Conversation')}\n"
    if conversation.system_prompt:
        yield f"\n## {_('System prompt')}\n\n{conversation.system_prompt}\n"
    for shown in branch(conversation):
        yield from _said(shown.message)


def _said(message: Message) -> Iterator[str]:
    at = f"{message.created_at:%Y-%m-%d %H:%M} UTC"
    yield f"\n## {_who(message)} · {at}\n"
    for file in message.attachments.all():
        yield f"\n*{_('Attached')}: {file.name}*\n"
    if message.text:
        yield f"\n{message.text}\n"
    for call in message.calls:
        yield f"\n```\n{call['name']}({call['arguments']})\n```\n"
    if message.error:
        yield f"\n*{message.error}*\n"


def _who(message: Message) -> str:
    if message.role == Role.ASSISTANT:
        return message.model or _("Assistant")
    others = {Role.USER: _("You"), Role.TOOL: _("Result of a function")}
    return others.get(Role(message.role)) or _("System")
