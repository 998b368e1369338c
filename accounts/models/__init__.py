"""Who is asking, how much they may, and what they did."""

from .audit import AuditEntry, AuditHead
from .idempotency import IdempotentAnswer
from .key import ApiKey
from .policy import Endpoint, Policy, SchedulerClass
from .quota import Lease, QuotaWindow
from .usage import PromptRecord, UsageDay, UsageRecord
from .user import User

__all__ = [
    "ApiKey",
    "AuditEntry",
    "AuditHead",
    "Endpoint",
    "IdempotentAnswer",
    "Lease",
    "Policy",
    "PromptRecord",
    "QuotaWindow",
    "SchedulerClass",
    "UsageDay",
    "UsageRecord",
    "User",
]
