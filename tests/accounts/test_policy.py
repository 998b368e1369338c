"""Policies: every level has to let a request pass, and a refusal names the one that does not."""

from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest

from accounts.errors import Exceeds, Forbidden
from accounts.models import SchedulerClass
from accounts.policy import NO_POLICY
from accounts.quota.windows import Period
from tests.accounts.policies import COUNTED_AS, KINDS, LABELS, NUMBERS, SIZES, level, of, passes

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

at_every_level = pytest.mark.parametrize("kind", KINDS)

# What each rule refuses, at each level

EXPIRY = ("expires_at", NOON, lambda policy: policy.check_expiry(NOON))
ADDRESS = ("allowed_addresses", ["10.0.0.0/8"], lambda policy: policy.check_address("192.0.2.1"))
ENDPOINT = ("allowed_endpoints", ["models"], lambda policy: policy.check_endpoint("chat"))
MODEL = ("allowed_models", ["qwen*"], lambda policy: policy.check_model("llama-3"))
FORBIDS = {
    "Access ended at 2026-05-31 12:00 UTC": EXPIRY,
    "The address 192.0.2.1 may not use this service": ADDRESS,
    "The endpoint 'chat' is not allowed": ENDPOINT,
    "The model 'llama-3' is not allowed": MODEL,
}
forbids = pytest.mark.parametrize(("rule", "value", "check"), FORBIDS.values())


@at_every_level
@pytest.mark.parametrize("text", FORBIDS)
def test_what_is_forbidden_names_the_rule_and_whose_it_is(kind, text):
    rule, value, check = FORBIDS[text]
    with pytest.raises(Forbidden) as caught:
        check(of(level(kind, **{rule: value})))
    error = caught.value
    assert (error.rule, error.level, error.code) == (rule, LABELS[kind], "permission_denied")
    assert error.message == str(error) == f"{text} (rule {rule} of {LABELS[kind]})."


@forbids
@pytest.mark.parametrize("denying", [*product([False, True], repeat=3)])
def test_one_level_that_forbids_is_enough(rule, value, check, denying):
    values = {True: value, False: None}
    levels = [level(kind, **{rule: values[no]}) for kind, no in zip(KINDS, denying, strict=True)]
    assert passes(check, of(*levels)) is not any(denying)


@forbids
def test_no_level_lets_in_what_another_keeps_out(rule, value, check):
    generous = {
        "expires_at": NOON + TICK,
        "allowed_addresses": ["0.0.0.0/0", "::/0"],
        "allowed_endpoints": ["chat", "models"],
        "allowed_models": ["*"],
    }
    for kinds in permutations(KINDS):
        open_to_all = [level(kind, **generous) for kind in kinds[:2]]
        assert passes(check, of(*open_to_all))
        assert not passes(check, of(*open_to_all, level(kinds[2], **{rule: value})))


@forbids
def test_without_policies_nothing_is_forbidden(rule, value, check):
    check(NO_POLICY)
    check(of(level("group"), level("user"), level("key")))


def test_of_several_levels_that_forbid_the_first_is_named():
    policy = of(*(level(kind, allowed_models=["none"]) for kind in ("key", "user", "group")))
    with pytest.raises(Forbidden) as caught:
        policy.check_model("qwen")
    assert caught.value.level == LABELS["key"]


# When


@pytest.mark.parametrize(
    ("now", "is_allowed"), [(NOON - TICK, True), (NOON, False), (NOON + TICK, False)]
)
def test_access_ends_at_the_very_moment(now, is_allowed):
    assert passes(of(level(expires_at=NOON)).check_expiry, now) is is_allowed


def test_of_several_ends_the_first_one_counts():
    policy = of(level("key", expires_at=NOON + TICK), level("group", expires_at=NOON))
    with pytest.raises(Forbidden) as caught:
        policy.check_expiry(NOON)
    assert caught.value.level == LABELS["group"]


# From where


@pytest.mark.parametrize(
    ("networks", "address", "is_allowed"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["10.0.0.0/8", "192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:11.1.2.3", False),
        (["10.0.0.0/8"], "::10.1.2.3", False),
        (["2001:db8::/32"], "2001:db8:1::1", True),
        (["2001:db8::/32"], "2001:0DB8:0001:0:0:0:0:1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:db8::1"], "2001:db8::1", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "10.0.0.1", False),
        (["0.0.0.0/0", "::/0"], "2001:db8::1", True),
    ],
)
def test_an_address_is_within_a_range_or_refused(networks, address, is_allowed):
    policy = of(level(allowed_addresses=networks))
    assert passes(policy.check_address, address) is is_allowed


