"""Policies that are in no database."""

import uuid

from django.contrib.auth.models import Group

from accounts.errors import Refusal
from accounts.models import ApiKey, Policy, User
from accounts.policy import QUOTAS, EffectivePolicy

LINEAGE = uuid.UUID(int=12)
ALICE = User(pk=7, username="alice")
SUBJECTS = {
    "group": Group(pk=3, name="team"),
    "user": ALICE,
    "key": ApiKey(pk=12, name="laptop", prefix="abcd1234", user=ALICE, lineage=LINEAGE),
}
LABELS = {"group": "group team", "user": "user alice", "key": "key laptop (sk-abcd1234-…)"}
COUNTED_AS = {"group": "group:3", "user": "user:7", "key": f"key:{LINEAGE.hex}"}
KINDS = [*SUBJECTS]

SIZES = [
    *("max_prompt_tokens", "max_prompt_characters", "max_output_tokens"),
    *("max_messages", "max_body_kb"),
]
NUMBERS = [*SIZES, *QUOTAS, "requests_per_minute"]


def level(kind="key", **rules):
    return Policy(**{kind: SUBJECTS[kind]}, **rules)


def of(*levels):
    return EffectivePolicy(levels)


def passes(check, *arguments):
    try:
        check(*arguments)
    except Refusal:
        return False
    return True
