"""Policies in the administration: edited where their subject is, listed with their quotas."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import ApiKey, Endpoint, Policy, QuotaWindow
from accounts.quota.windows import Period
from tests.accounts.administration import asked, browser, root, staff, text_of

LIST = "/admin/accounts/policy/"


@pytest.fixture
def admin(db):
    return browser(root())


@pytest.fixture
def research(db):
    return Group.objects.create(name="research")


def rules(**fields):
    """The form of a group with no policy yet."""
    count = {"policy-TOTAL_FORMS": 1, "policy-INITIAL_FORMS": 0}
    return {"name": "research", **count, **{f"policy-0-{k}": v for k, v in fields.items()}}


def page_of(group):
    return f"/admin/auth/group/{group.pk}/change/"


def changed(policy):
    """The form of a group that has that one."""
    return {"policy-INITIAL_FORMS": 1, "policy-0-id": policy.pk, "policy-0-group": policy.group_id}


def save(admin, group, **fields):
    answer = admin.post(page_of(group), rules(**fields))
    assert answer.status_code == 302, text_of(answer)
    return Policy.objects.filter(group=group).first()


# Editing


def test_rules_of_a_group_are_saved(admin, research):
    policy = save(admin, research, tokens_per_day="5000", scheduler_class="background")

    assert (policy.tokens_per_day, policy.scheduler_class) == (5000, "background")


def test_without_a_rule_there_is_no_policy(admin, research):
    assert save(admin, research) is None


def test_lists_are_edited_one_a_line(admin, research):
    policy = save(admin, research, allowed_models="qwen*\n\n  smollm2 \r\n")
    html = text_of(admin.get(page_of(research)))

    assert policy.allowed_models == ["qwen*", "smollm2"]
    assert "qwen*\nsmollm2</textarea>" in html


def test_an_empty_list_is_no_rule(admin, research):
    policy = save(admin, research, allowed_addresses=" \n", allowed_models="a", max_running="1")
    admin.post(page_of(research), {**rules(allowed_models="", max_running="1"), **changed(policy)})
    policy.refresh_from_db()

    assert policy.allowed_models is policy.allowed_addresses is policy.allowed_endpoints is None
    assert policy.max_running == 1


def test_endpoints_are_chosen(admin, research):
    policy = save(admin, research, allowed_endpoints=["chat", "models"])
    html = text_of(admin.get(page_of(research)))

    assert policy.allowed_endpoints == ["chat", "models"]
    boxes = re.findall(r'<input[^>]*name="policy-0-allowed_endpoints"[^>]*>', html)
    assert len(boxes) == len(Endpoint)
    assert len(re.findall(r" checked[ >]", "".join(boxes))) == 2


@pytest.mark.parametrize(("said", "kept"), [("unknown", None), ("true", True), ("false", False)])
def test_prompts_are_kept_not_kept_or_not_spoken_of(admin, research, said, kept):
    assert save(admin, research, max_running="1", log_prompts=said).log_prompts is kept


@pytest.mark.parametrize(("said", "kept"), [("unknown", None), ("true", True), ("false", False)])
def test_what_is_computed_alone_is_allowed_not_allowed_or_not_spoken_of(
    admin, research, said, kept
):
    assert save(admin, research, max_running="1", deterministic=said).deterministic is kept


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("allowed_addresses", "10.0.0.0/8\n10.0.0.0/33", "&#x27;10.0.0.0/33&#x27; is not a range"),
        ("allowed_addresses", "10.0.0.1/8", "has host bits set"),
        ("allowed_addresses", "localhost", "&#x27;localhost&#x27; is not a range"),
        ("allowed_endpoints", "secrets", "secrets is not one of the available choices"),
        ("tokens_per_day", "-1", "greater than or equal to 0"),
        ("tokens_per_day", "many", "Enter a whole number"),
        ("scheduler_class", "first", "first is not one of the available choices"),
    ],
)
def test_a_bad_rule_is_named_and_nothing_is_saved(admin, research, field, value, problem):
    answer = admin.post(page_of(research), rules(**{field: value}))

    assert problem in text_of(answer)
    assert not Policy.objects.exists()


def test_what_a_field_means_is_said_by_the_model(admin, research):
    html = text_of(admin.get(page_of(research)))

    assert "Addresses and CIDR ranges; empty: all. One a line." in html
    assert "Tokens of prompts and answers in a minute." in html


def test_a_policy_is_deleted_where_it_was_made(admin, research):
    policy = save(admin, research, max_running="1")
    admin.post(page_of(research), {**rules(DELETE="on"), **changed(policy)})

    assert not Policy.objects.exists()


# The list


def test_the_list_says_where_quotas_stand(admin, alice):
    Policy.objects.create(user=alice, tokens_per_day=50_000, max_running=4)
    asked(alice, prompt_tokens=3000, completion_tokens=500)
    html = text_of(admin.get(LIST))

    assert "user alice" in html
    assert "3.5k of 50k" in html
    assert "0 of 4" in html


def test_a_key_and_its_successor_share_counts_and_each_has_its_own_limits(admin, alice):
    key, _ = ApiKey.objects.issue(alice, "laptop")
    Policy.objects.create(key=key, tokens_per_day=50_000)
    asked(alice, key=key, prompt_tokens=3000, completion_tokens=500)
    new, _ = key.rotate(timedelta(days=1))
    Policy.objects.filter(key=new).update(tokens_per_day=20_000)
    html = text_of(admin.get(LIST))

    assert "3.5k of 50k" in html
    assert "3.5k of 20k" in html


def test_the_list_tells_what_is_used_from_what_is_held(admin, alice):
    Policy.objects.create(user=alice, tokens_per_month=9000)
    start = Period.MONTH.start(timezone.now())
    window = {"subject": f"user:{alice.pk}", "period": "month", "starts_at": start}
    QuotaWindow.objects.create(**window, used=1000, reserved=512)

    assert "1k used, 512 held of 9k" in text_of(admin.get(LIST))


def test_without_redis_the_list_says_that_it_does_not_know(admin, alice, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    Policy.objects.create(user=alice, tokens_per_month=9000)
    html = text_of(admin.get(LIST))

    assert "Where quotas stand is not known" in html
    assert "user alice" in html


def test_the_list_asks_for_all_counts_at_once(admin, django_assert_max_num_queries):
    for n in range(5):
        Policy.objects.create(group=Group.objects.create(name=f"team {n}"), max_running=4)
    with django_assert_max_num_queries(12):
        admin.get(LIST)


def test_a_policy_leads_to_whom_it_is_of(admin, alice):
    key, _ = ApiKey.objects.issue(alice, "laptop")
    policy = Policy.objects.create(key=key, max_running=1)
    html = text_of(admin.get(f"{LIST}{policy.pk}/change/"))

    assert f"/admin/accounts/apikey/{key.pk}/change/" in html


# Rules that hold


def test_a_person_sees_the_rules_of_all_levels(admin, alice, research):
    alice.groups.add(research)
    Policy.objects.create(group=research, tokens_per_day=200_000)
    Policy.objects.create(user=alice, allowed_models=["qwen*"])
    html = text_of(admin.get(f"/admin/accounts/user/{alice.pk}/change/"))

    assert "At most 200,000 tokens a day" in html
    assert "Only these models: qwen*" in html
    assert "A request has to pass all of them." in html


def test_a_key_has_its_own_rules_beside_its_persons(admin, alice):
    key, _ = ApiKey.objects.issue(alice, "laptop")
    Policy.objects.create(key=key, tokens_per_minute=3000)
    Policy.objects.create(user=alice, max_running=4)
    html = text_of(admin.get(f"/admin/accounts/apikey/{key.pk}/change/"))

    assert "At most 3,000 tokens a minute" in html
    assert "At most 4 requests at once" in html


def test_without_a_rule_everything_is_allowed(admin, alice):
    html = text_of(admin.get(f"/admin/accounts/user/{alice.pk}/change/"))

    assert "No rule: everything is allowed." in html


# Who may


def test_staff_without_rights_sees_no_policy(alice):
    policy = Policy.objects.create(user=alice, max_running=1)
    visitor = browser(staff("sam"))

    assert visitor.get(LIST).status_code == 403
    assert visitor.get(f"{LIST}{policy.pk}/change/").status_code == 403


def test_who_may_look_looks_and_changes_nothing(alice):
    policy = Policy.objects.create(user=alice, allowed_models=["qwen"], max_running=1)
    visitor = browser(staff("sam", "view_policy"))

    assert "user alice" in text_of(visitor.get(LIST))
    assert "qwen" in text_of(visitor.get(f"{LIST}{policy.pk}/change/"))
    assert visitor.post(f"{LIST}{policy.pk}/change/", {"max_running": "9"}).status_code == 403


def test_who_may_change_people_does_not_thereby_change_their_rules(alice):
    visitor = browser(staff("sam", "view_user", "change_user"))
    Policy.objects.create(user=alice, max_running=1)
    html = text_of(visitor.get(f"/admin/accounts/user/{alice.pk}/change/"))

    assert "policy-0-max_running" not in html
