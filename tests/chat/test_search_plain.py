"""Hits read as text, not as Markdown."""

import pytest

from chat.search import search
from chat.search.plain import plain
from tests.chat.talk import conversation, owner, person


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("With **\2eggs\3** and *flour*.", "With \2eggs\3 and flour."),
        ("… of it.\n\n## A \2cake\3\n\n- sugar\n- **salt**", "… of it. A \2cake\3 sugar salt"),
        ("```python\nx = `\2y\3`\n```", "x = \2y\3"),
        ("See [the \2docs\3](https://a.example/b).", "See the \2docs\3."),
        ("See [it](https://\2docs\3.example).", "See [it](https://\2docs\3.example)."),
        ("| a | b |\n|---|:-:|\n| \2c\3 | d |", "a | b \2c\3 | d"),
        ("2 * 3 * 4, a*b, snake_case and C#", "2 * 3 * 4, a*b, snake_case and C#"),
        ("> quoted ~~\2old\3~~", "quoted \2old\3"),
        ("", ""),
    ],
)
def test_signs_of_markdown_are_left_out_and_marks_stay(markdown, text):
    assert plain(markdown) == text


def test_a_hit_in_an_answer_is_plain_and_one_in_a_question_as_it_was_typed(db):
    alice = person("alice")
    conversation(alice, "", ("What is **flour**?", "It is **ground** `grain`."))
    for words, shown in (("flour", "What is **flour**?"), ("ground", "It is ground grain.")):
        (hit,) = search(owner(alice), words)
        assert "".join(part.text for part in hit.snippet) == shown
        assert [part.text for part in hit.snippet if part.is_match] == [words]
