"""Whatever the levels are: another one never lets more pass."""

from datetime import UTC, datetime, timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import SchedulerClass
from tests.accounts.policies import KINDS, NUMBERS, SIZES, level, of, passes

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SLUGS = ["qwen", "qwen3", "llama", "a"]
ENDPOINTS = ["chat", "completions", "models"]
ADDRESSES = ["10.0.0.1", "10.200.0.1", "::ffff:10.0.0.1", "2001:db8::1", "", "nonsense"]
MOMENTS = [NOON - TICK, NOON, NOON + TICK]


def some(choices):
    return st.none() | st.lists(st.sampled_from(choices), max_size=3)


LEVELS = st.builds(
    level,
    st.sampled_from(KINDS),
    allowed_models=some([*SLUGS, "*", "qwen*", "*a"]),
    allowed_endpoints=some(ENDPOINTS),
    allowed_addresses=some(["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0", "::/0"]),
    expires_at=st.none() | st.sampled_from(MOMENTS),
    scheduler_class=st.sampled_from(["", *SchedulerClass.values]),
    log_prompts=st.none() | st.booleans(),
    deterministic=st.none() | st.booleans(),
    **{rule: st.none() | st.integers(0, 5) for rule in NUMBERS},
)


def passed(policy):
    """Every check, with everything it might be asked, that lets it pass."""
    checks = [
        *product([policy.check_expiry], MOMENTS),
        *product([policy.check_address], ADDRESSES),
        *product([policy.check_endpoint], ENDPOINTS),
        *product([policy.check_model], SLUGS),
        (policy.check_deterministic,),
        *product([policy.check_size], SIZES, range(7), ["x"]),
    ]
    return {(check.__name__, *asked) for check, *asked in checks if passes(check, *asked)}


@settings(deadline=None)
@given(levels=st.lists(LEVELS, max_size=3), added=LEVELS, where=st.integers(0, 3))
def test_another_level_never_lets_more_pass(levels, added, where):
    fewer, more = of(*levels), of(*levels[:where], added, *levels[where:])
    assert passed(more) <= passed(fewer)
    assert {slug for slug in SLUGS if more.allows_model(slug)} <= {
        slug for slug in SLUGS if fewer.allows_model(slug)
    }


@settings(deadline=None)
@given(levels=st.lists(LEVELS, max_size=3), added=LEVELS, rule=st.sampled_from(NUMBERS))
def test_another_level_never_raises_a_limit(levels, added, rule):
    fewer, more = of(*levels), of(*levels, added)
    limits = {limit.value for limit in fewer.limits(rule)}
    assert limits <= {limit.value for limit in more.limits(rule)}
    assert all(more.smallest(rule).value <= limit for limit in limits)


@settings(deadline=None)
@given(levels=st.lists(LEVELS, max_size=3), added=LEVELS)
def test_another_level_never_takes_a_quota_away(levels, added):
    quotas = of(*levels, added).quotas
    assert all(quota in quotas for quota in of(*levels).quotas)


@settings(deadline=None)
@given(named=st.lists(LEVELS.filter(lambda one: one.scheduler_class), min_size=1), added=LEVELS)
def test_another_level_never_raises_the_class_that_one_has_named(named, added):
    ranks = [*SchedulerClass]
    before, after = of(*named).scheduler_class, of(*named, added).scheduler_class
    assert ranks.index(after) >= ranks.index(before)


@settings(deadline=None)
@given(levels=st.lists(LEVELS, max_size=3), where=st.integers(0, 3))
def test_whatever_others_say_one_no_keeps_prompts_out(levels, where):
    assert not of(*levels[:where], level(log_prompts=False), *levels[where:]).logs_prompts


@settings(deadline=None)
@given(levels=st.lists(LEVELS, max_size=3), where=st.integers(0, 3))
def test_whatever_others_say_one_no_allows_no_deterministic_answer(levels, where):
    policy = of(*levels[:where], level(deterministic=False), *levels[where:])
    assert not passes(policy.check_deterministic)


@settings(deadline=None)
@given(levels=st.lists(LEVELS, max_size=3), order=st.randoms())
def test_in_which_order_levels_come_makes_no_difference(levels, order):
    shuffled = order.sample(levels, len(levels))
    one, other = of(*levels), of(*shuffled)
    assert passed(one) == passed(other)
    assert {*one.quotas} == {*other.quotas}
    assert (one.scheduler_class, one.logs_prompts) == (other.scheduler_class, other.logs_prompts)
    assert one.deterministic_class == other.deterministic_class
