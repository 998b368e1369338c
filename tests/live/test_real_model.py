"""The default model behind the whole service."""

import asyncio
import json
from functools import partial
from itertools import count
from typing import Literal

import httpx
import jsonschema
import openai
import pydantic
import pytest

pytestmark = pytest.mark.model

QUESTION = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "Why is the sky blue?"},
]


@pytest.fixture
def client(real_server):
    with real_server.client(timeout=60) as client:
        yield client


def text_of(answer):
    return answer.choices[0].message.content


def test_whole_and_streamed_a_greedy_answer_is_the_same(client):
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 0, "max_tokens": 8}
    whole = client.chat.completions.create(**asked)
    with client.chat.completions.create(**asked, stream=True) as stream:
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text_of(whole) == streamed
    assert "sky" in streamed.lower()
    assert whole.usage.completion_tokens == 8
    assert whole.usage.prompt_tokens > 20


def test_the_same_seed_writes_the_same_text_and_another_does_not(client):
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 1.5, "max_tokens": 8}
    texts = [text_of(client.chat.completions.create(**asked, seed=seed)) for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


async def test_requests_at_the_same_time_get_answers_of_their_own(real_server):
    topics = ["cats", "rivers", "music", "bread"]

    async def ask(client, topic):
        answer = await client.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": f"Write about {topic}."}],
            temperature=0,
            max_tokens=12,
        )
        return text_of(answer)

    async with real_server.async_client(timeout=60) as client:
        texts = await asyncio.gather(*(ask(client, topic) for topic in topics))
    assert len(set(texts)) == len(topics)
    mentioned = [topic[:4] in text.lower() for topic, text in zip(topics, texts, strict=True)]
    assert sum(mentioned) >= 3


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_are_those_of_the_text(client, stream):
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 0, "max_tokens": 8}
    answer = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3, stream=stream)
    parts = [c.choices[0] for c in answer if c.choices] if stream else answer.choices
    said = "".join((p.delta if stream else p.message).content or "" for p in parts)
    tokens = [token for part in parts if part.logprobs for token in part.logprobs.content]
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == said
    assert len(tokens) == 8
    assert all(token.logprob == token.top_logprobs[0].logprob <= 0 for token in tokens)


def test_several_greedy_answers_are_the_single_one(client):
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 0, "max_tokens": 12}
    single = client.chat.completions.create(**asked)
    several = client.chat.completions.create(**asked, n=4)
    assert [choice.message.content for choice in several.choices] == [text_of(single)] * 4
    assert several.usage.prompt_tokens == single.usage.prompt_tokens
    assert several.usage.completion_tokens == 4 * single.usage.completion_tokens


def test_several_warm_answers_differ(client):
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 1.5, "max_tokens": 8}
    several = client.chat.completions.create(**asked, n=4, seed=1)
    assert len({choice.message.content for choice in several.choices}) == 4


def test_an_answer_goes_on_from_its_beginning(client):
    begun = [*QUESTION, {"role": "assistant", "content": "The sky is blue because"}]
    asked = {"model": "smollm2", "messages": begun, "temperature": 0, "max_tokens": 6}
    goes_on = {"continue_final_message": True, "add_generation_prompt": False}
    continued = text_of(client.chat.completions.create(**asked, extra_body=goes_on))
    assert continued.startswith(" ")
    assert "The sky is blue" not in continued


def test_a_completion_echoes_its_prompt(client):
    asked = {"model": "smollm2", "prompt": "1 2 3 4 5", "temperature": 0, "max_tokens": 4}
    plain = client.completions.create(**asked).choices[0].text
    assert client.completions.create(**asked, echo=True).choices[0].text == f"1 2 3 4 5{plain}"


def test_a_prompt_is_judged_without_an_answer(client):
    sentences = ["Paris is the capital of France.", "Paris is the onion of Thursday."]
    answer = client.completions.create(
        model="smollm2", prompt=sentences, echo=True, logprobs=2, max_tokens=0
    )
    assert [choice.text for choice in answer.choices] == sentences
    assert answer.usage.completion_tokens == 0
    told = [choice.logprobs for choice in answer.choices]
    assert ["".join(logprobs.tokens) for logprobs in told] == sentences
    assert all(logprobs.token_logprobs[0] is None for logprobs in told)
    true, false = [sum(logprobs.token_logprobs[1:]) for logprobs in told]
    assert false < true < 0


def test_a_suffix_says_that_the_model_cannot(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="smollm2", prompt="def f(", suffix="return x")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "suffix")


def test_a_stop_string_and_a_stop_token_end_it(client):
    asked = {"model": "smollm2", "prompt": "1 2 3 4 5", "temperature": 0, "max_tokens": 12}
    [full] = client.completions.create(**asked).choices
    word = full.text.split()[1]
    [cut] = client.completions.create(**asked, stop=word).choices
    assert word not in cut.text
    assert full.text.startswith(cut.text)
    assert cut.finish_reason == "stop"


