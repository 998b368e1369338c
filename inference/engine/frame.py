"""What is asked of an engine, made fit for the wire."""

from .embedding import EmbedRequest
from .errors import InvalidParameter
from .request import Request
from .wire import Count, Embed, Submit, encode


def frame_of(message: Submit | Embed | Count, param: str) -> bytes:
    """
    Raises:
        InvalidParameter: it holds what cannot travel: half a character, a huge number.
    """
    try:
        return encode(message)
    except RecursionError:
        raise InvalidParameter(param, "[[…]]", "is nested too deeply") from None
    except (ValueError, OverflowError) as error:
        asked = message if isinstance(message, Count) else message.request
        raise InvalidParameter(param, _shown(asked), f"cannot be used: {error}") from error


def _shown(asked: Request | EmbedRequest | Count) -> object:
    """What is asked about, for an error."""
    match asked:
        case Request():
            return asked.text or asked.tokens or asked.messages
        case EmbedRequest():
            return asked.texts or asked.tokens
    return asked.texts or asked.messages
