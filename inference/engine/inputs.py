"""From the inputs of a request for vectors to tokens, with every refusal of them."""

from collections.abc import Iterator

from .backend import EmbedBackend
from .embedding import EmbedRequest
from .errors import InputTooLong, InvalidParameter


class InputReader:
    """Asks one backend; to be used by one thread at a time."""

    def __init__(self, backend: EmbedBackend) -> None:
        self._backend = backend
        self._nothing = backend.tokenize("")  # the tokens that stand around a text

    def read(self, request: EmbedRequest) -> list[list[int]]:
        """
        Raises:
            EngineError: naming the first input that is too long, or cannot be one.
        """
        inputs = [*self._tokens(request)]
        for index, tokens in enumerate(inputs):
            self._check(tokens, index, request)
        return inputs

    def _tokens(self, request: EmbedRequest) -> Iterator[list[int]]:
        if request.tokens is not None:
            yield from request.tokens
        for text in request.texts or []:
            if request.query is None:
                yield self._backend.tokenize(text)
            else:
                yield self._backend.pair(request.query, text)

    def _check(self, tokens: list[int], index: int, request: EmbedRequest) -> None:
        where = f"{request.param}[{index}]"
        most = self._backend.info.context_length
        for token in tokens if request.tokens is not None else []:
            if not self._backend.has_token(token):
                raise InvalidParameter(where, token, "is not a token of this model")
        if tokens in ([], self._nothing):
            shown = request.texts[index] if request.texts else tokens
            raise InvalidParameter(where, shown, "has no tokens of its own")
        if len(tokens) > most:
            raise InputTooLong(len(tokens), most, where)
