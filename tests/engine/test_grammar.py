"""Answers that must have a form, from a model whose every choice is noise."""

import asyncio
import json
import re
from pathlib import Path

import jsonschema
import pytest

from inference.engine import FinishReason, Grammar, InvalidParameter, SamplingParams
from inference.engine.grammar import MAX_GRAMMAR_CHARS
from tests.tiny_gguf import END_OF_TEXT, IM_END, make_tiny_gguf, vocabulary

from .test_llama import running, state_dir  # noqa: F401  a fixture

SCHEMAS = {
    path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob("schemas/*")
}
HOT = {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
# Noise would seldom close what it has opened.
CLOSING = {vocabulary().index(char): 4.0 for char in '"}]'}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return [
        make_tiny_gguf(tmp_path_factory.mktemp("m") / "m.gguf", seed=seed, context_length=2048)
        for seed in (0, 1)
    ]


@pytest.fixture
async def host(models, state_dir):  # noqa: F811
    async with running(models[0], state_dir, max_sequences=8) as host:
        yield host


def schema(schema, param="response_format"):
    return Grammar("json_schema", json.dumps(schema), param)


async def ask(host, grammar, prompt="a tale", **params):
    params = {"max_tokens": 1500, **HOT, **params}
    stream = await host.submit(text=prompt, params=SamplingParams(grammar=grammar, **params))
    return "".join([piece.text async for piece in stream]), stream.finish.reason


def is_valid(text, schema):
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
    return validator.is_valid(json.loads(text))


@pytest.mark.parametrize("seed", [0, 1])
async def test_whatever_the_model_every_complete_answer_is_valid(models, state_dir, seed):  # noqa: F811
    async with running(models[seed], state_dir, max_sequences=8, cache_tokens=4096) as host:
        answers = await asyncio.gather(
            *(ask(host, schema(form), logit_bias=CLOSING) for form in SCHEMAS.values())
        )
    named = zip(SCHEMAS, answers, strict=True)
    complete = {name: text for name, (text, reason) in named if reason is FinishReason.STOP}
    assert len(SCHEMAS) > 30
    assert len(complete) > len(SCHEMAS) * 0.8
    assert [text for name, text in complete.items() if not is_valid(text, SCHEMAS[name])] == []


async def test_an_answer_cut_by_its_limit_says_so(host):
    _, reason = await ask(host, schema({"type": "string", "minLength": 50}), max_tokens=5)
    assert reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("kind", "source", "form"),
    [
        ("regex", r"[0-9]{3}-[0-9]{4}", r"[0-9]{3}-[0-9]{4}"),
        ("grammar", 'root ::= "yes" | "no" [a-c]{2}', r"yes|no[a-c]{2}"),
        ("grammar", 'start: word (" " word)~2\nword: /[a-f]{1,4}/', r"[a-f]{1,4}( [a-f]{1,4}){2}"),
        ("lark", 'start: "<" /[0-9]+/ ">"', r"<[0-9]+>"),
    ],
)
async def test_grammars_of_every_kind_are_followed(host, kind, source, form):
    text, reason = await ask(host, Grammar(kind, source, "grammar"), logit_bias=CLOSING)
    assert re.fullmatch(form, text)
    assert reason is FinishReason.STOP


@pytest.mark.parametrize(
    "params",
    [
        {"top_k": 40, "top_p": 0.9, "min_p": 0.05},
        {"typical_p": 0.5},
        {"temperature": 0.0},
        {"repeat_penalty": 1.5, "presence_penalty": 1.0, "repeat_last_n": -1},
        {"ignore_eos": True},
        {"min_tokens": 400},
        {"logit_bias": {END_OF_TEXT: 100.0, IM_END: 100.0}},
    ],
    ids=lambda params: next(iter(params)),
)
async def test_no_other_parameter_breaks_the_form(host, params):
    form = {"type": "object", "properties": {"a": {"enum": [10, 20]}}, "required": ["a"]}
    closed = {**form, "additionalProperties": False}
    text, reason = await ask(host, schema(closed), **params)
    assert json.loads(text)["a"] in (10, 20)
    assert reason is FinishReason.STOP


async def test_the_same_seed_writes_the_same_answer(host):
    form = schema({"type": "string", "minLength": 20, "maxLength": 40})
    one, again, other = [(await ask(host, form, seed=seed))[0] for seed in (7, 7, 8)]
    assert one == again != other


