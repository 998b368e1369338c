"""Whatever a client sends, it hears what is wrong with it, and the next one is answered."""

import asyncio
import json
import tracemalloc

import pytest

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
USER = {"role": "user", "content": "a"}
HUGE = 10**400
NOT_NUMBERS = ["1", True, [], {}, HUGE, -HUGE, 2**64, 10**30]
NOT_STRINGS = [1, True, [1], {}, {"str": 1}]


def faults(field, *values, param=None):
    return [pytest.param({field: v}, param or field, id=f"{field}={v!r:.30}") for v in values]


SAMPLING = [
    *faults("temperature", *NOT_NUMBERS, -0.1, 2.1),
    *faults("top_p", *NOT_NUMBERS, 0, 1.1),
    *faults("top_k", *NOT_NUMBERS, -1, 1.5),
    *faults("min_p", *NOT_NUMBERS, -0.1, 1.1),
    *faults("typical_p", *NOT_NUMBERS, 0, 1.1),
    *faults("repeat_penalty", *NOT_NUMBERS, 0, 10.1),
    *faults("repeat_last_n", *NOT_NUMBERS, -2, 1.5),
    *faults("presence_penalty", *NOT_NUMBERS, -2.1, 2.1),
    *faults("frequency_penalty", *NOT_NUMBERS, -2.1, 2.1),
    *faults("seed", *NOT_NUMBERS, 1.5, 2**63, -(2**63) - 1),
    *faults("max_tokens", *NOT_NUMBERS, 0, -1, 1.5, 2**31),
    *faults("min_tokens", *NOT_NUMBERS, -1, 1.5, 2**31),
    *faults("ignore_eos", "true", 1, 0, [], {}),
    *faults("stream", "true", 1, 0, [], {}),
    *faults("stream_options", True, [], "x", 1),
    *faults("stream_options", {"include_usage": 1}, param="stream_options.include_usage"),
    *faults("stop", 1, True, {}, "", [""], ["x"] * 17, "x" * 1001),
    *faults("stop", [1], param="stop[0]"),
    *faults("stop", ["x", None], param="stop[1]"),
    *faults("stop_token_ids", 1, "1", {}, [1] * 1025),
    *faults("logit_bias", [], "x", 1, {"x": 1}, {"-1": 1}, {"": 1}, {"1.5": 1}, {"١": 1}),
    *faults("logit_bias", {"9" * 10: 1}, {"9" * 5000: 1}, {"1": 101}, {"1": 1e300}),
    *faults("logit_bias", dict.fromkeys(map(str, range(1025)), 1)),
    *faults("logit_bias", {"9" * 10**5: "x"}, param=f"logit_bias.{'9' * 100}"),
    *faults("logit_bias", {"1": "1"}, {"1": None}, {"1": HUGE}, param="logit_bias.1"),
    *faults("stop_token_ids", [1, "1"], [1, True], [1, HUGE], [1, -1], param="stop_token_ids[1]"),
    *faults("model", *NOT_STRINGS, "", "x" * 301, "x" * 10**6, "a\0b"),
]
MESSAGES = [
    *faults("messages", "x", 1, {}, []),
    *faults("messages", [1], ["x"], [[]], [None], param="messages[0]"),
    *faults("messages", [{}], [{"content": "x"}], param="messages[0].role"),
    *faults("messages", [USER, {"role": "robot", "content": ""}], param="messages[1].role"),
    *faults("messages", [USER, {"role": 1, "content": ""}], param="messages[1].role"),
    *faults("messages", [{"role": "user"}], param="messages[0].content"),
    *faults("messages", [{"role": "assistant"}], param="messages[0].content"),
    *faults("messages", [{"role": "assistant", "tool_calls": []}], param="messages[0].content"),
    *faults("messages", [{"role": "tool", "content": None}], param="messages[0].content"),
    *faults("messages", [{"role": "user", "content": {"str": 1}}], param="messages[0].content"),
    *faults("messages", [USER, {**USER, "x": 10**30}], param="messages[1]"),
    *faults("messages", [USER, {**USER, "x": [{"y": -(10**30)}]}], param="messages[1]"),
]
PARTS = [
    *faults("content", 1, True, param="messages[0].content"),
    *faults("content", [1], ["x"], param="messages[0].content[0]"),
    *faults("content", [{}], [{"text": "x"}], param="messages[0].content[0].type"),
    *faults("content", [{"type": 1}], param="messages[0].content[0].type"),
    *faults("content", [{"type": "text"}], param="messages[0].content[0].text"),
    *faults("content", [{"type": "text", "text": 1}], param="messages[0].content[0].text"),
    *faults("content", [{"type": "refusal", "text": "x"}], param="messages[0].content[0].refusal"),
]
CHATS_ONLY = [
    *faults("max_completion_tokens", *NOT_NUMBERS, 0, -1, 1.5, 2**31),
    *faults("chat_template_kwargs", [], "x", 1, {"x": 10**30}, {"x": [HUGE]}),
]
PROMPTS = [
    *faults("prompt", 1, True, {}, {"str": 1}, [], ["a"] * 129),
    *faults("prompt", [1.5], [True], [None], [{}], [-1], [2**31], [HUGE], param="prompt[0]"),
    *faults("prompt", ["a", 1], [1, "a"], [1, [1]], ["a", ["b"]], param="prompt[1]"),
    *faults("prompt", [[1, "a"]], [[1, -1]], param="prompt[0][1]"),
]


