"""What a group, a person or a key may do."""

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from .atomic import AtomicSave
from .key import ApiKey

if TYPE_CHECKING:
    from .user import User


class SchedulerClass(models.TextChoices):
    """Who is served first when not all can be, best first."""

    INTERACTIVE = "interactive", "Interactive"
    DEFAULT = "default", "Default"
    BACKGROUND = "background", "Background"


class Endpoint(models.TextChoices):
    """What a policy may allow, by the names that paths carry."""

    CHAT = "chat", "Chat completions"
    COMPLETIONS = "completions", "Completions"
    EMBEDDINGS = "embeddings", "Embeddings"
    TOKENIZE = "tokenize", "Tokens of texts, and rendered prompts"
    MODELS = "models", "List of models"
    USAGE = "usage", "Own usage"
    ADMIN = "admin", "Registry of models, for administrators"


def validate_networks(value: Any) -> None:
    for network in _texts(value):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValidationError(f"{network!r} is not a range of addresses: {error}") from None


def validate_endpoints(value: Any) -> None:
    for name in _texts(value):
        if name not in Endpoint.values:
            raise ValidationError(f"{name!r} is none of {', '.join(Endpoint.values)}.")


def validate_texts(value: Any) -> None:
    _texts(value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValidationError(f"{value!r} is not a list of texts.")
    return value


def _limit(help_text: str) -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(null=True, blank=True, help_text=help_text)


def _tokens(help_text: str) -> "models.PositiveBigIntegerField[int | None, int | None]":
    return models.PositiveBigIntegerField(null=True, blank=True, help_text=help_text)


class PolicyManager(models.Manager["Policy"]):
    def held_by(self, user: "User", key: ApiKey | None = None) -> "list[Policy]":
        """Those of the person, their groups and the key."""
        # Every request asks: without what it takes the ORM to write its SQL.
        policies, groups = self.model._meta.db_table, Group._meta.db_table
        members = user.groups.through._meta.db_table
        sql = f"""
            SELECT {policies}.*, {groups}.name AS group_name
            FROM {policies} LEFT JOIN {groups} ON {groups}.id = group_id
            WHERE user_id = %s OR key_id = %s
            OR group_id IN (SELECT group_id FROM {members} WHERE user_id = %s)
        """  # noqa: S608
        levels = [*self.raw(sql, [user.pk, key and key.pk, user.pk])]
        for level in levels:
            if level.key_id:
                level.key = key
            elif level.user_id:
                level.user = user
            else:
                level.group = Group(level.group_id, level.group_name)  # type: ignore[attr-defined]
        return levels


class Policy(AtomicSave):
    """Rules of one group, one person or one key; empty: no rule at this level.

    A request has to pass the rules of its key, of its person and of all their
    groups: the strictest wins. What is counted is counted at each level: a limit of
    a group is shared by its members, one of a person by their keys.
    """

    objects: ClassVar[PolicyManager] = PolicyManager()

    group = models.OneToOneField(
        Group, models.CASCADE, null=True, blank=True, related_name="policy"
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="policy"
    )
    key = models.OneToOneField(ApiKey, models.CASCADE, null=True, blank=True, related_name="policy")

    allowed_models = models.JSONField(
        null=True,
        blank=True,
        validators=[validate_texts],
        help_text="Ids of models, '*' for any characters; empty: all.",
    )
    allowed_endpoints = models.JSONField(
        null=True, blank=True, validators=[validate_endpoints], help_text="Empty: all."
    )
    allowed_addresses = models.JSONField(
        null=True,
        blank=True,
        validators=[validate_networks],
        help_text="Addresses and CIDR ranges; empty: all.",
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Nothing from then on.")

    requests_per_minute = _limit("Requests in a minute.")
    tokens_per_minute = _tokens("Tokens of prompts and answers in a minute.")
    tokens_per_day = _tokens("Tokens in a day (UTC).")
    tokens_per_month = _tokens("Tokens in a month (UTC).")
    max_running = _limit("Requests at once, waiting ones too.")

    max_prompt_tokens = _limit("Tokens of a prompt.")
    max_prompt_characters = _limit("Characters of a prompt.")
    max_output_tokens = _limit("Tokens of an answer.")
    max_messages = _limit("Messages of a chat request.")
    max_body_kb = _limit("Size of a request in KiB.")

    max_computed = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Requests that a model computes at once; the others wait for their turn.",
    )
    scheduler_class = models.CharField(
        max_length=20,
        choices=SchedulerClass,
        blank=True,
        help_text="Who is served first under load; the lowest of all levels counts.",
    )
    deterministic = models.BooleanField(
        null=True,
        blank=True,
        help_text="Answers for which all others of the model have to wait. Yes: in the class of "
        "the request. Empty: in the background. No: none; a no at any level counts.",
    )
    log_prompts = models.BooleanField(
        null=True,
        blank=True,
        help_text="Keep prompts and answers: only if a level says yes, and none says no.",
    )

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                name="policy_has_one_subject",
                condition=Q(group__isnull=False, user=None, key=None)
                | Q(group=None, user__isnull=False, key=None)
                | Q(group=None, user=None, key__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"policy of {self.label}"

    @property
    def subject(self) -> str:
        """What counters are kept under: `group:3`, `user:7` or a key's."""
        if self.key:
            return self.key.subject
        return f"user:{self.user_id}" if self.user_id else f"group:{self.group_id}"

    @property
    def label(self) -> str:
        """The level as an error names it."""
        if self.key:
            return f"key {self.key}"
        return f"user {self.user}" if self.user else f"group {self.group}"
