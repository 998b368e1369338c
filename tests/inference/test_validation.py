"""A site's own checks: nothing passes unchecked, and nothing that was sent is taken back."""

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from django.core.checks import run_checks
from hypothesis import example, given
from hypothesis import strategies as st

from inference import validation
from inference.validation import (
    AnswerFilter,
    BadValidator,
    Context,
    Denied,
    ValidatorFailed,
    Validators,
    validators,
)
from inference.validation.patterns import BLOT, DeniedPatterns, RedactedPatterns

CONTEXT = Context(owner="alice", model="fake", endpoint="chat", request_id="req_1")


class Upper:
    """Changes both."""

    def check_prompt(self, text, context):
        return text.upper()

    def check_answer(self, text, context):
        return text.upper()


class Exclaims:
    """Changes prompts only."""

    def check_prompt(self, text, context):
        return text + "!"


class DeniesMoney:
    """Refuses answers."""

    def check_answer(self, text, context):
        if "money" in text:
            raise Denied("No talk of money here.")
        return text


class Broken:
    def check_prompt(self, text, context):
        raise ValueError(f"cannot read {text}")

    check_answer = check_prompt


class ReturnsNothing:
    def check_prompt(self, text, context):
        pass


@pytest.fixture
def configure(settings):
    def configure(**fields):
        security = settings.CONFIG.security
        changed = type(security).model_validate({**security.model_dump(), **fields})
        settings.CONFIG = settings.CONFIG.model_copy(update={"security": changed})

    return configure


@pytest.fixture
def site(monkeypatch):
    """A module of the site's own, `site_checks`, with these names in it."""

    def site(**names):
        module = ModuleType("site_checks")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, "site_checks", module)

    return site


# What is found


def test_without_settings_nothing_is_checked(configure):
    found = validators()
    assert (found.has_prompt_checks, found.has_answer_checks) == (False, False)
    assert found.answer_filter(CONTEXT) is None
    assert found.check_text("a", CONTEXT) == "a"
    assert found.check_prompt({"tokens": [1, 2]}, CONTEXT) == {"tokens": [1, 2]}


@pytest.mark.parametrize(
    "made", [Upper, Upper(), lambda: Upper()], ids=["class", "object", "factory"]
)
def test_a_path_leads_to_a_class_an_object_or_a_factory(configure, site, made):
    site(made=made)
    configure(validators=["site_checks.made"])
    assert validators().check_text("a", CONTEXT) == "A"


def test_they_are_made_once_for_the_same_settings(configure):
    configure(denied_patterns=["a"])
    assert validators() is validators()
    before = validators()
    configure(denied_patterns=["b"])
    assert validators() is not before


def test_the_settings_patterns_are_checks(configure):
    configure(denied_patterns=["x"])
    assert (validators().has_prompt_checks, validators().has_answer_checks) == (True, False)
    configure(denied_patterns=[], redacted_patterns=["x"])
    assert (validators().has_prompt_checks, validators().has_answer_checks) == (True, True)


def test_the_settings_patterns_see_what_the_sites_own_have_made(configure, site):
    site(made=Upper)
    configure(validators=["site_checks.made"], redacted_patterns=["SECRET"])
    assert validators().check_text("a secret", CONTEXT) == "A ██████"


def nowhere():
    raise LookupError("a factory that fails")


async def asynchronous(self, text, context):
    return text


BAD = {
    "site_checks": {},
    "site_checks.missing": {},
    "no_such_module.x": {},
    "site_checks.number": {"number": 7},
    "site_checks.nowhere": {"nowhere": nowhere},
    "site_checks.useless": {"useless": object},
    "site_checks.slow": {"slow": type("Slow", (), {"check_prompt": asynchronous})},
    "site_checks.field": {"field": type("Field", (), {"check_prompt": "text"})},
}


@pytest.mark.parametrize(("path", "names"), BAD.items(), ids=BAD)
def test_a_path_that_leads_to_none_stops_the_start_and_every_request(configure, site, path, names):
    site(**names)
    configure(validators=[path])
    (error,) = [message for message in run_checks() if message.id == "inference.E001"]
    assert repr(path) in error.msg
    assert error.is_serious()
    with pytest.raises(BadValidator, match=re.escape(path)):
        validators()


def test_every_bad_path_is_named(configure):
    configure(validators=["no_such_module.a", "no_such_module.b"])
    assert ["no_such_module.a" in text for text in validation.mistakes()] == [True, False]


def test_a_good_path_is_no_mistake(configure, site):
    site(made=Upper)
    configure(validators=["site_checks.made"])
    assert validation.mistakes() == []


# The documentation

DOCS = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text()


