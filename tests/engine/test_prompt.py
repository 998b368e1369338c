import pytest

from inference.engine.config import EngineConfig
from inference.engine.errors import InvalidParameter, PromptTooLong, TemplateError
from inference.engine.fake import FakeBackend
from inference.engine.prompt import PromptMaker
from inference.engine.request import ContextPolicy, Request
from inference.engine.sampling import SamplingParams
from inference.engine.wire import (
    Count,
    Counted,
    Detokenize,
    Render,
    Tokenize,
    Tokenized,
    Written,
)

ERROR, DROP_OLDEST, MIDDLE_OUT = ContextPolicy


class Backend(FakeBackend):
    """Remembers what it was asked for; a template without messages is an error."""

    def __init__(self, context_length):
        super().__init__(
            EngineConfig(model_id="m", path="", backend="fake", context_length=context_length)
        )
        self.rendered = []
        self.tokenized = []

    def render(self, messages, options):
        if not messages:
            raise TemplateError("no messages")
        self.rendered.append(len(messages))
        return super().render(messages, options)

    def tokenize(self, text, add_special=True):
        self.tokenized.append(text)
        return super().tokenize(text, add_special)


def made(backend, contents, policy=DROP_OLDEST, max_tokens=1):
    """Of messages that a user and an assistant write in turn."""
    messages = [
        {"role": ("user", "assistant")[index % 2], "content": content}
        for index, content in enumerate(contents)
    ]
    params = SamplingParams(max_tokens=max_tokens)
    request = Request(id=1, messages=messages, context_policy=policy, params=params)
    prompt = PromptMaker(backend).make(request)
    return "".join(backend.piece(token).decode() for token in prompt.tokens).split(), prompt.dropped


def told(backend, question):
    return PromptMaker(backend).tell(question)


def test_what_fits_is_rendered_once():
    backend = Backend(10)

    assert made(backend, ["a", "b", "c"]) == (["a", "b", "c"], [])
    assert backend.rendered == [3]


def test_the_oldest_turns_go_until_the_answer_has_its_room():
    backend = Backend(8)

    assert made(backend, ["a", "b", "c", "d", "e e"], max_tokens=2) == (
        ["a", "b", "c", "d", "e", "e"],
        [],
    )
    assert made(backend, ["a", "b", "c", "d", "e e e"], max_tokens=2) == (
        ["c", "d", "e", "e", "e"],
        [0, 1],
    )


def test_the_middle_goes_before_the_first_turn():
    prompt = made(Backend(8), ["a", "b", "c", "d", "e e e"], MIDDLE_OUT, max_tokens=2)

    assert prompt == (["a", "b", "e", "e", "e"], [2, 3])


def test_without_a_policy_nothing_goes():
    with pytest.raises(PromptTooLong, match="the prompt has 8"):
        made(Backend(8), ["a", "b", "c", "d", "e e e e"], ERROR)


def test_an_answer_without_its_whole_room_is_better_than_none():
    prompt = made(Backend(8), ["a", "b", "e " * 7], max_tokens=2)

    assert prompt == (["e"] * 7, [0, 1])


def test_a_last_message_that_is_too_long_alone_is_refused_with_its_own_length():
    with pytest.raises(PromptTooLong, match="the prompt has 8") as caught:
        made(Backend(8), ["a", "b", "e " * 8])
    assert caught.value.param == "messages"


def test_what_is_far_too_long_is_not_tokenized_on_the_way():
    backend = Backend(8)
    backend.max_token_length = 2

    prompt = made(backend, ["a" * 1000, "b", "c"])

    assert prompt == (["c"], [0, 1])
    assert backend.tokenized == ["c"]


def test_texts_are_counted_without_a_prompts_opening_token():
    backend = Backend(100)
    backend.tokenize = lambda text, add_special=True: [7, *text.encode()]

    assert told(backend, Count(1, texts=["", "abc"])) == Counted(1, [0, 3])


def test_the_prompt_that_messages_make_is_counted_whole():
    messages = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c"}]

    assert told(Backend(2), Count(1, messages=messages)) == Counted(1, [3])


def test_of_a_text_that_is_far_too_long_the_least_is_said():
    backend = Backend(8)
    backend.max_token_length = 2

    assert told(backend, Count(1, texts=["x" * 1000])) == Counted(1, [500])
    assert backend.tokenized == [""]


# Questions


def test_tokens_are_told_with_what_they_are_called():
    backend = Backend(8)

    assert told(backend, Tokenize(1, "a b a")) == Tokenized(1, [1, 2, 1], ["a ", "b ", "a "])
    assert told(backend, Detokenize(2, [2, 0, 1])) == Written(2, "b <end>a ")


def test_a_text_is_tokenized_without_an_opening_token_if_it_is_asked_for():
    backend = Backend(8)
    backend.tokenize = lambda text, add_special: [0] * add_special + [1]
    backend.words.append("a")

    tokens = [told(backend, Tokenize(1, "a", with_it)).tokens for with_it in (True, False)]

    assert tokens == [[0, 1], [1]]


def test_half_a_character_is_called_by_what_stands_for_it():
    backend = Backend(8)
    backend.words.append("é")
    backend.piece = lambda token: "é".encode()[:1]

    assert told(backend, Tokenize(1, "é")).names == ["�"]


def test_a_text_may_have_more_tokens_than_the_context_but_not_far_more():
    backend = Backend(8)
    backend.max_token_length = 2

    assert len(told(backend, Tokenize(1, " ".join("a" * 9))).tokens) == 9
    with pytest.raises(PromptTooLong) as caught:
        told(backend, Tokenize(1, " ".join("a" * 10)))
    assert caught.value.param == "prompt"


def test_a_token_of_another_model_cannot_be_written_out():
    with pytest.raises(InvalidParameter) as caught:
        told(Backend(8), Detokenize(1, [0, 9]))
    assert caught.value.param == "tokens"


def test_a_prompt_is_written_out():
    messages = [{"role": "user", "content": "a  b"}, {"role": "assistant", "content": "c"}]

    assert told(Backend(8), Render(1, messages)) == Written(1, "a  b c")
