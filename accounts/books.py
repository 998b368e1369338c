"""Counters and ledger, changed together when a request begins and when it ends."""

import uuid
from collections.abc import Sequence

from .ledger import Held, Ledger, Spent
from .models import UsageRecord
from .models.usage import LOST
from .quota.base import Count, Demand, Hold, QuotaStore
from .quota.windows import Period, Quota, Window


class Books:
    """Of any store and any ledger."""

    def __init__(self, store: QuotaStore, ledger: Ledger) -> None:
        self.store = store
        self.ledger = ledger

    def open(
        self, record: UsageRecord, quotas: Sequence[Quota], demand: Demand
    ) -> tuple[Hold, list[Count]]:
        """Reserve, and write the row with what it holds.

        Raises:
            LimitReached, Exceeds: as `QuotaStore.reserve` does; nothing is written.
        """
        assert record.holder is not None
        hold = None
        try:
            with self.store.transaction():
                hold, counts = self.store.reserve(
                    record.uid, record.holder, quotas, demand, record.at
                )
                record.reserved, record.claims = hold.tokens, plain(hold.windows)
                self.ledger.write(record)
        except BaseException:
            if hold:
                self.store.release(hold)
            raise
        return hold, counts

    def close(self, uid: uuid.UUID, status: str, spent: Spent) -> bool:
        """Settle, and complete the row; False if that was done before."""
        with self.store.transaction():
            held = self.ledger.complete(uid, status, spent)
            if held:
                self.store.settle(_hold(uid, held), spent.total_tokens)
        return held is not None


def plain(windows: Sequence[Window]) -> list[list[str | int]]:
    return [window.plain() for window in windows]


def _hold(uid: uuid.UUID, held: Held) -> Hold:
    windows = [Window.from_plain(claim) for claim in held.claims]
    if held.status == LOST:  # its hold is gone; only what it used is still to be counted
        windows = [window for window in windows if window.period is not Period.RUNNING]
    return Hold(uid, held.holder, held.reserved, windows)
