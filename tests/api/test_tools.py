"""Tools of chat completions. The fake model echoes; what it has to write is the shortest."""

import json

import jsonschema
import pytest

from inference.api.schemas import ChatCompletionRequest

from .client import events_of

pytestmark = pytest.mark.usefixtures("fake_model")

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/city"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
    "$defs": {"city": {"enum": ["Rome", "Oslo"]}},
}
NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "description": "Tells the time.", "parameters": NO_PARAMETERS},
}
TOOLS = [WEATHER, CLOCK]
NAMED = {"type": "function", "function": {"name": "weather"}}
CALL = '<tool_call> {"name": "weather", "arguments": {"city": "Rome", "days": 2}} </tool_call>'
TEMPLATES = {
    "hermes": "{{ tools }}<tool_call>",
    "llama3": "{{ tools }}<|python_tag|>",
    "mistral": "{{ tools }}[TOOL_CALLS]",
    "mistral args": "{{ tools }}[TOOL_CALLS][ARGS]",
    "qwen coder": "{{ tools }}<tool_call><function=",
    "generic": "{{ messages }}",
}


@pytest.fixture
def speaks(fake_model):
    """Gives the model a template of that format."""

    async def change(name):
        fake_model.chat_template = TEMPLATES[name]
        await fake_model.asave()

    return change


@pytest.fixture
async def hermes(speaks):
    await speaks("hermes")


async def choice_of(api, content, **fields):
    response = await api.chat(content, **fields)
    assert response.status_code == 200, response.content
    return response.json()["choices"][0]


def called(message):
    return [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls(message)]


def calls(message):
    return message.get("tool_calls", [])


@pytest.mark.usefixtures("hermes")
async def test_a_call_is_no_text(api):
    choice = await choice_of(api, CALL, tools=TOOLS)
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert called(choice["message"]) == [("weather", {"city": "Rome", "days": 2})]
    (call,) = calls(choice["message"])
    assert call["id"].startswith("call_")
    assert call["type"] == "function"


@pytest.mark.usefixtures("hermes")
async def test_text_before_calls_is_kept_and_every_call_has_its_id(api):
    choice = await choice_of(api, f"Let me see. {CALL} {CALL}", tools=TOOLS)
    assert choice["message"]["content"] == "Let me see."
    assert len({call["id"] for call in calls(choice["message"])}) == 2


@pytest.mark.usefixtures("hermes")
async def test_calls_are_streamed_in_the_order_that_clients_need(api):
    chunks = await events_of(await api.chat(f"So: {CALL} {CALL}", tools=TOOLS, stream=True))
    assert chunks.pop() == "[DONE]"
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert choices[-1]["delta"] == {}
    assert [c["finish_reason"] for c in choices] == [None] * (len(choices) - 1) + ["tool_calls"]
    pieces = [call for c in choices for call in c["delta"].get("tool_calls", [])]
    for index in (0, 1):
        first, *rest = [piece for piece in pieces if piece["index"] == index]
        assert first.keys() == {"index", "id", "type", "function"}
        assert first["function"] == {"name": "weather", "arguments": ""}
        assert all(piece.keys() == {"index", "function"} for piece in rest)
        assert all(piece["function"].keys() == {"arguments"} for piece in rest)
        arguments = "".join(piece["function"]["arguments"] for piece in rest)
        assert json.loads(arguments) == {"city": "Rome", "days": 2}
    assert [piece["index"] for piece in pieces] == sorted(piece["index"] for piece in pieces)


@pytest.mark.usefixtures("hermes")
@pytest.mark.parametrize("fields", [{}, {"tools": TOOLS, "tool_choice": "none"}, {"tools": []}])
async def test_without_tools_nothing_is_a_call(api, fields):
    choice = await choice_of(api, CALL, **fields)
    assert choice["message"]["content"] == CALL + " "
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


@pytest.mark.usefixtures("hermes")
async def test_a_call_of_no_tool_is_text(api):
    choice = await choice_of(api, CALL, tools=[CLOCK])
    assert choice["message"]["content"] == CALL + " "


@pytest.mark.usefixtures("hermes")
async def test_calls_one_at_a_time_are_one(api):
    fields = {"tools": TOOLS, "parallel_tool_calls": False}
    choice = await choice_of(api, f"{CALL} {CALL}", **fields)
    assert len(calls(choice["message"])) == 1


