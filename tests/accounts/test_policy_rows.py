"""Rows of policies: what may stand in one, and whose it is."""

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import ApiKey, Policy
from tests.accounts.policies import NUMBERS
from tests.accounts.site import configured


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("allowed_addresses", ["10.0.0.0/8", "nonsense"], "'nonsense' is not a range of addresses"),
        ("allowed_addresses", ["10.0.0.1/8"], "'10.0.0.1/8' is not a range of addresses"),
        ("allowed_addresses", ["10.0.0.0/33"], "'10.0.0.0/33' is not a range of addresses"),
        ("allowed_addresses", [" 10.0.0.0/8"], "' 10.0.0.0/8' is not a range of addresses"),
        ("allowed_addresses", "10.0.0.0/8", "'10.0.0.0/8' is not a list of texts"),
        ("allowed_addresses", [10], "[10] is not a list of texts"),
        ("allowed_addresses", [""], "[''] is not a list of texts"),
        ("allowed_addresses", {"a": 1}, "{'a': 1} is not a list of texts"),
        ("allowed_endpoints", ["chat", "images"], "'images' is none of chat, completions,"),
        ("allowed_endpoints", ["Chat"], "'Chat' is none of chat,"),
        ("allowed_endpoints", [None], "[None] is not a list of texts"),
        ("allowed_endpoints", "chat", "'chat' is not a list of texts"),
        ("allowed_models", "qwen", "'qwen' is not a list of texts"),
        ("allowed_models", [7], "[7] is not a list of texts"),
        ("allowed_models", 7, "7 is not a list of texts"),
        ("allowed_models", True, "True is not a list of texts"),
        ("scheduler_class", "fast", "'fast' is not a valid choice"),
        ("log_prompts", "perhaps", "“perhaps” value must be"),
        ("tokens_per_day", "many", "“many” value must be an integer"),
        ("expires_at", "never", "“never” value has an invalid format"),
    ],
)
def test_a_bad_rule_is_refused_with_its_value(alice, field, value, problem):
    with pytest.raises(ValidationError) as caught:
        Policy(user=alice, **{field: value}).full_clean()
    assert [*caught.value.message_dict] == [field]
    [message] = caught.value.message_dict[field]
    assert problem in message


@pytest.mark.parametrize("rule", NUMBERS)
def test_a_negative_number_is_refused(alice, rule):
    with pytest.raises(ValidationError) as caught:
        Policy(user=alice, **{rule: -1}).full_clean()
    assert [*caught.value.message_dict] == [rule]


def test_good_rules_are_kept_as_they_are(alice):
    rules = {
        "allowed_models": ["qwen*", "llama"],
        "allowed_endpoints": ["chat", "embeddings"],
        "allowed_addresses": ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"],
        "scheduler_class": "background",
        "tokens_per_month": 10**12,
        "max_running": 0,
    }
    Policy(user=alice, **rules).full_clean()
    Policy.objects.create(user=alice, **rules)
    assert Policy.objects.values(*rules).get() == rules


@pytest.mark.parametrize(
    "kinds", [(), ("group", "user"), ("group", "key"), ("user", "key"), ("group", "user", "key")]
)
def test_a_policy_has_exactly_one_subject(alice, kinds):
    everything = {
        "group": Group.objects.create(name="team"),
        "user": alice,
        "key": ApiKey.objects.issue(alice, "laptop")[0],
    }
    subjects = {kind: everything[kind] for kind in kinds}
    with pytest.raises(IntegrityError), transaction.atomic():
        Policy.objects.create(**subjects)
    with pytest.raises(ValidationError, match="policy_has_one_subject"):
        Policy(**subjects).full_clean()


def test_a_person_has_one_policy_and_it_goes_with_them(alice):
    Policy.objects.create(user=alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Policy.objects.create(user=alice)
    alice.delete()
    assert not Policy.objects.exists()
