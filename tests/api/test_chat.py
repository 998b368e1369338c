"""POST /v1/chat/completions, answered whole."""

import pytest

from inference.api.schemas import ChatCompletionRequest

pytestmark = pytest.mark.usefixtures("fake_model")

UNSUPPORTED = ChatCompletionRequest.unsupported


def content_of(response):
    assert response.status_code == 200, response.content
    return response.json()["choices"][0]["message"]["content"]


async def test_an_answer_has_exactly_the_fields_of_a_completion(api):
    response = await api.chat("a b c")
    answer = response.json()
    assert response.status_code == 200
    assert response["content-type"] == "application/json"
    assert answer.pop("id").startswith("chatcmpl-")
    assert isinstance(answer.pop("created"), int)
    assert answer.pop("system_fingerprint").startswith("fp_")
    assert answer.pop("timings").keys() == {
        *("queued_ms", "cache_n", "prompt_n", "prompt_ms"),
        *("predicted_n", "predicted_ms", "predicted_per_second"),
    }
    assert answer == {
        "object": "chat.completion",
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a b c ", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_two_answers_have_different_ids_and_the_same_fingerprint(api):
    first, second = (await api.chat()).json(), (await api.chat()).json()
    assert first["id"] != second["id"]
    assert first["system_fingerprint"] == second["system_fingerprint"]


async def test_the_fingerprint_changes_with_the_file(api, fake_model):
    first = (await api.chat()).json()
    fake_model.sha256 = "0" * 64
    await fake_model.asave()
    assert (await api.chat()).json()["system_fingerprint"] != first["system_fingerprint"]


async def test_an_alias_is_answered_under_the_models_own_id(api):
    assert (await api.chat(model="gpt-fake")).json()["model"] == "fake"


async def test_the_whole_conversation_is_the_prompt(api):
    roles = ["developer", "system", "user", "assistant", "tool", "function", "user"]
    messages = [{"role": role, "content": f"from-{role}"} for role in roles]
    assert content_of(await api.chat(messages=messages)) == "".join(f"from-{r} " for r in roles)


async def test_content_may_be_parts_each_on_a_line_of_its_own(api):
    parts = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
        {"type": "refusal", "refusal": "c"},
    ]
    assert content_of(await api.chat(parts)) == "a b c "


async def test_what_a_client_kept_of_our_own_answer_is_accepted_back(api):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "a", "name": "alice"},
        {
            "role": "assistant",
            "content": "b",
            "refusal": None,
            "audio": None,
            "tool_calls": None,
            "function_call": None,
            "annotations": [],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "c", "tool_call_id": "1"},
    ]
    answer = content_of(await api.chat(messages=messages))
    assert answer.split()[:2] == ["a", "b"]
    assert answer.split()[-1] == "c"


