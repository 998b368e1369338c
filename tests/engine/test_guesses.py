from inference.engine.guesses import MODEL_TRIAL_DRAFTS, Guesses


def judged(guesses, drafts, num_asked=8):
    for drafted, accepted in drafts:
        guesses.asked_model(num_asked)
        guesses.judge(drafted, accepted)
    return guesses


def test_a_text_is_asked_only_where_it_is_to_be():
    text = [1, 2, 3, 1, 2]
    assert Guesses(text, looks_up=True).look_up(2) == [3, 1]
    assert Guesses(text, looks_up=False).look_up(2) == []


def test_a_text_is_asked_for_twice_what_was_right():
    guesses = Guesses([1, 2, 3] * 9, looks_up=True)
    reached = []
    for num_accepted in (2, 4, 8, 3, 0, 1):
        reached.append(len(guesses.look_up(8)))
        guesses.judge(reached[-1], num_accepted)

    assert reached == [2, 4, 8, 8, 6, 2]


def test_a_model_that_is_wrong_is_not_asked_for_a_while():
    guesses = judged(Guesses([1], looks_up=False), [(4, 0)] * MODEL_TRIAL_DRAFTS)
    assert not guesses.may_ask_model

    for _ in range(64):
        guesses.append(1)
    assert guesses.may_ask_model


def test_a_model_has_more_than_one_try():
    guesses = judged(Guesses([1], looks_up=False), [(4, 0)] * (MODEL_TRIAL_DRAFTS - 1))
    assert guesses.may_ask_model


def test_a_model_that_is_never_sure_is_as_useless():
    guesses = judged(Guesses([1], looks_up=False), [(0, 0)] * MODEL_TRIAL_DRAFTS)
    assert not guesses.may_ask_model


def test_a_model_of_which_every_other_token_is_right_goes_on():
    guesses = judged(Guesses([1], looks_up=False), [(3, 2), (1, 1), (0, 0)] * 20)
    assert guesses.may_ask_model


def test_each_is_judged_by_its_own():
    guesses = Guesses([1, 2, 1, 2], looks_up=True)
    for _ in range(MODEL_TRIAL_DRAFTS):
        guesses.judge(2, 0)

    assert guesses.look_up(2) == []
    assert guesses.may_ask_model
