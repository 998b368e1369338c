"""What is in a file, whichever format it has. Runs where a hostile one can do no harm."""

from dataclasses import dataclass

from . import values
from .base import Draft, DraftMessage, Format, Leavings, check_size, without_large
from .errors import BadFile
from .openai import OpenAIFormat
from .openwebui import OpenWebUIFormat
from .own import OwnFormat
from .upload import read_json
from .words import Words
from .words import say as _

FORMATS: tuple[Format, ...] = (OwnFormat(), OpenAIFormat(), OpenWebUIFormat())


@dataclass(frozen=True, slots=True)
class Reading:
    """Of which format a file is, what of it can be stored as it is here, and what was left."""

    label: Words
    drafts: list[Draft]
    left: Leavings


def read(data: bytes) -> Reading:
    """
    Raises:
        BadFile: it is of no known format, or has faults, or more than a file may have.
    """
    parsed = read_json(data)
    kind = next((one for one in FORMATS if one.recognizes(parsed)), None)
    if kind is None:
        labels = ", ".join(str(one.label) for one in FORMATS)
        raise BadFile(_("The file is of no format that is known here: %(labels)s.", labels=labels))
    left = Leavings()
    drafts = kind.read(parsed, left)
    check_size(drafts)
    fitting = without_large(drafts, left)
    return Reading(kind.label, [_cleaned(draft) for draft in fitting], left)


def _cleaned(draft: Draft) -> Draft:
    """With texts that databases store, and numbers for keys, which may be of any length."""
    numbers = {message.key: str(number) for number, message in enumerate(draft.messages)}
    return Draft(
        title=values.text(draft.title),
        messages=[_numbered(message, numbers) for message in draft.messages],
        head=numbers[draft.head] if draft.head else None,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
        folder=values.text(draft.folder),
        columns=values.clean(draft.columns),
    )


def _numbered(message: DraftMessage, numbers: dict[str, str]) -> DraftMessage:
    message.key = numbers[message.key]
    message.parent = numbers[message.parent] if message.parent else None
    message.text = values.text(message.text)
    message.columns = values.clean(message.columns)
    unseen = dict.fromkeys(message.columns.get("unseen", ()))
    message.columns["unseen"] = [numbers[key] for key in unseen if key in numbers]
    for file in message.files:
        file.columns = values.clean(file.columns)
    return message