async def test_max_tokens_ends_the_answer(api):
    choice = (await api.chat("a b c", max_tokens=2)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("a b ", "length")


async def test_max_completion_tokens_wins_over_max_tokens(api):
    answer = (await api.chat("a b c d", max_tokens=1, max_completion_tokens=3)).json()
    assert answer["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("stop", ["c", ["c"], ["x", "c", "y", "z"]])
async def test_a_stop_string_ends_the_answer_and_is_not_in_it(api, stop):
    choice = (await api.chat("a b c d", stop=stop)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("a b ", "stop")


async def test_null_means_absent_in_every_optional_field(api):
    optional = [
        *("stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature"),
        *("top_p", "top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "seed"),
        *("presence_penalty", "frequency_penalty", "logit_bias", "stop", "stop_token_ids"),
        *("dry_multiplier", "dry_sequence_breakers", "xtc_probability", "mirostat"),
        *("min_tokens", "ignore_eos", "chat_template_kwargs", "user", "metadata"),
        *("logprobs", "top_logprobs", "n", *UNSUPPORTED),
    ]
    response = await api.chat(**dict.fromkeys(optional))
    assert content_of(response) == "a b c "
    assert "x-ignored-params" not in response


async def test_null_means_absent_within_a_field_too(api):
    assert content_of(await api.chat(stream_options={"include_usage": None})) == "a b c "


async def test_every_sampling_field_is_accepted(api):
    response = await api.chat(
        temperature=0,
        top_p=0.5,
        top_k=3,
        min_p=0.1,
        typical_p=0.9,
        repeat_penalty=1.1,
        repeat_last_n=-1,
        presence_penalty=-2,
        frequency_penalty=2,
        logit_bias={"5": 100, "6": -1.5},
        seed=-(2**63),
        dry_multiplier=0.8,
        dry_base=1.75,
        dry_allowed_length=2,
        dry_penalty_last_n=-1,
        dry_sequence_breakers=["\n"],
        xtc_probability=0.5,
        xtc_threshold=0.1,
        mirostat=2,
        mirostat_tau=5,
        mirostat_eta=0.1,
        stop_token_ids=[5],
        min_tokens=0,
        ignore_eos=False,
        chat_template_kwargs={"enable_thinking": False},
    )
    assert content_of(response) == "a b c "
    assert "x-ignored-params" not in response


ASKED = {"role": "user", "content": "a b"}
BEGUN = {"role": "assistant", "content": "c d"}


async def continued(api, *messages, **fields):
    asked = {"model": "fake", "messages": messages, "continue_final_message": True, **fields}
    return await api.post("/v1/chat/completions", asked)


@pytest.mark.parametrize("fields", [{}, {"add_generation_prompt": False}])
async def test_the_beginning_of_an_answer_is_continued(api, fields):
    answer = (await continued(api, ASKED, BEGUN, **fields)).json()
    assert answer["usage"]["prompt_tokens"] == 3  # the fake puts no space between
    assert answer["choices"][0]["message"]["content"] == "a bc d "


@pytest.mark.parametrize(
    ("begun", "thought", "said"),
    [
        ("<think> so", "a ", " b<think> so "),
        ("<think> so </think>", None, "a </think> b<think> so </think> "),
        ("so", None, "a </think> bso "),
    ],
)
async def test_a_thought_that_has_begun_is_continued(api, begun, thought, said):
    asked = {"role": "user", "content": "a </think> b"}

    answer = (await continued(api, asked, {**BEGUN, "content": begun})).json()

    message = answer["choices"][0]["message"]
    assert (message.get("reasoning_content"), message["content"]) == (thought, said)


async def test_no_beginning_is_continued_beside_tools(api):
    tools = [{"type": "function", "function": {"name": "clock"}}]

    error = (await continued(api, ASKED, BEGUN, tools=tools)).json()["error"]

    assert (error["code"], error["param"]) == ("unsupported_parameter", "continue_final_message")


@pytest.mark.parametrize(
    ("messages", "fields", "param"),
    [
        ([ASKED], {}, "messages"),
        ([BEGUN], {}, "messages"),
        ([ASKED, {"role": "assistant", "content": ""}], {}, "messages"),
        ([ASKED, BEGUN], {"add_generation_prompt": True}, "add_generation_prompt"),
        (
            [ASKED, BEGUN],
            {"continue_final_message": False, "add_generation_prompt": False},
            "add_generation_prompt",
        ),
    ],
)
async def test_what_is_no_beginning_of_an_answer_is_refused(api, messages, fields, param):
    error = (await continued(api, *messages, **fields)).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request_error", param)


async def test_a_beginning_counts_as_a_part_of_the_prompt(api, configure):
    configure(limits={"max_prompt_length": 5})
    error = (await continued(api, ASKED, BEGUN)).json()["error"]
    assert error["code"] == "limit_exceeded"


async def test_harmless_fields_are_ignored_and_named(api):
    response = await api.chat(
        user="alice", metadata={"a": "b"}, store=True, service_tier="auto", made_up=1
    )
    assert content_of(response) == "a b c "
    assert response["x-ignored-params"] == "made_up, metadata, service_tier, store, user"


async def test_names_of_ignored_fields_cannot_break_the_header(api):
    response = await api.chat(**{"a\r\nset-cookie: b": 1, "é" * 1000: 1})
    assert response["x-ignored-params"] == r"a\r\nset-cookie: b, " + r"\xe9" * 60
    assert "set-cookie" not in response


@pytest.mark.parametrize("field", sorted({*UNSUPPORTED} - {*ChatCompletionRequest.model_fields}))
async def test_a_field_that_would_change_the_answer_is_refused(api, field):
    response = await api.chat(**{field: {"type": "json_object"}})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("unsupported_parameter", field)
    assert field in error["message"]


@pytest.mark.parametrize(
    ("field", "value"), [(field, v) for field, values in UNSUPPORTED.items() for v in values]
)
async def test_such_a_field_may_say_that_it_changes_nothing(api, field, value):
    assert content_of(await api.chat(**{field: value})) == "a b c "


@pytest.mark.parametrize(("field", "value"), [("best_of", True), ("echo", 0)])
async def test_true_is_not_one_and_zero_is_not_false(api, field, value):
    response = await api.chat(**{field: value})
    assert response.json()["error"]["code"] == "unsupported_parameter"


async def test_an_answer_to_a_client_that_accepts_only_event_streams_is_json(api):
    response = await api.post(
        "/v1/chat/completions",
        {"model": "fake", "messages": [{"role": "user", "content": "a"}]},
        accept="text/event-stream",
    )
    assert response["content-type"] == "application/json"
    assert content_of(response) == "a "


@pytest.mark.parametrize("accept", ["text/plain", "application/xml;q=0.1", "x", "", "image/*"])
async def test_whatever_a_client_accepts_it_is_answered(api, accept):
    assert (await api.get("/v1/models", accept=accept)).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "/"],
)
async def test_json_is_json_whatever_its_content_type_says(api, content_type):
    body = b'{"model": "fake", "messages": [{"role": "user", "content": "a"}]}'
    assert content_of(await api.send("/v1/chat/completions", body, content_type)) == "a "


async def test_every_answer_carries_a_request_id(api):
    chosen = await api.get("/v1/models", **{"x-request-id": "trace-1"})
    assert chosen["x-request-id"] == "trace-1"
    assert (await api.chat())["x-request-id"].startswith("req_")
