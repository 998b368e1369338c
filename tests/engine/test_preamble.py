import pytest

from inference.engine.config import EngineConfig
from inference.engine.errors import TemplateError
from inference.engine.fake import FakeBackend
from inference.engine.preamble import Preamble, with_system
from inference.engine.prompt import PromptMaker
from inference.engine.request import ContextPolicy, Request
from inference.engine.sampling import SamplingParams
from inference.engine.wire import Count, Render

SYSTEM = "you are kind"
ASK = {"role": "user", "content": "hello you"}


@pytest.fixture
def backend():
    return FakeBackend(EngineConfig(model_id="m", path="", backend="fake", context_length=12))


def made(backend, messages=None, **fields):
    request = Request(id=1, messages=messages, system=SYSTEM, **fields)
    return PromptMaker(backend).make(request)


def words(backend, tokens):
    return " ".join(backend.words[token] for token in tokens)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_of_ones_own_takes_its_place(role):
    own = [{"role": role, "content": "be brief"}, ASK]
    assert with_system(own, SYSTEM) == own
    assert with_system([ASK], "") == [ASK]
    assert with_system([ASK], SYSTEM) == [{"role": "system", "content": SYSTEM}, ASK]


def test_it_is_in_the_prompt_and_anybodys(backend):
    prompt = made(backend, [ASK])
    assert words(backend, prompt.tokens) == "you are kind hello you"
    assert prompt.num_public == 3


def test_who_says_the_same_has_it_too(backend):
    own = [{"role": "system", "content": SYSTEM}, ASK]
    assert made(backend, own).num_public == 3
    assert made(backend, text="you are kind of a friend").num_public == 3


def test_nothing_else_is_anybodys(backend):
    assert made(backend, [{"role": "system", "content": "you are rude"}, ASK]).num_public == 2
    assert made(backend, [{"role": "system", "content": "be brief"}, ASK]).num_public == 0
    assert made(backend, text="hello").num_public == 0


def test_without_one_nothing_is(backend):
    request = Request(id=1, messages=[ASK])
    assert PromptMaker(backend).make(request).num_public == 0


def test_it_is_rendered_once_until_it_changes(backend, monkeypatch):
    rendered = []
    render = backend.render
    monkeypatch.setattr(
        backend, "render", lambda m, o: rendered.append(m[0]["content"]) or render(m, o)
    )
    preamble = Preamble(backend)
    for _ in range(3):
        preamble.num_public([1], SYSTEM)
    assert rendered == [SYSTEM] * 2
    preamble.num_public([1], "another")
    assert rendered == [SYSTEM] * 2 + ["another"] * 2


def test_one_that_no_context_has_room_for_is_not_tokenized(backend, monkeypatch):
    monkeypatch.setattr(backend, "render", None)
    assert Preamble(backend).num_public([1], "a" * 13_000) == 0


def test_a_template_that_wants_none_is_told_to_who_asks(backend, monkeypatch):
    def render(messages, options):
        if messages[0]["role"] == "system":
            raise TemplateError("System role not supported")
        return "hello"

    monkeypatch.setattr(backend, "render", render)
    with pytest.raises(TemplateError, match="not supported"):
        made(backend, [ASK])
    assert made(backend, text="you are").num_public == 0


def test_trimming_keeps_it_and_counts_messages_without_it(backend):
    talk = [{"role": ("user", "assistant")[n % 2], "content": f"word{n} word{n}"} for n in range(5)]
    policy, params = ContextPolicy.DROP_OLDEST, SamplingParams(max_tokens=1)
    prompt = made(backend, talk, context_policy=policy, params=params)
    assert words(backend, prompt.tokens).startswith(f"{SYSTEM} word")
    assert prompt.dropped == [0, 1]


def test_it_counts_and_is_shown(backend):
    maker = PromptMaker(backend)
    assert maker.tell(Count(1, messages=[ASK], system=SYSTEM)).tokens == [5]
    assert maker.tell(Render(1, [ASK], {}, SYSTEM)).text == "you are kind hello you"
