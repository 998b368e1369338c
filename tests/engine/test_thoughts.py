"""How long an answer thinks, and what follows."""

import pytest

from inference.engine.fake import END, FakeBackend
from inference.engine.grammar import Grammar
from inference.engine.request import FinishReason
from inference.engine.thoughts import Place, Thoughts, place_after

from .test_engine import Bench

DIGITS = Grammar("regex", "[1-3]{3}", "guided_regex")
CHARS = dict(enumerate("<think>/ing abé\n"))


@pytest.fixture
def bench():
    return Bench()


def asked(bench, content, **params):
    """An answer to a message; the model echoes it."""
    fields = {k: params.pop(k) for k in ("lead", "prefix") if k in params}
    id = bench.submit(messages=[{"role": "user", "content": content}], **fields, **params)
    bench.finish()
    return bench.text(id), bench.ending(id)


@pytest.mark.parametrize(
    ("prompt", "prefix", "place"),
    [
        ("user: a\nassistant: ", "", Place.BEGINNING),
        ("assistant: <think>\n", "", Place.WITHIN),
        ("assistant: <think>", "<think>so", Place.WITHIN),
        ("assistant: <think>", "so</think> it", Place.BEHIND),
        ("assistant: <think>\n\n</think>\n\n", "", Place.BEHIND),
        ("assistant: ", "It is", Place.BEHIND),
        ("assistant: ", " <thinking>so", Place.WITHIN),
        ("assistant: ", "<think>so</think>", Place.BEHIND),
    ],
)
def test_a_prompt_says_where_the_answer_stands(prompt, prefix, place):
    assert place_after(prompt, prefix) is place


class TestABudget:
    @pytest.mark.parametrize(
        ("budget", "text"),
        [
            (0, "<think> </think> "),
            (1, "<think> a </think> "),
            (2, "<think> a b </think> "),
            (3, "<think> a b c </think> "),
        ],
    )
    def test_ends_a_thought_when_it_is_used(self, bench, budget, text):
        said, ending = asked(
            bench, "<think> a b c d </think> e f", thinking_budget_tokens=budget, max_tokens=20
        )
        assert said.startswith(text)
        assert said.endswith("e f ")
        assert ending.reason is FinishReason.STOP

    def test_is_nothing_to_a_thought_that_ends_before(self, bench):
        content = "<think> a </think> e"
        assert asked(bench, content, thinking_budget_tokens=2)[0] == content + " "

    def test_is_nothing_to_an_answer_without_thoughts(self, bench):
        assert asked(bench, "a <think> b", thinking_budget_tokens=0)[0] == "a <think> b "

    def test_counts_from_the_start_where_the_prompt_has_opened_the_thought(self, bench):
        assert asked(bench, "a b <think>", thinking_budget_tokens=1)[0].startswith("a </think> ")

    def test_of_none_closes_the_thought_in_the_prompt(self, bench):
        id = bench.submit(
            messages=[{"role": "user", "content": "a <think>"}], thinking_budget_tokens=0
        )
        bench.finish()
        assert bench.text(id) == "a <think> </think> "
        assert not bench.sent[0].opens_thinking

    def test_pays_for_the_tag_that_was_not_chosen(self, bench):
        said, ending = asked(bench, "<think> a b c", thinking_budget_tokens=1)
        assert ending.usage.completion_tokens == len(said.split()) + 1  # and the end

    def test_leaves_the_limit_of_the_answer_as_it_is(self, bench):
        said, ending = asked(bench, "<think> a b c", thinking_budget_tokens=1, max_tokens=3)
        assert (said, ending.reason) == ("<think> a </think> ", FinishReason.LENGTH)

    def test_closes_past_a_stop_string(self, bench):
        said, _ = asked(bench, "<think> a b c", thinking_budget_tokens=1, stop=("</think>", "c"))
        assert said == "<think> a </think> "[: len(said)]
        assert "</think>" in said

    def test_is_each_answers_own(self, bench):
        message = [{"role": "user", "content": "<think> a b c d"}]
        ids = [
            bench.submit(messages=message, group=1, thinking_budget_tokens=n, max_tokens=9)
            for n in (1, 2)
        ]
        bench.finish()
        assert [bench.text(id).index("</think>") for id in ids] == [10, 12]

    def test_survives_a_loss_of_the_place_in_the_cache(self):
        bench = Bench(cache_tokens=24, context_length=24)
        fields = {"messages": [{"role": "user", "content": "<think> a b c d"}]}
        ids = [
            bench.submit(**fields, thinking_budget_tokens=4, max_tokens=12, ignore_eos=True)
            for _ in range(2)
        ]
        bench.finish()
        texts = [bench.text(id) for id in ids]
        assert texts[0] == texts[1]
        assert texts[0].startswith("<think> a b c d </think> ")
        assert bench.backend.begun.count(ids[1]) == 2

    def test_keeps_logprobs_in_step_with_the_text(self, bench):
        id = bench.submit(
            messages=[{"role": "user", "content": "<think> a b </think> e"}],
            thinking_budget_tokens=1,
            num_logprobs=0,
        )
        bench.finish()
        told = [t for step in bench.steps for d in step.deltas for t in d.logprobs or ()]
        text = bench.text(id)
        assert all(text[t.offset :].encode().startswith(t.text) for t in told)
        assert [t.text for t in told][:3] == [b"<think> ", b"a ", b"</think> "]
        assert text.count("</think>") == 2  # one that nobody chose


