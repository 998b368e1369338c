import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.request import ContextPolicy
from inference.engine.turns import reserve, to_drop, turns_of

ERROR, DROP_OLDEST, MIDDLE_OUT = ContextPolicy
TRIMMING = [DROP_OLDEST, MIDDLE_OUT]
ROLES = {"s": "system", "d": "developer", "u": "user", "a": "assistant", "t": "tool"}


def talk(roles, sizes=None):
    """A message of each role, its size in tokens; one, unless told otherwise."""
    sizes = sizes or [1] * len(roles)
    return [
        {"role": ROLES[role], "content": "w " * size}
        for role, size in zip(roles, sizes, strict=True)
    ]


class Counter:
    """Tokens of what is kept: its words, and `frame` for each message."""

    def __init__(self, messages, frame=0):
        self.sizes = [len(message["content"].split()) + frame for message in messages]
        self.asked = []

    def __call__(self, dropped):
        self.asked.append(dropped)
        return sum(self.sizes) - sum(self.sizes[index] for index in dropped)


def dropped(messages, policy, limit):
    return to_drop(messages, policy, limit, Counter(messages))


# Turns


@pytest.mark.parametrize(
    ("roles", "turns"),
    [
        ("", []),
        ("s", []),
        ("u", [[0]]),
        ("suaua", [[1, 2], [3, 4]]),
        ("uataua", [[0, 1, 2, 3], [4, 5]]),
        ("uuu", [[0], [1], [2]]),
        ("saua", [[1], [2, 3]]),
        ("duasua", [[1, 2], [4, 5]]),
        ("uasa", [[0, 1, 3]]),
    ],
)
def test_a_turn_is_a_users_message_and_what_answers_it(roles, turns):
    assert turns_of(talk(roles)) == turns


# Policies


@pytest.mark.parametrize(
    ("policy", "limit", "gone"),
    [
        (ERROR, 1, []),
        (DROP_OLDEST, 9, []),
        (DROP_OLDEST, 8, [1, 2]),
        (DROP_OLDEST, 7, [1, 2]),
        (DROP_OLDEST, 6, [1, 2, 3, 4]),
        (DROP_OLDEST, 4, [1, 2, 3, 4, 5, 6]),
        (DROP_OLDEST, 1, [1, 2, 3, 4, 5, 6]),
        (MIDDLE_OUT, 9, []),
        (MIDDLE_OUT, 8, [3, 4]),
        (MIDDLE_OUT, 6, [3, 4, 5, 6]),
        (MIDDLE_OUT, 4, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_each_policy_has_its_order(policy, limit, gone):
    assert dropped(talk("suauauaua"), policy, limit) == gone


@pytest.mark.parametrize("policy", TRIMMING)
@pytest.mark.parametrize("roles", ["", "s", "u", "ssu", "uata", "a"])
def test_a_single_turn_stays_however_long_it_is(policy, roles):
    assert dropped(talk(roles), policy, 0) == []


def test_a_middle_out_of_two_turns_gives_up_the_first():
    assert dropped(talk("uaua"), MIDDLE_OUT, 2) == [0, 1]


# Whatever the conversation is


conversations = st.lists(
    st.tuples(st.sampled_from("sduat"), st.integers(0, 30)), min_size=1, max_size=40
).map(lambda pairs: talk([role for role, _ in pairs], [size for _, size in pairs]))
policies = st.sampled_from(TRIMMING)
limits = st.integers(0, 300)


@given(conversations, policies, limits)
def test_system_messages_and_the_last_turn_stay(messages, policy, limit):
    gone = dropped(messages, policy, limit)

    roles = {messages[index]["role"] for index in gone}
    assert not roles & {"system", "developer"}
    assert not {*gone} & {index for turn in turns_of(messages)[-1:] for index in turn}
    assert not {*gone} & {*[i for i, m in enumerate(messages) if m["role"] == "user"][-1:]}


@given(conversations, policies, limits)
def test_whole_turns_go_in_order(messages, policy, limit):
    gone = dropped(messages, policy, limit)

    assert gone == sorted({*gone})
    assert all({*turn} <= {*gone} or not {*turn} & {*gone} for turn in turns_of(messages))


@given(conversations, policies, limits, st.integers(0, 5))
def test_what_stays_fits_unless_nothing_more_may_go(messages, policy, limit, frame):
    count = Counter(messages, frame)
    gone = to_drop(messages, policy, limit, count)

    may_go = [index for turn in turns_of(messages)[:-1] for index in turn]
    assert count(gone) <= limit or gone == may_go


@given(conversations, policies, limits, st.integers(0, 5))
def test_no_turn_goes_without_need(messages, policy, limit, frame):
    count = Counter(messages, frame)
    gone = to_drop(messages, policy, limit, count)

    turns = turns_of(messages)
    left_out = [turn for turn in turns if {*turn} <= {*gone}]
    last = left_out[0] if policy is MIDDLE_OUT and turns[:1] == left_out[:1] != [] else None
    last = last or (left_out[-1] if left_out else [])
    assert not last or count(sorted({*gone} - {*last})) > limit


@given(conversations, policies, limits, st.integers(0, 50))
def test_no_set_is_asked_about_twice_and_few_are(messages, policy, limit, frame):
    count = Counter(messages, frame)
    to_drop(messages, policy, limit, count)

    asked = [tuple(one) for one in count.asked]
    assert len(asked) == len({*asked})
    assert len(asked) <= 2 + 2 * len(turns_of(messages)).bit_length()


def test_turns_of_like_length_are_guessed_at_once():
    messages = talk("ua" * 200, [30, 60] * 200)
    count = Counter(messages, frame=4)

    gone = to_drop(messages, DROP_OLDEST, 9800, count)

    assert count(gone) <= 9800
    assert len(count.asked) <= 1 + 4


# The reserve


@pytest.mark.parametrize(
    ("max_tokens", "context", "tokens"),
    [(None, 2048, 512), (100, 2048, 100), (5000, 2048, 512), (None, 3, 1), (1, 3, 1)],
)
def test_an_answer_gets_what_it_asks_for_or_a_quarter(max_tokens, context, tokens):
    assert reserve(max_tokens, context) == tokens