@pytest.mark.usefixtures("hermes")
@pytest.mark.parametrize("fields", [{}, {"tool_choice": "required"}])
async def test_a_call_that_the_limit_cuts_ends_with_length(api, fields):
    choice = await choice_of(api, CALL, tools=TOOLS, max_tokens=6, **fields)
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("parallel", [True, False])
async def test_a_call_that_is_required_is_made_with_valid_arguments(api, speaks, name, parallel):
    await speaks(name)
    fields = {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": parallel}
    choice = await choice_of(api, "a b", **fields)
    assert choice["finish_reason"] == "tool_calls"
    assert [call for call, _ in called(choice["message"])] == ["clock"]


@pytest.mark.parametrize("name", TEMPLATES)
async def test_a_tool_that_is_named_is_called_with_valid_arguments(api, speaks, name):
    await speaks(name)
    chunks = await events_of(
        await api.chat("a b", tools=TOOLS, tool_choice=NAMED, stream=True, temperature=1.5)
    )
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    pieces = [call["function"] for delta in deltas for call in calls(delta)]
    assert pieces[0]["name"] == "weather"
    jsonschema.validate(json.loads("".join(p["arguments"] for p in pieces)), PARAMETERS)
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_model_that_knows_no_tools_is_told_of_them_in_words(api):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Well?"}]
    choice = await choice_of(api, "", messages=messages, tools=TOOLS)
    said = choice["message"]["content"]
    assert said.startswith("Be brief. You can call these functions:")
    assert '"description": "Tells the time."' in said
    assert said.endswith("Well? ")


async def test_calls_and_results_go_back_to_the_model(api):
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
    }
    messages = [
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    said = (await choice_of(api, "", messages=messages))["message"]["content"]
    assert said == (
        'Well? {"name": "weather", "arguments": {"city": "Rome"}} weather returned: sunny '
    )


async def test_nothing_is_left_out_of_the_count_of_messages(api):
    assert (await api.chat("a", tools=TOOLS))["x-context"].startswith("kept=2, dropped=0")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [CLOCK, CLOCK]}, "tools[1].function.name"),
        ({"tools": [CLOCK] * 129}, "tools"),
        ({"tools": [CLOCK], "tool_choice": NAMED}, "tool_choice.function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [CLOCK], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [CLOCK], "response_format": {"type": "json_object"}}, "response_format"),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "parameters": {"not": {"type": "string"}}},
                    }
                ],
                "tool_choice": "required",
            },
            "tools",
        ),
    ],
)
async def test_tools_that_make_no_sense_are_refused_by_name(api, fields, param):
    response = await api.chat("a", **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_an_unknown_model_is_not_found_with_tools_too(api):
    response = await api.chat("a", model="nobody", tools=TOOLS)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


# Thoughts


def assert_some_are_thoughts(usage):
    tokens = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < tokens < usage["completion_tokens"]


async def test_what_the_model_thinks_first_is_apart(api):
    answer = (await api.chat("<think> a b </think> c")).json()
    message = answer["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == (" a b ", " c ")
    assert_some_are_thoughts(answer["usage"])


async def test_thoughts_are_streamed_apart(api):
    chunks = await events_of(
        await api.chat(
            "<think> a b </think> c", stream=True, stream_options={"include_usage": True}
        )
    )
    *middle, usage = chunks[1:-1]
    deltas = [chunk["choices"][0]["delta"] for chunk in middle]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == " a b "
    assert "".join(delta.get("content", "") for delta in deltas) == " c "
    assert_some_are_thoughts(usage["usage"])


async def test_a_thought_that_the_prompt_has_opened_needs_no_tag(api):
    message = (await choice_of(api, "b </think> c <think>"))["message"]
    assert (message["reasoning_content"], message["content"]) == ("b ", " c <think> ")


@pytest.mark.parametrize("content", ["x y </think> <think>", "<think> x y </think> z"])
async def test_a_form_begins_behind_the_thoughts(api, content):
    message = (await choice_of(api, content, guided_regex="[b-d]"))["message"]
    assert (message["reasoning_content"].strip(), message["content"].strip()) == ("x y", "b")


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("content", ["x y z <think>", "<think> x y z"])
async def test_a_call_that_is_required_may_be_thought_about(api, speaks, name, content):
    await speaks(name)
    fields = {"tools": TOOLS, "tool_choice": NAMED, "thinking_budget_tokens": 2}
    choice = await choice_of(api, content, **fields)
    assert choice["finish_reason"] == "tool_calls"
    assert [call for call, _ in called(choice["message"])] == ["weather"]


BUDGETED = [
    ({"thinking_budget_tokens": 2}, 2),
    ({"thinking_token_budget": 2, "reasoning_effort": "high"}, 2),
    ({"thinking_budget_tokens": 0}, 0),
    ({"thinking_budget_tokens": -1}, 400),
    ({"reasoning_effort": "none"}, 0),
    ({"reasoning_effort": "minimal"}, 256),
    ({"reasoning_effort": "high"}, 400),
    ({"reasoning_effort": None}, 400),
]


@pytest.mark.parametrize(("fields", "num_thoughts"), BUDGETED)
@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_end_when_their_budget_is_used(api, fields, num_thoughts, stream):
    content = "<think> " + "a " * 400
    response = await api.chat(content + "</think> b", stream=stream, **fields)
    if stream:
        deltas = [c["choices"][0]["delta"] for c in (await events_of(response))[:-1]]
    else:
        deltas = [response.json()["choices"][0]["message"]]
    thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    assert thought.split() == ["a"] * num_thoughts
    assert "".join(delta.get("content") or "" for delta in deltas).endswith("b ")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"thinking_budget_tokens": -2}, "thinking_budget_tokens"),
        ({"thinking_budget_tokens": 1, "thinking_token_budget": 2}, "thinking_token_budget"),
        ({"reasoning_effort": "much"}, "reasoning_effort"),
    ],
)
async def test_a_budget_that_makes_no_sense_is_refused_by_name(api, fields, param):
    response = await api.chat("a", **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_each_of_several_answers_has_a_budget_of_its_own(api):
    answer = (await api.chat("<think> a b c d", n=2, thinking_budget_tokens=2)).json()
    thoughts = [choice["message"]["reasoning_content"] for choice in answer["choices"]]
    assert [thought.split() for thought in thoughts] == [["a", "b"]] * 2


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, {}),
        ({"thinking_budget_tokens": 9}, {}),
        ({"reasoning_effort": "none"}, {"enable_thinking": False}),
        ({"reasoning_effort": "low"}, {"enable_thinking": True, "reasoning_effort": "low"}),
        (
            {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True}},
            {"enable_thinking": True},
        ),
    ],
)
def test_templates_are_told_how_much_is_to_be_thought(fields, options):
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], **fields}
    assert ChatCompletionRequest.model_validate(body).prompt()["template_options"] == options