NO_ADDRESSES = ["", "unix:", "10.0.0", "10.0.0.1:80", "010.0.0.1", "10.0.0.1\n", "१०.0.0.1"]


@pytest.mark.parametrize("address", [*NO_ADDRESSES, "10.0.0.1, 10.0.0.2"])
def test_what_is_no_address_is_refused_where_there_is_a_rule(address):
    assert not passes(of(level(allowed_addresses=["0.0.0.0/0", "::/0"])).check_address, address)
    assert passes(of(level()).check_address, address)


def test_a_client_without_an_address_is_told_so():
    with pytest.raises(Forbidden, match=r"The address \(unknown\) may not use"):
        of(level(allowed_addresses=["10.0.0.0/8"])).check_address("")


def test_the_ranges_of_all_levels_have_to_hold_an_address():
    policy = of(
        level("key", allowed_addresses=["10.1.0.0/16", "192.0.2.0/24"]),
        level("group", allowed_addresses=["10.0.0.0/8"]),
    )
    allowed = ["10.1.2.3", "10.2.2.3", "192.0.2.1"]
    assert [passes(policy.check_address, one) for one in allowed] == [True, False, False]


# What


@pytest.mark.parametrize(
    ("patterns", "model", "is_allowed"),
    [
        (["qwen"], "qwen", True),
        (["qwen"], "qwen3", False),
        (["qwen"], "my-qwen", False),
        (["qwen*"], "qwen", True),
        (["qwen*"], "qwen3:4b.q4", True),
        (["*-instruct"], "llama-instruct", True),
        (["*-instruct"], "llama-instruct-2", False),
        (["qwen", "llama*"], "llama-3", True),
        (["qwen*"], "Qwen3", False),
        (["*"], "anything", True),
        (["q.en"], "qwen", False),
        ([], "anything", True),
        (None, "anything", True),
    ],
)
def test_models_are_allowed_by_id_or_pattern(patterns, model, is_allowed):
    policy = of(level(allowed_models=patterns))
    assert policy.allows_model(model) is passes(policy.check_model, model) is is_allowed


def test_what_is_shown_is_what_all_levels_allow():
    policy = of(level("key", allowed_models=["a*"]), level("group", allowed_models=["*b"]))
    assert [model for model in ("a", "ab", "b", "acb") if policy.allows_model(model)] == [
        "ab",
        "acb",
    ]


@pytest.mark.parametrize(
    ("allowed", "endpoint", "is_allowed"),
    [
        (["chat"], "chat", True),
        (["chat"], "completions", False),
        (["chat", "completions"], "completions", True),
        (["chat"], "", False),
        (["chat"], "cha", False),
        ([], "chat", True),
        (None, "chat", True),
    ],
)
def test_endpoints_are_allowed_by_name(allowed, endpoint, is_allowed):
    assert passes(of(level(allowed_endpoints=allowed)).check_endpoint, endpoint) is is_allowed


# How much


@pytest.mark.parametrize("rule", NUMBERS)
@pytest.mark.parametrize("values", [*permutations([5, 9, None])])
def test_the_smallest_number_of_all_levels_counts(rule, values):
    levels = [level(kind, **{rule: value}) for kind, value in zip(KINDS, values, strict=True)]
    limit = of(*levels).smallest(rule)
    strictest = KINDS[values.index(5)]
    assert (limit.value, limit.rule) == (5, rule)
    assert (limit.level, limit.subject) == (LABELS[strictest], COUNTED_AS[strictest])


@pytest.mark.parametrize("rule", NUMBERS)
def test_without_a_number_there_is_no_limit(rule):
    assert NO_POLICY.smallest(rule) is of(level("group"), level("key")).smallest(rule) is None


@pytest.mark.parametrize("rule", NUMBERS)
def test_zero_is_a_limit_and_not_none(rule):
    assert of(level("user", **{rule: 7}), level("group", **{rule: 0})).smallest(rule).value == 0


def test_of_equal_numbers_the_first_levels_is_named():
    policy = of(level("key", max_messages=3), level("group", max_messages=3))
    assert policy.smallest("max_messages").level == LABELS["key"]