def test_the_documented_patterns_find_what_they_should(configure):
    (example,) = re.findall(r"```toml\n(\[security\].*?)```", DOCS, re.DOTALL)
    configure(**tomllib.loads(example)["security"])
    text = "Ask bob.x+y@example.org about 1234-5678-9012-3456."
    redacted = f"Ask {BLOT * 19} about {BLOT * 19}."
    assert validators().check_text(text, CONTEXT) == redacted
    assert validators().check_answer(text, CONTEXT) == redacted
    with pytest.raises(Denied):
        validators().check_text("what of Project  Bluebird?", CONTEXT)


def test_the_documented_validator_is_one(configure, site):
    examples = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    (example,) = [text for text in examples if "NoSecrets" in text]
    names = {}
    exec(example, names)
    site(NoSecrets=names["NoSecrets"])
    configure(validators=["site_checks.NoSecrets"])
    assert validators().check_answer("Alice did", CONTEXT) == "somebody did"
    with pytest.raises(Denied, match="The recipe is not for models"):
        validators().check_text("What is the recipe?", CONTEXT)


# Prompts


def test_every_text_of_every_message_is_checked():
    messages = [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "b", "name": "bob"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"arguments": {"key": ["c", 7, None, True]}}}],
        },
    ]
    assert Validators([Upper()]).check_messages(messages, CONTEXT) == [
        {"role": "system", "content": "A"},
        {"role": "user", "content": "B", "name": "BOB"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"FUNCTION": {"ARGUMENTS": {"KEY": ["C", 7, None, True]}}}],
        },
    ]


@pytest.mark.parametrize(
    ("prompt", "checked"),
    [
        ({"text": "a"}, {"text": "A"}),
        (
            {"messages": [{"role": "user", "content": "a"}], "template_options": {"x": "b"}},
            {"messages": [{"role": "user", "content": "A"}], "template_options": {"X": "B"}},
        ),
    ],
)
def test_every_text_of_a_request_is_checked(prompt, checked):
    assert Validators([Upper()]).check_prompt(prompt, CONTEXT) == checked


def test_tokens_cannot_be_read_and_are_refused():
    with pytest.raises(Denied, match="tokens"):
        Validators([Upper()]).check_prompt({"tokens": [1]}, CONTEXT)


def test_tokens_are_nobodys_business_where_only_answers_are_checked():
    assert Validators([DeniesMoney()]).check_prompt({"tokens": [1]}, CONTEXT) == {"tokens": [1]}


def test_each_sees_what_the_one_before_has_made():
    assert Validators([Upper(), Exclaims()]).check_text("a", CONTEXT) == "A!"
    assert Validators([Upper(), Exclaims()]).check_answer("a", CONTEXT) == "A"


def test_they_are_told_whose_text_it_is():
    class Remembers:
        def check_prompt(self, text, context):
            self.context = context
            return text

    remembers = Remembers()
    Validators([remembers]).check_text("a", CONTEXT)
    assert remembers.context == CONTEXT


def test_a_refusal_has_a_code_and_the_validators_reason():
    with pytest.raises(Denied) as caught:
        Validators([DeniesMoney()]).check_answer("some money", CONTEXT)
    assert (caught.value.code, caught.value.message) == (
        "content_denied",
        "No talk of money here.",
    )


def test_a_validator_that_breaks_lets_nothing_pass_and_tells_no_text(caplog):
    with pytest.raises(ValidatorFailed) as caught:
        Validators([Broken()]).check_text("my secret", CONTEXT)
    assert "Broken.check_prompt" in str(caught.value)
    assert "Broken.check_prompt raised ValueError" in caplog.text
    assert "test_validation.py" in caplog.text  # where
    assert "my secret" not in caplog.text + str(caught.value)
    assert caught.value.__suppress_context__


def test_a_validator_that_forgets_to_return_lets_nothing_pass():
    with pytest.raises(ValidatorFailed, match="NoneType"):
        Validators([ReturnsNothing()]).check_text("a", CONTEXT)


# Patterns


def test_a_denied_pattern_is_named_and_the_text_is_not():
    denied = DeniedPatterns(["harmless", r"pass\w+: \w+"])
    assert denied.check_prompt("nothing here", CONTEXT) == "nothing here"
    with pytest.raises(Denied) as caught:
        denied.check_prompt("the password: hunter2 is", CONTEXT)
    assert caught.value.message == "The prompt is refused by security.denied_patterns[1]."


def test_what_is_redacted_keeps_its_length():
    redacted = RedactedPatterns([r"\d{4}-\d{4}", r"(?i)bob"])
    assert redacted.check_prompt("Bob has 1234-5678.", CONTEXT) == "███ has █████████."