async def test_a_stop_string_ends_it_all_the_same(host):
    text, reason = await ask(host, Grammar("regex", "abcdef", "grammar"), stop=("cd",))
    assert (text, reason) == ("ab", FinishReason.STOP)


async def test_a_sequence_that_lost_its_place_goes_on_in_its_form(models, state_dir):  # noqa: F811
    options = {"context_length": 256, "cache_tokens": 512, "max_sequences": 4}
    form = Grammar("regex", "[a-z]{150}", "grammar")
    async with running(models[0], state_dir, **options) as host:
        prompts = [f"{number} and on" for number in range(4)]
        answers = await asyncio.gather(
            *(ask(host, form, prompt, max_tokens=None) for prompt in prompts)
        )
    assert options["cache_tokens"] < 4 * 150
    assert [bool(re.fullmatch("[a-z]{150}", text)) for text, _ in answers] == [True] * 4


async def test_who_has_no_form_writes_what_they_would_write_alone(host):
    params = {"max_tokens": 24, "temperature": 0.0, "ignore_eos": True}
    alone = await ask(host, None, **params)
    beside, _ = await asyncio.gather(
        ask(host, None, **params), ask(host, schema({}), logit_bias=CLOSING)
    )
    assert beside == alone


BOMBS = {
    "doubling": "start: A0\n"
    + "".join(f"A{i}: A{i + 1} A{i + 1}\n" for i in range(30))
    + 'A30: "x"',
    "deep": "start: " + "(" * 30_000 + '"a"' + ")" * 30_000,
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_and_the_engine_lives(host, name):
    with pytest.raises(InvalidParameter, match="grammar: "):
        await ask(host, Grammar("lark", BOMBS[name], "grammar"))
    assert (await ask(host, Grammar("regex", "ab", "grammar")))[0] == "ab"


async def test_a_long_chain_of_rules_does_not_overrun_the_stack(host):
    chain = "start: a0\n" + "".join(f"a{i}: a{i + 1}\n" for i in range(5000)) + 'a5000: "x"'
    assert (await ask(host, Grammar("lark", chain, "grammar")))[0] == "x"


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"not": {"type": "string"}}, '"not"'),
        ({"type": "string", "format": "colour"}, "colour"),
        ({"type": "nothing"}, "nothing"),
        ({"$ref": "https://example.org/schema"}, "https://example.org/schema"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "'a'"),
        ({"enum": [f"{n:010}" for n in range(5000)]}, f"more than {MAX_GRAMMAR_CHARS}"),
        ({"properties": {f"{n}": {} for n in range(4200)}}, "members"),
    ],
)
async def test_a_schema_that_cannot_be_followed_is_refused_by_name(host, refused, named):
    with pytest.raises(InvalidParameter, match=named) as caught:
        await ask(host, schema(refused, "json_schema"))
    assert caught.value.param == "json_schema"


@pytest.mark.parametrize("params", [{"mirostat": 1}, {"mirostat": 2}, {"xtc_probability": 1.0}])
async def test_a_form_is_kept_however_its_tokens_are_chosen(host, params):
    text, reason = await ask(host, Grammar("regex", "[a-c]{3}x", "grammar"), **params)

    assert (re.fullmatch("[a-c]{3}x", text) is not None, reason) == (True, FinishReason.STOP)


async def test_every_answer_of_a_group_follows_the_form_by_itself(host):
    grammar = Grammar("regex", "[a-z]{12}x", "grammar")
    made = [
        host.submit(text="a tale", group=1, params=SamplingParams(grammar=grammar, seed=s, **HOT))
        for s in range(4)
    ]

    texts = [
        "".join([piece.text async for piece in stream]) for stream in await asyncio.gather(*made)
    ]

    assert [text for text in texts if not re.fullmatch("[a-z]{12}x", text)] == []
    assert len({*texts}) == 4


async def test_the_logprobs_of_a_form_are_those_of_its_own_text(host):
    params = SamplingParams(
        grammar=Grammar("regex", "[a-z]{5}", "grammar"), num_logprobs=2, ignore_eos=True, **HOT
    )
    stream = await host.submit(text="a tale", params=params)

    pieces = [piece async for piece in stream]

    told = [token for piece in pieces for token in piece.logprobs or ()]
    assert b"".join(token.text for token in told).decode() == "".join(p.text for p in pieces)
    assert [len(token.top) for token in told] == [2] * len(told)
    assert all(token.text for token in told)
