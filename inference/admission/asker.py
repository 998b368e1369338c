"""Who asks for an answer."""

from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec

from accounts.callers import Caller
from accounts.models import SchedulerClass
from accounts.quota.windows import Period, Quota
from inference.models import Receipt
from inference.runtime import SamplingParams


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an answer, and how; of the request only what the ledger keeps.

    `is_aside`: the service asks by itself, on their account. It takes none of the places
    that they have for requests at once, and everybody else goes first.
    `is_alone`: its answer is computed alone, and everybody else waits meanwhile.
    """

    caller: Caller
    endpoint: str
    request_id: str = ""
    address: str = ""
    client: str = ""
    is_aside: bool = False
    is_alone: bool = False

    def alone(self) -> Self:
        """For an answer that is deterministic.

        Raises:
            Forbidden: a policy does not allow it.
        """
        self.caller.policy.check_deterministic()
        return replace(self, is_alone=True)

    @property
    def quotas(self) -> list[Quota]:
        quotas = self.caller.policy.quotas
        return [q for q in quotas if q.period is not Period.RUNNING] if self.is_aside else quotas

    @property
    def priority(self) -> int:
        """As the engine counts it: 0 is first."""
        return list(SchedulerClass).index(self._class)

    @property
    def _class(self) -> SchedulerClass:
        if self.is_aside:
            return SchedulerClass.BACKGROUND
        policy = self.caller.policy
        return policy.deterministic_class if self.is_alone else policy.scheduler_class

    @property
    def place(self) -> dict[str, Any]:
        """Of the engine's Request, what says whose turn is when, and whose cache it has."""
        return {
            "request_id": self.request_id,
            "priority": self.priority,
            "owner": self.caller.owner,
            "caps": self.caller.policy.caps,
        }

    def facts(self, model: str) -> dict[str, Any]:
        """Columns of the usage record."""
        user, key = self.caller.user, self.caller.key
        return {
            "owner": self.caller.name,
            "user_id": user.pk if user else None,
            "key_id": key.pk if key else None,
            "key_label": self.caller.key_label,
            "model": model,
            "endpoint": self.endpoint,
            "request_id": self.request_id,
            "address": self.address,
            "client": self.client[:200],
        }

    def receipt(self, params: SamplingParams) -> Receipt:
        """Of an answer that is to come, with what is known of it before."""
        return Receipt(
            owner=self.caller.owner,
            user=self.caller.user,
            request_id=self.request_id,
            params=msgspec.to_builtins(params, str_keys=True),
        )