@at_every_level
@pytest.mark.parametrize("rule", SIZES)
def test_what_is_too_large_names_the_rule_and_whose_it_is(kind, rule):
    policy = of(level(kind, **{rule: 5}))
    policy.check_size(rule, 5, "What it has")
    with pytest.raises(Exceeds) as caught:
        policy.check_size(rule, 6, "What it has", "field")
    error = caught.value
    assert (error.rule, error.level, error.param) == (rule, LABELS[kind], "field")
    assert error.code == "limit_exceeded"
    assert str(error) == (f"What it has is 6, and 5 is the most (rule {rule} of {LABELS[kind]}).")


@pytest.mark.parametrize("rule", SIZES)
def test_one_size_is_not_checked_by_another_ones_rule(rule):
    others = {other: 0 for other in SIZES if other != rule}
    of(level(**others)).check_size(rule, 1000, "What it has")


def test_nothing_fits_into_zero():
    policy = of(level(max_messages=0))
    assert not passes(policy.check_size, "max_messages", 1, "x")
    assert passes(policy.check_size, "max_messages", 0, "x")


@pytest.mark.parametrize(
    ("rule", "period"),
    [
        ("tokens_per_minute", Period.MINUTE),
        ("tokens_per_day", Period.DAY),
        ("tokens_per_month", Period.MONTH),
        ("max_running", Period.RUNNING),
    ],
)
@at_every_level
def test_quotas_are_counted_at_their_level(kind, rule, period):
    [quota] = of(level(kind, **{rule: 0})).quotas
    assert (quota.subject, quota.period, quota.limit) == (COUNTED_AS[kind], period, 0)
    assert (quota.rule, quota.level) == (rule, LABELS[kind])


def test_each_level_keeps_its_own_count():
    policy = of(*(level(kind, tokens_per_day=9, max_running=2) for kind in KINDS))
    counted = {(quota.subject, quota.period) for quota in policy.quotas}
    assert counted == {*product(COUNTED_AS.values(), (Period.DAY, Period.RUNNING))}
    assert len(policy.quotas) == 6


def test_what_is_not_counted_is_no_quota():
    assert of(level(requests_per_minute=5, **dict.fromkeys(SIZES, 5))).quotas == []


# How


@pytest.mark.parametrize(
    ("named", "effective"),
    [
        ([], "default"),
        ([""], "default"),
        (["interactive"], "interactive"),
        (["background"], "background"),
        (["interactive", ""], "interactive"),
        (["interactive", "default"], "default"),
        (["default", "interactive"], "default"),
        (["background", "interactive"], "background"),
        (["interactive", "default", "background"], "background"),
    ],
)
def test_the_lowest_class_of_all_levels_counts(named, effective):
    levels = [level(kind, scheduler_class=one) for kind, one in zip(KINDS, named, strict=False)]
    assert of(*levels).scheduler_class is SchedulerClass(effective)


@pytest.mark.parametrize(
    ("said", "is_logged"),
    [
        ([], False),
        ([None, None, None], False),
        ([True], True),
        ([False], False),
        ([True, None, None], True),
        ([None, None, True], True),
        ([True, True, True], True),
        ([False, None, None], False),
        ([True, False], False),
        ([False, True], False),
        ([True, True, False], False),
        ([False, False], False),
    ],
)
def test_prompts_are_kept_only_if_a_level_says_yes_and_none_says_no(said, is_logged):
    levels = [level(kind, log_prompts=one) for kind, one in zip(KINDS, said, strict=False)]
    assert of(*levels).logs_prompts is is_logged


@pytest.mark.parametrize(
    ("said", "effective"),
    [
        ([], "background"),
        ([None], "background"),
        ([True], "interactive"),
        ([None, True, None], "interactive"),
        ([False, True, True], "background"),
    ],
)
def test_what_is_computed_alone_is_in_the_background_unless_a_level_says_yes(said, effective):
    levels = [
        level(kind, scheduler_class="interactive", deterministic=one)
        for kind, one in zip(KINDS, said, strict=False)
    ]
    assert of(*levels).deterministic_class is SchedulerClass(effective)


def test_a_no_to_what_is_computed_alone_says_whose_it_is():
    policy = of(level("group", deterministic=False), level("key", deterministic=True))
    with pytest.raises(Forbidden, match=r"\(rule deterministic of group team\)"):
        policy.check_deterministic()