@pytest.mark.usefixtures("hermes")
async def test_a_call_may_follow_a_thought(api):
    choice = await choice_of(api, f"<think> hm </think> {CALL}", tools=TOOLS)
    assert choice["message"]["reasoning_content"] == " hm "
    assert called(choice["message"]) == [("weather", {"city": "Rome", "days": 2})]


# Functions, as they were before


FUNCTIONS = [WEATHER["function"], CLOCK["function"]]


@pytest.mark.usefixtures("hermes")
async def test_a_call_of_a_function_is_written_in_the_older_way(api):
    choice = await choice_of(api, f"So: {CALL} {CALL}", functions=FUNCTIONS)
    assert choice["finish_reason"] == "function_call"
    message = choice["message"]
    assert (message["content"], "tool_calls" in message) == ("So:", False)
    arguments = message["function_call"].pop("arguments")
    assert message["function_call"] == {"name": "weather"}
    assert json.loads(arguments) == {"city": "Rome", "days": 2}


@pytest.mark.usefixtures("hermes")
@pytest.mark.parametrize("choice", ["auto", {"name": "weather"}])
async def test_a_call_of_a_function_is_streamed_in_the_older_way(api, choice):
    chunks = await events_of(
        await api.chat(CALL, functions=FUNCTIONS, function_call=choice, stream=True)
    )
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[1:-2]]
    first, *rest = [delta["function_call"] for delta in deltas]
    assert first == {"name": "weather", "arguments": ""}
    assert all(call.keys() == {"arguments"} for call in rest)
    jsonschema.validate(json.loads("".join(call["arguments"] for call in rest)), PARAMETERS)
    assert chunks[-2]["choices"][0]["finish_reason"] == "function_call"


@pytest.mark.usefixtures("hermes")
async def test_functions_that_may_not_be_called_are_not(api):
    choice = await choice_of(api, CALL, functions=FUNCTIONS, function_call="none")
    assert choice["message"]["content"] == CALL + " "


async def test_calls_of_functions_and_what_they_returned_go_back_to_the_model(api):
    messages = [
        {"role": "user", "content": "Well?"},
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "weather", "arguments": '{"city": "Rome"}'},
        },
        {"role": "function", "name": "weather", "content": "sunny"},
    ]
    said = (await choice_of(api, "", messages=messages))["message"]["content"]
    assert said == (
        'Well? {"name": "weather", "arguments": {"city": "Rome"}} weather returned: sunny '
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"functions": [{"name": "a b"}]}, "functions[0].name"),
        ({"functions": [FUNCTIONS[0]] * 2}, "functions[1].name"),
        ({"functions": FUNCTIONS, "tools": TOOLS}, "functions"),
        ({"functions": FUNCTIONS, "function_call": {"name": "x"}}, "function_call.name"),
        ({"function_call": {"name": "x"}}, "function_call"),
        ({"functions": FUNCTIONS, "function_call": "maybe"}, "function_call"),
    ],
)
async def test_functions_that_make_no_sense_are_refused_by_name(api, fields, param):
    response = await api.chat("a", **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
