import pytest

from bench.serving.comparison import Step, Tally, Verdict, compare


def steps(*texts, seconds=(), margins=()):
    """Tokens written alone; the rivals are `#` and far away, unless given."""
    rivals, far = dict(seconds), dict(margins)
    return [
        step(text.encode(), rivals.get(n, "#").encode(), far.get(n, 9.0))
        for n, text in enumerate(texts)
    ]


def step(piece, rival=b"#", margin=9.0):
    return Step(piece, ((rival, margin), (b"%", 10.0)))


ALONE = steps(" the", " cat", " sat", seconds=[(1, " dog")], margins=[(1, 0.01)])


def test_the_same_text_is_equal():
    assert compare(" the cat sat", ALONE) == (Verdict.EQUAL, 0.0)


def test_white_space_at_the_ends_does_not_count():
    assert compare("the cat sat\n", ALONE) == (Verdict.EQUAL, 0.0)


@pytest.mark.parametrize("served", [" the dog barks", "the dog barks"])
def test_a_rival_within_the_tie_may_be_taken(served):
    assert compare(served, ALONE) == (Verdict.TIE, 0.01)


def test_another_token_than_the_rival_is_a_difference():
    assert compare(" the cow moos", ALONE) == (Verdict.DIFFER, 10.0)


def test_a_rival_beyond_the_tie_may_not_be_taken():
    assert compare(" the dog", ALONE, tie=0.001) == (Verdict.DIFFER, 0.01)


def test_a_difference_behind_the_tie_is_one():
    assert compare(" the cat ran", ALONE) == (Verdict.DIFFER, 10.0)


def test_the_third_best_token_may_be_within_the_tie_too():
    alone = [Step(b" a", ((b" b", 0.01), (b" c", 0.02), (b" d", 0.3)))]

    assert compare(" c", alone) == (Verdict.TIE, 0.02)
    assert compare(" d", alone) == (Verdict.DIFFER, 0.3)


def test_a_rival_may_begin_with_the_token():
    alone = steps(" a", " the", " cat", seconds=[(1, " then")], margins=[(1, 0.02)])

    assert compare(" a then he", alone) == (Verdict.TIE, 0.02)


def test_a_token_may_begin_with_its_rival():
    alone = steps(" a", " then", seconds=[(1, " the")], margins=[(1, 0.02)])

    assert compare(" a the", alone) == (Verdict.TIE, 0.02)


def test_a_rival_that_ended_before_the_texts_part_is_no_excuse():
    alone = steps(" then", " he", " sat", seconds=[(0, " th")], margins=[(0, 0.02)])

    assert compare(" then he ran", alone) == (Verdict.DIFFER, 10.0)


def test_a_text_that_stops_early_differs():
    assert compare(" the cat", ALONE)[0] is Verdict.DIFFER


def test_a_character_that_the_end_has_cut_does_not_count():
    cut = [step(b" caf", b"#", 9.0), step(b"\xc3", b"#", 9.0)]

    assert compare(" caf\ufffd", cut) == (Verdict.EQUAL, 0.0)
    assert compare(" caf", cut) == (Verdict.EQUAL, 0.0)


def test_bytes_that_are_no_characters_do_not_count():
    broken = [step(b" a\xff", b"#", 9.0), step(b"b", b"#", 9.0), step(b" c", b" d", 0.01)]

    assert compare(" a\ufffdb c", broken)[0] is Verdict.EQUAL
    assert compare(" ab d", broken) == (Verdict.TIE, 0.01)


def test_a_character_may_be_made_by_several_tokens():
    umlaut = [step(b"\xc3", b"#", 9.0), step(b"\xa4", b"\xb6", 0.01), step(b"x", b"#", 9.0)]

    assert compare("\u00e4x", umlaut) == (Verdict.EQUAL, 0.0)
    assert compare("\u00f6y", umlaut) == (Verdict.TIE, 0.01)
    assert compare("\u00e4y", umlaut) == (Verdict.DIFFER, 10.0)


def test_a_tally_says_how_often_and_the_widest_margin():
    tally = Tally()
    for verdict, margin in [(Verdict.EQUAL, 0), (Verdict.TIE, 0.02), (Verdict.TIE, 0.01)]:
        tally.add(verdict, margin)

    assert str(tally) == "1 / 2 / 0 (margin 0.020)"
