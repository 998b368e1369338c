"""One request's place in the quotas and in the ledger."""

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from channels.db import database_sync_to_async
from django.utils import timezone

from accounts import accounting
from accounts.accounting import Spent
from accounts.errors import Refusal
from accounts.models import PromptRecord
from accounts.quota.base import Count, Demand, Hold
from inference.runtime import Finish, Outcome

from .asker import Asker
from .background import in_background

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0  # of an answer's end with the ledger
LONGEST_WAIT_SECONDS = 60.0  # between two tries to write into it


class Account:
    """Opened by `admit` and closed by `end`, in whichever order they come: an engine may
    die while the quotas are asked.
    """

    def __init__(self, asker: Asker, model: str, param: str, *, is_limited: bool) -> None:
        self._asker = asker
        self._model = model
        self._param = param  # the request's field that the prompt came in
        self._is_limited = is_limited  # the client has said how long the answer may be
        self._beginning: asyncio.Task[tuple[Hold, list[Count]]] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._prompt_tokens = 0
        self._early_end: Outcome | None = None
        self.num_tokens: Callable[[], int] = lambda: 0  # the stream's, once there is one
        self.tokens_given_back = 0  # reserved, and not used; known once it is settled
        self.counts: list[Count] = []

    async def admit(self, prompt_tokens: int, max_tokens: int) -> int:
        """The engine's `Admit`.

        Raises:
            Refusal: a rule or a quota does not allow it.
        """
        policy = self._asker.caller.policy
        what = f"{self._param}: its number of tokens"
        policy.check_size("max_prompt_tokens", prompt_tokens, what, self._param)
        self._prompt_tokens = prompt_tokens
        least = prompt_tokens + (max_tokens if self._is_limited else 1)
        self._beginning = in_background(self._begin(Demand(least, prompt_tokens + max_tokens)))
        try:
            hold, self.counts = await asyncio.shield(self._beginning)
        except asyncio.CancelledError:  # the reservation is made all the same
            self.give_back()
            raise
        if self._early_end:
            self.end(self._early_end)
        return hold.tokens - prompt_tokens

    def end(self, outcome: Outcome) -> None:
        """Settle, in the background."""
        if self._beginning is None:
            self._early_end = outcome
            return
        if isinstance(outcome, Finish):
            self._settle(str(outcome.reason), spent(outcome))
        else:
            tokens = self.num_tokens()
            prompt = self._prompt_tokens if tokens else 0
            self._settle(outcome.code, Spent(prompt_tokens=prompt, completion_tokens=tokens))

    def give_back(self) -> None:
        """It is not computed after all."""
        self._settle("cancelled", Spent())

    async def settled(self) -> None:
        """Wait until the ledger knows how the request ended; not for ever."""
        if self._ending:
            await asyncio.wait([self._ending], timeout=PATIENCE_SECONDS)

    def log(self, prompt: dict[str, Any], answer: str) -> None:
        """Keep what was asked and answered, in the background."""
        in_background(self._log(prompt, answer))

    async def _begin(self, demand: Demand) -> tuple[Hold, list[Count]]:
        begin = database_sync_to_async(accounting.begin)
        facts, quotas = self._asker.facts(self._model), self._asker.quotas
        return await begin(facts, quotas, demand)

    def _settle(self, status: str, spent: Spent) -> None:
        if self._ending is None:
            self._ending = in_background(self._finish(status, spent))

    async def _finish(self, status: str, spent: Spent) -> None:
        assert self._beginning is not None
        try:
            hold, _ = await self._beginning
        except Refusal:  # nothing was reserved, and who asked was told why
            return
        except Exception:  # they may have left before they were
            logger.exception("a request could not be admitted")
            return
        for attempt in count():
            try:
                await database_sync_to_async(accounting.finish)(hold.uid, status, spent)
                break
            except Exception:  # should this process end before it works, its lease frees it
                logger.exception("a request is not in the ledger", extra={"uid": str(hold.uid)})
                await asyncio.sleep(min(2.0 ** min(attempt, 10), LONGEST_WAIT_SECONDS))
        self.tokens_given_back = hold.tokens - spent.total_tokens

    async def _log(self, prompt: dict[str, Any], answer: str) -> None:
        assert self._beginning is not None
        hold, _ = await self._beginning
        facts = self._asker.facts(self._model)
        columns = {name: facts[name] for name in ("owner", "user_id", "model", "request_id")}
        try:
            await PromptRecord.objects.acreate(
                uid=hold.uid, at=timezone.now(), prompt=prompt, answer=answer, **columns
            )
        except Exception:
            logger.exception("a prompt is not in its log", extra={"uid": str(hold.uid)})


def spent(finish: Finish) -> Spent:
    usage, timings = finish.usage, finish.timings
    return Spent(
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        timings.queued,
        timings.prefill,
        timings.decode,
    )