ODD_PROMPTS = [
    *("\0", "a\0b", "\ufffd\u202e\x1b", "\U0001f642" * 5, " "),
    *([49151], [49152], [2**31 - 1], [[0], [49152]]),
]
ONLY_SPECIAL = ["<|im_start|>", "<|endoftext|><|im_start|><|im_end|>" * 5, [0], [0, 1, 2], ""]
EXTREMES = [
    {"logit_bias": {"49151": 100, "49152": 100, str(2**31 - 1): -100}},
    {"stop_token_ids": [49152, 2**31 - 1]},
    {"top_k": 2**31 - 1, "temperature": 2, "min_p": 1},
    {"repeat_last_n": -1, "presence_penalty": 2, "frequency_penalty": -2},
    {"temperature": 1e-300, "top_p": 1e-300, "typical_p": 1e-300, "seed": 2**63 - 1},
]
ODD_CHATS = [
    {"chat_template_kwargs": {"messages": [], "tools": 1, "bos_token": "x" * 1000}},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{"role": "assistant", "content": "x"}]},
    {"messages": [{"role": "user", "content": ""}]},
]


@pytest.mark.parametrize("prompt", ONLY_SPECIAL)
def test_a_prompt_of_special_tokens_only_is_refused(real_server, prompt):
    asked = {"model": "smollm2", "prompt": prompt}
    response = httpx.post(f"{real_server.url}/v1/completions", json=asked, timeout=90)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, "prompt")
    assert "special" in error["message"]


def test_a_prompt_that_is_far_too_long_is_refused_unread(real_server):
    asked = {"model": "smollm2", "prompt": "a" * 9_000_000}
    response = httpx.post(f"{real_server.url}/v1/completions", json=asked, timeout=90)
    assert response.json()["error"]["code"] == "context_length_exceeded"


async def test_nothing_that_may_be_asked_harms_it(real_server):
    """All at once; the answers do not matter, but that there are some."""
    prompts = [{"prompt": prompt} for prompt in ODD_PROMPTS]
    prompts += [{"prompt": "a b c", **fields} for fields in EXTREMES]
    async with httpx.AsyncClient(base_url=real_server.url, timeout=90) as client:

        async def ask(path, fields):
            asked = {"model": "smollm2", "messages": QUESTION, "max_tokens": 1, **fields}
            response = await client.post(path, json=asked)
            assert response.status_code in (200, 400), (fields, response.text)

        await asyncio.gather(
            *(ask("/v1/completions", fields) for fields in prompts),
            *(ask("/v1/chat/completions", fields) for fields in ODD_CHATS),
        )
    with real_server.client() as client:
        answer = client.completions.create(model="smollm2", prompt="a", max_tokens=1)
    assert answer.usage.completion_tokens == 1
    assert len(real_server.log_lines(event="model loaded")) == 1
    assert real_server.log_lines(event="engine died") == []


@pytest.mark.timeout(600)  # the model is loaded a second time, and answers four times
async def test_a_deterministic_answer_is_the_same_beside_others_and_when_it_is_replayed(
    real_server,
):
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 1.2, "max_tokens": 8}
    alone = {"seed": 7, "deterministic": True}
    async with (
        real_server.async_client(timeout=90) as client,
        httpx.AsyncClient(base_url=real_server.url, timeout=90) as http,
    ):

        async def others():
            for number in count():
                prompt = f"{number}: once upon a time"
                await client.completions.create(model="smollm2", prompt=prompt, max_tokens=8)

        async def answered():
            response = await http.post("/v1/chat/completions", json=asked | alone)
            receipt = (await http.get(f"/v1/receipts/{response.headers['x-receipt']}")).json()
            return response.json()["choices"][0]["message"]["content"], receipt

        quiet = await answered()
        beside = [asyncio.create_task(others()) for _ in range(3)]
        busy = [await answered() for _ in range(2)]
        assert not any(task.done() for task in beside)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    (text, receipt), *again = [quiet, *busy]
    assert [one for one, _ in again] == [text] * 2
    assert [told["output_tokens"] for _, told in again] == [receipt["output_tokens"]] * 2
    assert len(receipt["output_tokens"]) == 8
    # It loads the model a second time, beside the server's.
    replay = partial(real_server.manage, "replay", receipt["id"], patience=300)
    told = await asyncio.to_thread(replay)
    assert told.splitlines()[-1] == f"{receipt['id']}: the same 8 tokens"


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    born: int = pydantic.Field(ge=1000, le=9999)
    fields: list[Literal["mathematics", "music", "painting"]] = pydantic.Field(max_length=2)


async def test_hot_answers_are_parsed_into_a_model_beside_free_ones(real_server):
    asked = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Ada Lovelace, 1815, as JSON"}],
        "temperature": 1.5,
    }
    async with real_server.async_client(timeout=90) as client:
        *answers, free = await asyncio.gather(
            *(client.chat.completions.parse(**asked, response_format=Person) for _ in range(3)),
            client.chat.completions.create(**asked, max_tokens=8),
        )
    assert [answer.choices[0].finish_reason for answer in answers] == ["stop"] * 3
    assert all(isinstance(answer.choices[0].message.parsed, Person) for answer in answers)
    assert free.choices[0].finish_reason == "length"


def test_a_tool_is_called_with_arguments_of_its_schema(client):
    weather = {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"enum": [1, 2]}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    }
    answer = client.chat.completions.create(
        model="smollm2",
        messages=[{"role": "user", "content": "How is the weather in Rome?"}],
        tools=[{"type": "function", "function": weather}],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=1.5,
    )
    (call,) = answer.choices[0].message.tool_calls
    jsonschema.validate(json.loads(call.function.arguments), weather["parameters"])
    assert answer.choices[0].finish_reason == "tool_calls"
