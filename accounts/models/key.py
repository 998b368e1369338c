"""API keys of people."""

import uuid
from copy import copy
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import keys

from .atomic import AtomicSave

USED_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is: not one write a request


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def owned_by(self, user: object) -> Self:
        return self.filter(user=user)

    def active(self, now: datetime | None = None) -> Self:
        now = now or timezone.now()
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=now))

    @transaction.atomic
    def issue(
        self,
        user: object,
        name: str,
        expires_at: datetime | None = None,
        *,
        lineage: uuid.UUID | None = None,
    ) -> tuple["ApiKey", str]:
        """Make a key; its text is returned this once and stored nowhere.

        With the `lineage` of another it counts with that one.
        """
        new = keys.make_key()
        key = self.create(
            user=user,
            name=name,
            prefix=new.prefix,
            digest=new.digest,
            expires_at=expires_at,
            lineage=lineage or uuid.uuid4(),
        )
        return key, new.text

    def known_as(self, text: str) -> Self:
        """The key that people mean by `sk-abcd1234-…`, by `abcd1234`, or by the key itself."""
        return self.filter(prefix=keys.shown_prefix_of(text) or "")

    def of_text(self, text: str) -> "ApiKey | None":
        """The row of that key, active or not; None if there is none.

        What is not ours takes as long as what is nearly ours.
        """
        prefix = keys.prefix_of(text) or ""
        key = next(iter(self.filter(prefix=prefix).order_by()), None)  # the prefix is unique
        return key if keys.is_same(keys.digest_of(text), key.digest if key else None) else None


class ApiKey(AtomicSave):
    """A key of one person. Revoking keeps the row: what it did stays explained."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, help_text="What it is for, such as 'laptop'.")
    prefix = models.CharField(max_length=keys.PREFIX_LENGTH, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Refused from then on; empty: never."
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    replaced_by = models.OneToOneField(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="replaces",
        help_text="The key it was rotated to.",
    )

    lineage = models.UUIDField(
        default=uuid.uuid4,
        db_index=True,
        editable=False,
        help_text="The same for a key and all it was rotated to: they count as one.",
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.shown})"

    @property
    def shown(self) -> str:
        """What people know it by."""
        return f"sk-{self.prefix}-…"

    @property
    def subject(self) -> str:
        """What counters are kept under, those of its policy and those of its requests."""
        return f"key:{self.lineage.hex}"

    @property
    def state(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at:
            return "revoked"
        is_expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return "expired" if is_expired else "active"

    def revoke(self) -> bool:
        """Refuse it from now on; False if it was revoked already."""
        with transaction.atomic():
            row = ApiKey.objects.select_for_update().get(pk=self.pk)
            changed = row.revoked_at is None
            if changed:
                row.revoked_at = timezone.now()
                row.save(update_fields=["revoked_at"])  # and not update(): the audit log sees it
        self.revoked_at = row.revoked_at
        return changed

    @transaction.atomic
    def rotate(self, overlap: timedelta) -> tuple["ApiKey", str]:
        """Another key with this one's name, policy, lifetime and counters.

        This one ends after `overlap`.

        Raises:
            ValueError: the key is not active, or has been rotated before.
        """
        # What another process has done to it meanwhile counts: it may have rotated it too.
        self.refresh_from_db(from_queryset=ApiKey.objects.select_for_update())
        if self.state != "active" or self.replaced_by_id:
            raise ValueError(f"{self} is {self.state} or has been rotated.")
        now = timezone.now()
        new_end = now + (self.expires_at - self.created_at) if self.expires_at else None
        new, text = ApiKey.objects.issue(self.user, self.name, new_end, lineage=self.lineage)
        end = min(self.expires_at or now + overlap, now + overlap)
        self.expires_at, self.replaced_by = end, new
        self.save(update_fields=["expires_at", "replaced_by"])
        self._copy_policy(new)
        return new, text

    def _copy_policy(self, to: "ApiKey") -> None:
        policy = copy(getattr(self, "policy", None))
        if policy is not None:
            policy.pk, policy.key = None, to
            policy.save(force_insert=True)

    def note_use(self, now: datetime) -> None:
        """Remember when it was used, to the minute."""
        if self.last_used_at is None or now - self.last_used_at > USED_EVERY:
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)