class TestAForm:
    def test_begins_behind_the_thoughts(self, bench):
        said, ending = asked(bench, "<think> a b </think> c", grammar=DIGITS)
        thought, _, form = said.partition("</think>")
        assert thought == "<think> a b "
        assert (form.strip(), ending.reason) == ("111", FinishReason.STOP)

    def test_may_come_at_once(self, bench):
        assert asked(bench, "a b", grammar=DIGITS)[0] == "111"

    def test_begins_behind_a_thought_that_the_prompt_has_opened(self, bench):
        said, _ = asked(bench, "a </think> b <think>", grammar=DIGITS)
        assert said == "a </think> 111"

    @pytest.mark.parametrize("content", ["<think> a b c", "a b c <think>"])
    def test_goes_with_a_budget(self, bench, content):
        said, _ = asked(bench, content, grammar=DIGITS, thinking_budget_tokens=2)
        assert said.removeprefix("<think> ") == "a b </think> 111"

    def test_leaves_no_room_for_thoughts_where_there_is_no_budget(self, bench):
        said, _ = asked(bench, "<think> a b c", grammar=DIGITS, thinking_budget_tokens=0)
        assert said == "111"

    def test_is_not_left_out_by_a_model_that_ends_within_its_thoughts(self, bench):
        said, _ = asked(bench, "<think> a", grammar=DIGITS)
        assert said == "<think> a </think> 111"

    def test_may_have_a_lead_that_is_no_text(self, bench):
        texts = [
            asked(bench, content, grammar=DIGITS, lead="x y")[0]
            for content in ("<think> a </think> b", "a </think> <think>")
        ]
        assert texts == ["<think> a </think> 111", "a </think> 111"]

    def test_whose_lead_may_be_thought_about_is_led_once(self, bench):
        said, ending = asked(bench, "a", grammar=DIGITS, lead="x y")
        assert said == "111"
        assert ending.usage.completion_tokens == 2 + 3


def thoughts(**fields):
    """Of a model whose tokens are characters, and one more that closes a thought with more."""
    more = {100: b">{", 101: b"\xc3", 102: b"\xa9"}
    codes = {char: index for index, char in CHARS.items()}
    return Thoughts(
        lambda text: [codes[char] for char in text],
        lambda token: more.get(token) or CHARS[token].encode(),
        **fields,
    )


def text_of(tokens):
    return "".join(CHARS[token] for token in tokens)


def test_a_form_begins_behind_the_tag_and_not_within_a_token():
    form = FakeBackend.constraint
    followed = thoughts(place=Place.WITHIN, form=form, lead="ab")
    for char in "a</think":
        assert followed.take([*CHARS.values()].index(char), is_end=False).stands
    stands, fed, silent = followed.take(100, is_end=False)
    assert (stands, text_of(fed), text_of(silent)) == (False, ">", "ab")
    assert followed.constraint is form


def test_a_budget_does_not_cut_a_character():
    followed = thoughts(place=Place.WITHIN, budget=1)
    assert followed.take(101, is_end=False).fed == ()
    assert text_of(followed.take(102, is_end=False).fed) == "\n</think>\n\n"
    assert followed.place is Place.BEHIND


def test_the_longer_tag_is_known_and_closed_by_its_own():
    followed = thoughts(place=Place.BEGINNING, budget=1)
    taken = [followed.take([*CHARS.values()].index(char), is_end=False) for char in " <thinking>b"]
    assert [text_of(one.fed) for one in taken[:-1]] == [""] * 11
    assert text_of(taken[-1].fed) == "\n</thinking>\n\n"


def test_an_end_within_a_thought_is_an_end_where_no_form_waits():
    followed = thoughts(place=Place.WITHIN, budget=9)
    assert followed.take(END, is_end=True).stands
