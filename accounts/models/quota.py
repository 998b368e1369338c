"""Token quotas in the database: what is counted, and by whom it is held."""

from django.db import models


class QuotaWindow(models.Model):
    """What one subject has used in one period, and what its running requests hold.

    Counts tokens, or in the period `running` requests.
    """

    subject = models.CharField(max_length=100)
    period = models.CharField(max_length=10)
    starts_at = models.DateTimeField(db_index=True)
    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_quota_window", fields=["subject", "period", "starts_at"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.period} {self.starts_at:%Y-%m-%d %H:%M}"


class Lease(models.Model):
    """A server process; what its requests hold is free once it has not renewed in time."""

    holder = models.UUIDField(primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.holder)