def test_no_pattern_hides_what_another_would_have_found():
    redacted = RedactedPatterns(["bc", "abc", "cd"])
    assert redacted.check_answer("abcd", CONTEXT) == BLOT * 4


# Streams

# They find at most 5 characters.
PATTERNS = ["abc", "abcab", "cabca", r"\bca\b", "(?i)b{2,4}c?", r"a\n\d", r"(?<=c)a{1,3}"]
WINDOW = 5
TEXTS = st.text(alphabet="abc\n1 C", max_size=60)
CUTS = st.lists(st.integers(0, 60), max_size=20)


def chunks_of(text, cuts):
    """The text in pieces, some of them empty."""
    ends = sorted([min(cut, len(text)) for cut in cuts] + [len(text)])
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(TEXTS, CUTS, st.lists(st.sampled_from(PATTERNS), min_size=1), st.integers(1, 7))
@example("1111111abcab1", [11], ["abcab"], 1)
@example("11111\ncab", [8], [r"\bca\b"], 1)
def test_however_it_is_cut_a_stream_is_redacted_like_the_whole(text, cuts, patterns, step):
    redacted = RedactedPatterns(patterns)._blotted
    stream = AnswerFilter(redacted, WINDOW, step)
    sent = "".join([stream.feed(chunk) for chunk in chunks_of(text, cuts)]) + stream.finish()
    assert sent == redacted(text)


@given(TEXTS, CUTS)
def test_what_matches_is_never_sent(text, cuts):
    stream = AnswerFilter(RedactedPatterns(["abc"])._blotted, WINDOW, 1)
    sent = ""
    for chunk in chunks_of(text, cuts):
        sent += stream.feed(chunk)
        assert "abc" not in sent
    assert "abc" not in sent + stream.finish()


@given(TEXTS, CUTS, st.lists(st.sampled_from(PATTERNS), min_size=2, max_size=3))
@example("1111abcab", [6], ["abcab", "1111a"])  # the first takes away what the second found
def test_several_validators_wait_for_each_other(text, cuts, patterns):
    several = Validators([RedactedPatterns([pattern]) for pattern in patterns])
    check = several.answer_filter(CONTEXT)._check
    stream = AnswerFilter(check, WINDOW * len(patterns), 1)
    sent = "".join([stream.feed(chunk) for chunk in chunks_of(text, cuts)]) + stream.finish()
    assert sent == several.check_answer(text, CONTEXT)


@pytest.mark.parametrize("number", [1, 2])
def test_a_stream_is_held_back_by_a_window_for_each_and_no_more(number):
    stream = Validators([Upper()] * number + [Exclaims()]).answer_filter(CONTEXT)
    sent = "".join(stream.feed("a" * 10) for _ in range(100))
    assert 1000 - number * 256 - 64 - 10 <= len(sent) <= 1000 - number * 256
    assert sent + stream.finish() == "A" * 1000


def test_a_long_answer_is_not_checked_over_and_over():
    """Twice as much text takes about twice as much checking."""

    def num_checked(length):
        seen = []
        stream = AnswerFilter(lambda text: seen.append(len(text)) or text, 256)
        for _ in range(length):
            stream.feed("a")
        return sum(seen)

    assert num_checked(60_000) < 2.3 * num_checked(30_000)


def test_a_refusal_in_mid_stream_sends_nothing_more():
    stream = AnswerFilter(lambda text: DeniesMoney().check_answer(text, CONTEXT), 10, 1)
    assert stream.feed("all is well so far") == "all is w"
    with pytest.raises(Denied, match="No talk of money"):
        stream.feed(", but money")


def test_what_was_sent_is_not_taken_back_but_the_stream_ends():
    """A match longer than the window."""
    stream = AnswerFilter(RedactedPatterns(["a.{20}z"])._blotted, 10, 1)
    assert stream.feed("a" + "." * 15) == "a....."
    with pytest.raises(Denied, match="withheld"):
        stream.feed("....." + "z")


def test_a_validator_that_breaks_in_mid_stream_ends_it():
    stream = Validators([Broken()]).answer_filter(CONTEXT)
    with pytest.raises(ValidatorFailed):
        stream.finish()


def test_text_may_grow_and_shrink_in_a_stream():
    def check(text):
        return text.replace("one", "1").replace("4", "four")

    stream = AnswerFilter(check, 10, 1)
    chunks = ["one two ", "three", " 4 fi", "ve six on", "e two three 4"]
    sent = "".join(map(stream.feed, chunks)) + stream.finish()
    assert sent == "1 two three four five six 1 two three four"
