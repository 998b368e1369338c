"""Quotas counted in Redis, by scripts that run one at a time."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from django.db import transaction

from .base import Count, Demand, Hold, QuotaStore, granted, used_before
from .windows import Period, Quota, Window

KEPT = timedelta(days=1)  # beyond a window's end: requests settle where they were admitted

# KEYS: the holder's hash, then windows. ARGV: uid, least, most, the windows as JSON,
# then for each window: limit and whether it counts requests. Answers with what each
# window had used and reserved before; of one that is full, with its own.
RESERVE = """
local grant, counts = tonumber(ARGV[3]), {}
for i = 2, #KEYS do
  local state = redis.call('HMGET', KEYS[i], 'used', 'reserved')
  if not state[1] then return {'missing', i - 2, {}} end
  local at = 5 + (i - 2) * 2
  local free = tonumber(ARGV[at]) - tonumber(state[1]) - tonumber(state[2])
  local counts_requests = ARGV[at + 1] == '1'
  if free < (counts_requests and 1 or tonumber(ARGV[2])) then
    return {'full', i - 2, {tonumber(state[1]), tonumber(state[2])}}
  end
  if not counts_requests then grant = math.min(grant, free) end
  counts[i - 1] = {tonumber(state[1]), tonumber(state[2])}
end
for i = 2, #KEYS do
  local counts_requests = ARGV[6 + (i - 2) * 2] == '1'
  redis.call('HINCRBY', KEYS[i], 'reserved', counts_requests and 1 or string.format('%d', grant))
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d', grant) .. ' ' .. ARGV[4])
return {'held', grant, counts}
"""

# KEYS: as above, and last what the request was settled with. ARGV: uid, tokens used, how
# long to remember that, then for each window whether it counts requests. What is settled
# again counts the difference only: who sweeps may meet who finishes.
SETTLE = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
local tokens = held and tonumber(string.match(held, '^%d+'))
local more = tonumber(ARGV[2]) - tonumber(redis.call('GET', KEYS[#KEYS]) or 0)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SET', KEYS[#KEYS], ARGV[2], 'EX', ARGV[3])
for i = 2, #KEYS - 1 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    if ARGV[i + 2] == '1' then
      if held then redis.call('HINCRBY', KEYS[i], 'reserved', -1) end
    else
      if held then redis.call('HINCRBY', KEYS[i], 'reserved', string.format('%d', -tokens)) end
      redis.call('HINCRBY', KEYS[i], 'used', string.format('%d', more))
    end
  end
end
"""

# KEYS: a window. ARGV: tokens of the ledger, seconds to keep it (0: for ever).
OPEN = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'used', ARGV[1], 'reserved', 0)
  if ARGV[2] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
end
"""


class RedisQuotas(QuotaStore):
    """Settles once the ledger is committed; a crash between the two leaves a hold to sweep.

    Raises `redis.RedisError` when Redis does not answer: nobody is let through uncounted.
    """

    def __init__(self, url: str, prefix: str = "llmsite:quota:") -> None:
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, decode_responses=True
        )
        self._prefix = prefix
        self._reserve = self._redis.register_script(RESERVE)
        self._settle = self._redis.register_script(SETTLE)
        self._open = self._redis.register_script(OPEN)

    def reserve(
        self,
        uid: uuid.UUID,
        holder: uuid.UUID,
        quotas: Sequence[Quota],
        demand: Demand,
        now: datetime,
    ) -> tuple[Hold, list[Count]]:
        windows = [quota.window(now) for quota in quotas]
        if not windows:
            return Hold(uid, holder, demand.most, []), []
        keys = [self._held_key(holder), *map(self._key, windows)]
        limits = [str(x) for q in quotas for x in (q.limit, _counts_requests(q.period))]
        plain = json.dumps([window.plain() for window in windows])
        args: list[Any] = [str(uid), demand.least, demand.most, plain, *limits]
        while True:
            answer, value, numbers = self._reserve(keys, args)
            match answer:
                case "missing":
                    self._open_window(windows[value])
                case "full":
                    granted([Count(quotas[value], *numbers)], demand, now)  # raises
                case _:
                    before = map(Count, quotas, *zip(*numbers, strict=True))
                    counts = [count.with_held(value) for count in before]
                    return Hold(uid, holder, value, windows), counts

    def settle(self, hold: Hold, used: int) -> None:
        if hold.windows:
            transaction.on_commit(lambda: self._settle_now(hold, used))

    def counts(self, quotas: Sequence[Quota], now: datetime) -> list[Count]:
        pipe = self._redis.pipeline(transaction=False)
        windows = [quota.window(now) for quota in quotas]
        for window in windows:
            pipe.hmget(self._key(window), "used", "reserved")
        return [
            Count(quota, used_before(window) if used is None else int(used), int(reserved or 0))
            for quota, window, (used, reserved) in zip(quotas, windows, pipe.execute(), strict=True)
        ]

    def release(self, hold: Hold) -> None:
        if hold.windows:
            self._settle_now(hold, 0)

    def held(self, holder: uuid.UUID) -> list[Hold]:
        texts = self._redis.hgetall(self._held_key(holder))
        return [_hold(uuid.UUID(uid), holder, text) for uid, text in texts.items()]

    def _settle_now(self, hold: Hold, used: int) -> None:
        settled = f"{self._prefix}settled:{hold.uid}"
        keys = [self._held_key(hold.holder), *map(self._key, hold.windows), settled]
        kinds = [_counts_requests(window.period) for window in hold.windows]
        seconds = int(KEPT.total_seconds())
        self._settle(keys, [str(hold.uid), used, seconds, *kinds])

    def _open_window(self, window: Window) -> None:
        end = window.period.end(window.starts_at)
        seconds = int((end - window.starts_at + KEPT).total_seconds()) if end else 0
        self._open([self._key(window)], [used_before(window), seconds])

    def _key(self, window: Window) -> str:
        start = int(window.starts_at.timestamp())
        return f"{self._prefix}{window.subject}:{window.period}:{start}"

    def _held_key(self, holder: uuid.UUID) -> str:
        return f"{self._prefix}held:{holder}"


def _counts_requests(period: Period) -> str:
    return "1" if period is Period.RUNNING else "0"


def _hold(uid: uuid.UUID, holder: uuid.UUID, text: str) -> Hold:
    tokens, _, windows = text.partition(" ")
    return Hold(uid, holder, int(tokens), [Window.from_plain(w) for w in json.loads(windows)])
