from inference.engine.guesses import TRIAL_DRAFTS, Guesses, Trust


def judged(guesses, drafts, num_asked=8):
    for drafted, accepted in drafts:
        guesses.asked_model(num_asked)
        guesses.judge(drafted, accepted)
    return guesses


def repeating(looks_up=True):
    """Of a text that has repeated itself for a while."""
    guesses = Guesses([1, 2, 3] * 3, looks_up=looks_up)
    for token in [1, 2, 3] * 6:
        guesses.append(token)
    return guesses


def test_a_text_is_asked_only_where_it_is_to_be():
    assert repeating().look_up(2) == [1, 2]
    assert repeating(looks_up=False).look_up(2) == []


def test_a_text_is_asked_for_twice_what_was_right():
    guesses = repeating()
    reached = []
    for num_accepted in (2, 4, 8, 3, 0, 1):
        reached.append(len(guesses.look_up(8)))
        guesses.judge(reached[-1], num_accepted)

    assert reached == [2, 4, 8, 8, 6, 2]


def test_a_model_that_is_wrong_is_not_asked_for_a_while():
    guesses = judged(Guesses([1], looks_up=False), [(4, 0)] * TRIAL_DRAFTS)
    assert not guesses.may_ask_model

    for _ in range(64):
        guesses.append(1)
    assert guesses.may_ask_model


def test_a_model_has_more_than_one_try():
    guesses = judged(Guesses([1], looks_up=False), [(4, 0)] * (TRIAL_DRAFTS - 1))
    assert guesses.may_ask_model


def test_a_model_that_is_never_sure_is_as_useless():
    guesses = judged(Guesses([1], looks_up=False), [(0, 0)] * TRIAL_DRAFTS)
    assert not guesses.may_ask_model


def test_a_model_of_which_every_other_token_is_right_goes_on():
    guesses = judged(Guesses([1], looks_up=False), [(3, 2), (1, 1), (0, 0)] * 20)
    assert guesses.may_ask_model


def test_each_is_judged_by_its_own():
    guesses = repeating()
    for _ in range(2 * TRIAL_DRAFTS):
        guesses.judge(2, 0)

    assert guesses.look_up(2) == []
    assert guesses.may_ask_model


def test_a_trial_that_goes_well_forgets_how_long_the_pauses_were():
    trust = Trust()
    assert [fail(trust) for _ in range(6)] == [64, 128, 256, 512, 1024, 1024]

    trust.note(4, 4)

    assert fail(trust) == 64


def fail(trust):
    """Until there are no drafts; then how many tokens are without."""
    while trust.is_on:
        trust.note(4, 0)
    passed = 0
    while not trust.is_on:
        trust.pass_token()
        passed += 1
    return passed