def assert_names(response, param, code="invalid_request_error"):
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["type"] == "invalid_request_error"
    assert (error["code"], error["param"]) == (code, param), error
    assert param.partition("[")[0] in error["message"]
    assert len(error["message"]) < 1000


# Without a database, a model or an engine: these are refused before anybody is asked.


@pytest.mark.parametrize(("fields", "param"), [*SAMPLING, *MESSAGES, *CHATS_ONLY])
async def test_a_fault_in_a_chat_is_named(api, fields, param):
    assert_names(await api.chat(**fields), param)


@pytest.mark.parametrize(("fields", "param"), PARTS)
async def test_a_fault_in_a_messages_content_is_named(api, fields, param):
    assert_names(await api.chat(**fields), param)


@pytest.mark.parametrize(("fields", "param"), PROMPTS)
async def test_a_fault_in_a_text_completion_is_named(api, fields, param):
    assert_names(await api.complete(**fields), param)


@pytest.mark.parametrize("prompt", ["", " ", [""], [[]], ["a", ""], [999999], [[999999]]])
async def test_a_prompt_that_only_the_engine_can_refuse_is_named(api, fake_model, prompt):
    assert_names(await api.complete(prompt), "prompt")


@pytest.mark.parametrize("part", ["image_url", "input_audio", "file", "video", "x" * 10**5])
async def test_a_part_that_is_not_text_is_unsupported(api, part):
    response = await api.chat([{"type": "text", "text": "a"}, {"type": part, part: {}}])
    assert_names(response, "messages[0].content[1].type", "unsupported_parameter")


@pytest.mark.parametrize(
    ("path", "param"), [(CHAT, "model"), (TEXT, "model"), ("/chat/completions", "model")]
)
async def test_what_is_missing_is_named(api, path, param):
    assert_names(await api.post(path, {}), param)


async def test_messages_that_are_missing_are_named(api):
    assert_names(await api.post(CHAT, {"model": "fake"}), "messages")
    assert_names(await api.post(TEXT, {"model": "fake", "prompt": None}), "prompt")


@pytest.mark.parametrize("path", [CHAT, TEXT, "/chat/completions"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"model": "fake",}',
        b"{'model': 'fake'}",
        b'{"model": "fake"} x',
        b'{"model": "fake", "temperature": NaN}',
        b'{"model": "fake", "temperature": Infinity}',
        b'{"model": "fake", "temperature": -Infinity}',
        b'{"model": "fake", "temperature": 1e999}',
        b'{"model": "fake", "seed": 1' + b"0" * 5000 + b"}",
        b'{"model": "fake\xff"}',
        b'{"model": "fake\xed\xa0\x80"}',
        b'{"model": "\\ud800"}',
        b'{"model": "\\udc00"}',
        b'{"model": "\\ud800\\u0041"}',
        b'{"model": "\\x"}',
        b'{"model": "a\nb"}',
        b"\xef\xbb\xbf{}",
        '{"model": "fake"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\0",
    ],
)
async def test_what_is_not_json_is_refused(api, path, body):
    response = await api.send(path, body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid_request_error")
    assert "JSON" in error["message"]


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b"null", b"1", b'"x"', b"true"])
async def test_json_that_is_not_an_object_is_refused(api, body):
    response = await api.send(CHAT, body)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "The request has to be a JSON object."


async def test_a_body_above_the_limit_is_413(api):
    response = await api.chat("a" * 20_000_000)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (413, "request_too_large")


