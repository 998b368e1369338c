"""From what is asked to tokens, and back: rendering, trimming, counting."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .album import Album, Laid, check_placed, check_shown
from .backend import Reader
from .errors import InvalidParameter, PromptTooLong, Unsupported
from .image import Image
from .pieces import Pieces
from .preamble import Preamble, with_system
from .request import Request
from .span import Span
from .thoughts import CLOSINGS, OPENING, Place, place_after
from .turns import reserve, to_drop
from .wire import Count, Counted, Detokenize, Question, Render, Tokenize, Tokenized, Told, Written


@dataclass(frozen=True, slots=True)
class Prompt:
    """Tokens, and the indices of the messages that had no room among them.

    `opens_thinking`: it ends where the model is to think, within the tag.
    `place` is where the answer stands in the beginning.
    `echo` is the text again, for whoever wants to have it before the answer.
    `num_public` of the tokens are the same for all, at the beginning; `spans` are the images
    among them.
    """

    tokens: list[int]
    dropped: list[int]
    opens_thinking: bool = False
    place: Place = Place.BEHIND
    echo: str = ""
    num_public: int = 0
    spans: tuple[Span, ...] = ()


class PromptMaker:
    """Asks one backend; to be used by one thread at a time."""

    def __init__(self, backend: Reader) -> None:
        self._backend = backend
        self._album = Album(backend)
        self._pieces = Pieces(backend)
        self._context_length = backend.info.context_length
        self._preamble = Preamble(backend)
        self._latest: tuple[int | None, Prompt] = None, Prompt([], [])  # and whose it is

    def make(self, request: Request) -> Prompt:
        """
        Raises:
            EngineError: it leaves no room for an answer, or cannot be a prompt.
        """
        group, made = self._latest
        if group is not None and group == request.group:
            return made
        prompt = self._prompt(request)
        if not prompt.spans and all(map(self._backend.is_special, prompt.tokens)):
            shown = request.text if request.tokens is None else prompt.tokens
            raise InvalidParameter(request.prompt_param, shown, "has no tokens but special ones")
        if len(prompt.tokens) >= self._context_length:
            raise self._too_long(len(prompt.tokens), request)
        num_public = self._preamble.num_public(prompt.tokens, request.system)
        prompt = replace(prompt, num_public=num_public)
        self._latest = request.group, prompt
        return prompt

    def tidy(self) -> None:
        """Forget what nobody has said lately."""
        self._pieces.tidy()

    def tell(self, asked: Question) -> Told:
        """
        Raises:
            EngineError: the messages cannot be rendered, the text is far too long for the
                context, or a token is none of this model's.
        """
        match asked:
            case Count():
                return Counted(asked.id, self._count(asked))
            case Tokenize():
                tokens = self._tokens_of(asked)
                return Tokenized(asked.id, tokens, [_text(self._backend.name(t)) for t in tokens])
            case Detokenize(id, tokens):
                self._check(tokens, "tokens")
                return Written(id, _text(b"".join(map(self._backend.name, tokens))))
            case Render(id, messages, options, system):
                return Written(id, self._backend.render(with_system(messages, system), options))

    def _tokens_of(self, asked: Tokenize) -> list[int]:
        at_least = self._least(asked.text)
        if at_least > self._context_length:
            raise PromptTooLong(at_least, self._context_length)
        return self._backend.tokenize(asked.text, asked.add_special)

    def _count(self, asked: Count) -> list[int]:
        """One number for the messages, or one for each text.

        Of a text that is far too long for the context, the least that it can have.
        """
        if asked.messages is not None:
            check_placed(asked.images, asked.messages)
            messages = with_system(asked.messages, asked.system)
            text = self._backend.render(messages, asked.template_options)
            check_shown(asked.images, messages, text)
            return [_number(self._laid(text, asked.images))]
        opening = len(self._backend.tokenize(""))  # of a prompt, and not of each text in it
        return [_number(self._laid(text), opening) for text in asked.texts]

    def _prompt(self, request: Request) -> Prompt:
        if request.messages is not None:
            return self._trimmed(request, request.messages)
        text = request.text or ""
        if request.suffix:
            return Prompt(self._infill(text, request), [], echo=text if request.echo else "")
        if request.tokens is None:
            tokens = self._complete(self._laid(text, owner=_owner(request)), request).tokens
            return Prompt(tokens, [], echo=text if request.echo else "")
        self._check(request.tokens, "prompt")
        pieces = map(self._backend.piece, request.tokens) if request.echo else ()
        return Prompt(request.tokens, [], echo=_text(b"".join(pieces)))

    def _infill(self, text: str, request: Request) -> list[int]:
        """In the order that llama-server and the models that know these tokens have."""
        marks = self._backend.infill
        if marks is None:
            raise Unsupported("suffix", "needs a model that has tokens for it; this one has none")
        if request.tokens is not None:
            raise InvalidParameter("suffix", request.suffix, "needs a prompt of text")
        head = self._complete(self._laid(text), request).tokens
        tail = self._complete(self._laid(request.suffix), request).tokens
        opening = len(self._backend.tokenize(""))
        before, after, between = marks
        start, rest = head[:opening], head[opening:]
        return [*start, before, *rest, after, *tail[opening:], between]

    def _trimmed(self, request: Request, messages: list[dict[str, Any]]) -> Prompt:
        """The prompt without the messages that the request's policy gives up."""
        check_placed(request.images, messages)
        made: dict[int, Laid | int] = {}  # by the number of messages that are left out
        begun: list[tuple[bool, Place]] = []

        def num_tokens(dropped: list[int]) -> int:
            gone = {*dropped}
            kept = [message for i, message in enumerate(messages) if i not in gone]
            kept = with_system(kept, request.system)
            text = self._backend.render(kept, request.template_options)
            check_shown(request.images, kept, text)
            text, opens, place = self._begun(text, request)
            begun.append((opens, place))
            laid = made[len(dropped)] = self._laid(text, request.images, _owner(request))
            return _number(laid)

        limit = self._context_length - reserve(request.params.max_tokens, self._context_length)
        dropped = to_drop(messages, request.context_policy, limit, num_tokens)
        if len(dropped) not in made:
            num_tokens(dropped)
        laid = self._complete(made[len(dropped)], request)
        return Prompt(laid.tokens, dropped, *begun[-1], spans=laid.spans)

    def _begun(self, text: str, request: Request) -> tuple[str, bool, Place]:
        """The prompt with what the answer begins with, whether it has opened a thought, and
        where the answer stands.
        """
        place, budget = place_after(text, request.prefix), request.params.thinking_budget_tokens
        opens = text.rstrip().endswith(OPENING)
        text += request.prefix.removeprefix(OPENING) if opens else request.prefix
        if opens and budget == 0 and not request.prefix:
            text = f"{text.rstrip()}\n\n{CLOSINGS[OPENING]}\n\n"
            opens, place = False, Place.BEHIND
        may_think = self._backend.opening is not None and budget != 0
        if place is Place.BEGINNING and request.params.grammar and not may_think:
            place = Place.BEHIND
        return text + (request.lead if place is Place.BEHIND else ""), opens, place

    def _laid(
        self, text: str, images: Sequence[Image] = (), owner: str | None = None
    ) -> Laid | int:
        """The tokens; of what is far too long, only how many they are at least.

        Others wait while a prompt is tokenized.
        """
        at_least = self._least(text)
        if at_least > self._context_length:
            return at_least
        tokenize = partial(self._pieces.tokenize, owner=owner)
        return self._album.lay(text, images, tokenize, owner)

    def _least(self, text: str) -> int:
        """Tokens that a text of that length has at least."""
        return len(text) // self._backend.max_token_length

    def _check(self, tokens: list[int], param: str) -> None:
        for token in tokens:
            if not self._backend.has_token(token):
                raise InvalidParameter(param, token, "is not a token of this model")

    def _complete(self, laid: Laid | int, request: Request) -> Laid:
        if isinstance(laid, int):
            raise self._too_long(laid, request)
        return laid

    def _too_long(self, number: int, request: Request) -> PromptTooLong:
        return PromptTooLong(number, self._context_length, request.prompt_param)


def _owner(request: Request) -> str | None:
    """For whom its text may be kept."""
    return request.owner if request.use_cache and not request.is_alone else None


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _number(laid: Laid | int, opening: int = 0) -> int:
    return laid if isinstance(laid, int) else len(laid.tokens) - opening
