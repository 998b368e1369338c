"""Who asks for an answer."""

from dataclasses import dataclass
from typing import Any

from accounts.callers import Caller
from accounts.models import SchedulerClass
from accounts.quota.windows import Period, Quota


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an answer, and how; of the request only what the ledger keeps.

    `is_aside`: the service asks by itself, on their account. It takes none of the places
    that they have for requests at once, and everybody else goes first.
    """

    caller: Caller
    endpoint: str
    request_id: str = ""
    address: str = ""
    client: str = ""
    is_aside: bool = False

    @property
    def quotas(self) -> list[Quota]:
        quotas = self.caller.policy.quotas
        return [q for q in quotas if q.period is not Period.RUNNING] if self.is_aside else quotas

    @property
    def priority(self) -> int:
        """As the engine counts it: 0 is first."""
        classes = list(SchedulerClass)
        own = SchedulerClass.BACKGROUND if self.is_aside else self.caller.policy.scheduler_class
        return classes.index(own)

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
