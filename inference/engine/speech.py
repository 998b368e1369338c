"""What a token adds to the text that its client sees."""

from typing import NamedTuple

from .backend import Backend
from .logprobs import Ranks, TokenLogprob
from .request import Sequence
from .scores import PromptLogprob, offsets, prompt_logprobs
from .stats import SoFar
from .wire import Delta


class Note(NamedTuple):
    """A token that was taken, with what has to be known to tell of it later.

    Attributes:
        is_end: it ends the answer, and is no part of it.
        is_over: nothing follows, whatever the text says.
        may_stop: a stop string that it completes ends the answer.
        is_fed: nobody chose it. `is_silent`: nor is it a part of the text.
        ranks: if it was chosen, and logprobs are wanted.
    """

    sequence: Sequence
    token: int
    is_end: bool = False
    is_over: bool = False
    may_stop: bool = True
    is_fed: bool = False
    is_silent: bool = False
    ranks: Ranks | None = None
    so_far: SoFar | None = None


class Speech:
    """Reads tokens by a backend's vocabulary. Those of one sequence come in their order."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def opening(self, sequence: Sequence, *, is_over: bool) -> Delta:
        """What stands before an answer, once its prompt has been computed."""
        text = sequence.text.feed(b"")
        if sequence.logprobs is not None:
            sequence.logprobs.take(text, sequence.text, is_over=is_over)
        scores = self._scores(sequence) if sequence.request.scores else None
        return Delta(sequence.id, text, 0, scores=scores)

    def _scores(self, sequence: Sequence) -> list[PromptLogprob]:
        read, tokens, ranks = self._backend, sequence.prompt_tokens, sequence.scores
        names = [read.name(token) for token in tokens]
        places = offsets(names, [read.piece(token) for token in tokens], sequence.echo)
        tops = [[(read.name(token), logprob) for token, logprob in one.top] for one in ranks]
        return prompt_logprobs(names, [*places], ranks, tops)

    def delta(self, note: Note) -> Delta:
        sequence, text = note.sequence, note.sequence.text
        piece = b"" if note.is_end or note.is_silent else self._piece(sequence, note.token)
        sent = text.feed(piece, may_stop=note.may_stop)
        is_over = note.is_over or text.stopped
        if is_over:
            sent += text.finish()
        logprobs = self._logprobs(note, piece, sent, is_over)
        return Delta(sequence.id, sent, 1, logprobs, note.so_far)

    def _piece(self, sequence: Sequence, token: int) -> bytes:
        read = self._backend.name if token in sequence.shown else self._backend.piece
        return read(token)

    def _logprobs(
        self, note: Note, piece: bytes, sent: str, is_over: bool
    ) -> list[TokenLogprob] | None:
        """Those that go out with the text; the end itself has none."""
        stream, ranks, text = note.sequence.logprobs, note.ranks, note.sequence.text
        if stream is None:
            return None
        if note.is_fed:
            stream.skip(text)
        elif ranks is None:
            return None
        elif not note.is_end:
            top = [(self._backend.name(token), logprob) for token, logprob in ranks.top]
            stream.add(piece, ranks, top, text)
        return stream.take(sent, text, is_over=is_over)
