"""An answer under way, for whoever asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from django.utils import timezone

from inference import receipts
from inference.models import LanguageModel, Receipt
from inference.runtime import Finish, Generation, Piece, Progress
from inference.validation import AnswerFilter

from .account import Account
from .background import in_background
from .tokens import TokensLeft, tightest


class Reply:
    """A generation on somebody's account. Iterate for its pieces, then read `finish`.

    Its text is what the site's validators let out. With `logged`, the prompt's fields,
    that and the answer are kept as a prompt record. A `receipt` is there once it has ended.
    """

    def __init__(
        self,
        generation: Generation,
        account: Account,
        answer_filter: AnswerFilter | None,
        logged: dict[str, Any] | None,
        receipt: Receipt | None = None,
    ) -> None:
        self._receipt = receipt
        self._generation = generation
        self._account = account
        self._filter = answer_filter
        self._logged = logged
        self.model: LanguageModel = generation.model
        self.fingerprint = generation.fingerprint
        stream = generation.stream
        self.prompt_tokens = stream.prompt_tokens
        self.context_length = stream.context_length  # tokens that prompt and answer may have
        self.dropped = stream.dropped  # indices of messages that the model does not see
        self.opens_thinking = stream.opens_thinking  # the prompt has the tag already

    @property
    def progress(self) -> Progress | None:
        """How far it is, if it was asked for with that; None while it writes."""
        return self._generation.progress

    @property
    def finish(self) -> Finish:
        return self._generation.finish

    @property
    def receipt(self) -> UUID | None:
        """The id of the answer's receipt, which is there once the answer has ended."""
        return self._receipt.uid if self._receipt else None

    def cancel(self) -> None:
        self._generation.cancel()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """
        Raises:
            EngineError: it failed, or a validator withholds the rest.
        """
        texts: list[str] = []
        try:
            async for piece in self._checked():
                if self._logged is not None:
                    texts.append(piece.text)
                yield piece
            if self._receipt:
                keeping = in_background(receipts.keep(self._receipt, self._generation))
                await asyncio.shield(keeping)
            await self._account.settled()
        finally:
            self.cancel()
            if self._logged is not None:
                self._account.log(self._logged, "".join(texts))

    async def _checked(self) -> AsyncIterator[Piece]:
        async for piece in self._generation:
            if self._filter is None:
                yield piece
            else:
                yield piece._replace(text=self._filter.feed(piece.text))
        if self._filter and (rest := self._filter.finish()):
            yield Piece(rest, 0)

    def tokens_left(self) -> TokensLeft | None:
        """Of the tightest quota. Until the answer has ended, what it can become is not left."""
        account = self._account
        return tightest(account.counts, timezone.now(), account.tokens_given_back)
