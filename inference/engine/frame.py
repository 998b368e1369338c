"""What is asked of an engine, made fit for the wire."""

from .embedding import EmbedRequest
from .errors import InvalidParameter
from .request import Request
from .wire import Embed, Question, Submit, encode


def frame_of(message: Submit | Embed | Question, param: str) -> bytes:
    """
    Raises:
        InvalidParameter: it holds what cannot travel: half a character, a huge number.
    """
    try:
        return encode(message)
    except RecursionError:
        raise InvalidParameter(param, "[[…]]", "is nested too deeply") from None
    except (ValueError, OverflowError) as error:
        if isinstance(message, Submit | Embed):
            shown = _prompt(message.request)
        else:
            shown = getattr(message, param)
        raise InvalidParameter(param, shown, f"cannot be used: {error}") from error


def _prompt(request: Request | EmbedRequest) -> object:
    """What is asked about, for an error."""
    if isinstance(request, Request):
        return request.text or request.tokens or request.messages
    return request.texts or request.tokens
