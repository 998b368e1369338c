"""`manage.py generate`: an answer on the terminal."""

import io

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db(transaction=True)


def generate(*args, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command("generate", *args, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def model(settings, fake_row):
    settings.ENGINE_BACKEND = "fake"
    return fake_row


def test_it_prints_the_answer(model):
    assert generate("fake", "one two three") == ("one two three \n", "")


def test_it_takes_the_prompt_from_standard_input(model, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))
    assert generate("gpt-fake", "-")[0] == "from a pipe \n"


def test_it_completes_raw_text_and_keeps_to_the_limit(model):
    assert generate("fake", "one two three", raw=True, max_tokens=2)[0] == "one two \n"


def test_it_says_what_the_answer_cost(model):
    assert "3 prompt tokens" in generate("fake", "one two three", stats=True)[1]


@pytest.mark.parametrize(
    ("args", "options", "problem"),
    [
        (("nobody", "hi"), {}, "'nobody' does not exist"),
        (("fake", "hi"), {"temperature": 9.0}, "temperature: 9.0"),
        (("fake", ""), {}, "has no tokens"),
        (("fake", "fail"), {}, "told to fail"),
        (("fake", "crash"), {}, "died"),
    ],
)
def test_what_goes_wrong_is_said(model, args, options, problem):
    with pytest.raises(CommandError, match=problem):
        generate(*args, **options)