async def test_the_limit_is_the_configured_one_to_the_byte(api, fake_model, configure):
    configure(limits={"max_body_mb": 1 / 1024})
    body = json.dumps({"model": "fake", "messages": [USER]}).encode()
    fitting = body + b" " * (1024 - len(body))
    statuses = [
        (await api.send(CHAT, fitting)).status_code,
        (await api.send(CHAT, fitting + b" ")).status_code,
    ]
    assert statuses == [200, 413]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", [0.5] * 200_000),
        ("prompt", [[0.5]] * 100_000),
        ("stop_token_ids", ["x"] * 200_000),
        ("stop", [1] * 200_000),
        ("logit_bias", {str(i): "x" for i in range(100_000)}),
    ],
)
async def test_many_faults_cost_no_more_than_one(api, field, value):
    """pydantic would keep 3 KB about each."""
    body = json.dumps({"model": "fake", "prompt": "a", field: value}).encode()
    tracemalloc.start()
    response = await api.send(TEXT, body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith(field)
    assert peak < 50 * 2**20


async def test_many_faulty_messages_cost_no_more_than_one(api):
    response = await api.chat(messages=[1] * 200_000)
    assert_names(response, "messages[0]")


@pytest.mark.parametrize("depth", [100, 500, 800, 990])
@pytest.mark.parametrize("field", ["chat_template_kwargs", "messages", "made_up", "stop"])
async def test_deep_nesting_harms_nobody(api, fake_model, field, depth):
    deep = "[" * depth + "]" * depth
    values = {
        "chat_template_kwargs": f'{{"x": {deep}}}',
        "messages": f'[{{"role": "user", "content": "a", "x": {deep}}}]',
        "made_up": deep,
        "stop": deep,
    }
    body = {"messages": '[{"role": "user", "content": "a"}]', field: values[field]}
    text = ", ".join(f'"{key}": {value}' for key, value in body.items())
    response = await api.send(CHAT, f'{{"model": "fake", {text}}}'.encode())
    assert response.status_code in (200, 400)
    assert (await api.chat("a")).status_code == 200


@pytest.mark.parametrize(
    "text",
    ["\0", "a\0b", "\ufeff", "\u2028", "\x1b[2J", "\uffff", "🙂" * 1000, "a" * 10**6],
)
async def test_any_text_is_a_prompt(api, fake_model, text):
    chat, completion = await api.chat(f"x {text}"), await api.complete(f"x {text}")
    assert (chat.status_code, completion.status_code) == (200, 200)


async def test_after_every_kind_of_refusal_a_normal_request_works(api, fake_model):
    await api.send(CHAT, b"[" * 100_000)
    await api.chat(temperature=HUGE)
    await api.chat(messages=[{**USER, "x": 10**30}])
    await api.complete([999999])
    await api.chat("a " * 5000)
    await api.chat("a" * 11 * 2**20)
    answer = (await api.chat("a b")).json()
    assert answer["choices"][0]["message"]["content"] == "a b "


async def test_numbers_may_be_written_as_json_allows(api, fake_model):
    body = b'{"model": "fake", "prompt": "a b", "max_tokens": 2, "temperature": 1, "seed": -0}'
    assert (await api.send(TEXT, body)).status_code == 200


async def test_the_last_of_two_equal_keys_counts(api, fake_model):
    body = b'{"model": "nope", "model": "fake", "prompt": "a"}'
    assert (await api.send(TEXT, body)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/health"])
async def test_a_host_that_is_not_ours_is_refused_in_words(api, path):
    response = await api.get(path, host="evil.example")
    assert response.status_code == 400
    assert "server.allowed_hosts" in response.json()["error"]["message"]


async def test_a_browser_with_a_host_that_is_not_ours_gets_a_page(api):
    response = await api.get("/", host="evil.example", accept="text/html")
    assert (response.status_code, response["content-type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize("kind", ["image_url", "input_image"])
@pytest.mark.parametrize("scheme", ["http", "data"])
async def test_images_are_refused_and_no_address_is_fetched(api, fake_model, scheme, kind):
    asked = []

    async def note(reader, writer):
        asked.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    urls = {"http": f"http://127.0.0.1:{port}/cat.png", "data": "data:image/png;base64,iVBORw0K"}
    async with server:
        answer = await api.chat([{"type": kind, "image_url": {"url": urls[scheme]}}])

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "unsupported_parameter"
    assert "no address is ever fetched" in error["message"]
    assert asked == []
