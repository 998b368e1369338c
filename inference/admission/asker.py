"""Who asks for an answer."""

from dataclasses import dataclass
from typing import Any

from accounts.callers import Caller


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an answer, and how; of the request only what the ledger keeps."""

    caller: Caller
    endpoint: str
    request_id: str = ""
    address: str = ""
    client: str = ""

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
