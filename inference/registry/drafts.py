"""Whether the file of a draft model fits the model that it is to guess for."""

from django.core.exceptions import ValidationError

from inference.gguf_file import BadModelFile, tokens_of
from inference.models import LanguageModel

# As many as the engine lets pass: models of a family round the sizes of their vocabularies up.
MOST_PADDING = 128


def check_draft(row: LanguageModel) -> None:
    """Of a draft model that the row did not have before; the engine looks again as it loads.

    Raises:
        ValidationError: it has not been fetched, or has another vocabulary.
    """
    draft = row.draft
    if draft is None or _is_known(row):
        return
    if draft.path is None:
        raise ValidationError({"draft": f"{draft} has not been fetched yet."})
    if row.path is None:
        return  # its vocabulary is known once it has come
    try:
        problem = _difference(tokens_of(row.path), tokens_of(draft.path))
    except BadModelFile as error:
        raise ValidationError({"draft": f"{error}."}) from None
    if problem:
        raise ValidationError({"draft": f"{draft} has another vocabulary: {problem}."})


def _is_known(row: LanguageModel) -> bool:
    return LanguageModel.objects.filter(pk=row.pk, draft=row.draft, file=row.file).exists()


def _difference(tokens: list[str], others: list[str]) -> str:
    if abs(len(tokens) - len(others)) > MOST_PADDING:
        return f"it has {len(others)} tokens, not {len(tokens)}"
    for number, (token, other) in enumerate(zip(tokens, others, strict=False)):
        if token != other:
            return f"its token {number} is {other!r}, not {token!r}"
    return ""
