"""Somebody with a key, who asks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import accounting
from accounts.callers import policy_of
from accounts.models import ApiKey, Policy, User
from accounts.quota.base import Count

from .client import Api


@dataclass
class Person:
    """`text` is the key as programs send it."""

    user: User
    key: ApiKey
    text: str
    api: Api

    @classmethod
    def make(cls, name: str, **fields: Any) -> "Person":
        user = User.objects.create_user(name, **fields)
        key, text = ApiKey.objects.issue(user, f"{name}'s laptop")
        return cls(user, key, text, Api(text))

    async def another_key(self) -> "Person":
        key, text = await sync_to_async(ApiKey.objects.issue)(self.user, "phone")
        return Person(self.user, key, text, Api(text))

    async def rotated(self) -> "Person":
        """With the key that replaces this one; both work for a day."""
        key, text = await sync_to_async(self.key.rotate)(timedelta(days=1))
        return Person(self.user, key, text, Api(text))

    async def rules(self, level: str = "key", **rules: Any) -> Policy:
        """A policy of theirs at that level: `key`, `user` or `group`; the group is `team`."""
        subject = await self.joined_team() if level == "group" else getattr(self, level)
        return await Policy.objects.acreate(**{level: subject}, **rules)

    async def joined_team(self) -> Group:
        team, _ = await Group.objects.aget_or_create(name="team")
        await self.user.groups.aadd(team)
        return team

    async def counts(self) -> list[Count]:
        """Where all their quotas stand, wherever those are counted."""
        return await sync_to_async(self._counts)()

    def _counts(self) -> list[Count]:
        quotas = policy_of(self.user, self.key).quotas
        return accounting.quotas_store().counts(quotas, timezone.now())

    def label(self, level: str) -> str:
        """What an error calls that level."""
        names = {"key": self.key, "user": self.user, "group": "team"}
        return f"{level} {names[level]}"
