"""Images in chat requests, for a model with a projector."""

import base64
import hashlib

import pytest

from accounts.models import PromptRecord
from inference.engine.fake import PIXELS
from inference.models import LanguageModel
from tests.api.client import eventually
from tests.tiny_projector import make_png

RED, BLUE = make_png(), make_png(colour=(0, 0, 255))
HUGE = RED.replace((8).to_bytes(4) * 2, (2**31).to_bytes(4) * 2)
COUNT = "/v1/chat/completions/input_tokens"
MESSAGES = "/v1/messages"


@pytest.fixture(autouse=True)
def seeing(fake_model):
    """The model `fake`, which sees every image as four pixels."""
    fake_model.projector, fake_model.projector_file = "file:///eyes.gguf", "/eyes.gguf"
    fake_model.projector_sha256 = "ab" * 32
    fake_model.save()
    return fake_model


def encoded(data):
    return base64.b64encode(data).decode()


def text(said):
    return {"type": "text", "text": said}


def image(data=RED, kind="image/png", **more):
    url = f"data:{kind};base64,{encoded(data)}"
    return {"type": "image_url", "image_url": {"url": url, **more}}


def block(data=RED, kind="image/png"):
    source = {"type": "base64", "media_type": kind, "data": encoded(data)}
    return {"type": "image", "source": source}


async def answer(api, parts, **fields):
    response = await api.chat(parts, **fields)
    assert response.status_code == 200, response.content
    return response.json()


def said(body):
    return body["choices"][0]["message"]["content"]


async def test_an_image_is_seen_where_it_stands(api):
    body = await answer(api, [text("a"), image(detail="low"), text("b")])
    assert said(body).split() == ["a", *["pixels"] * PIXELS, "b"]
    assert body["usage"]["prompt_tokens"] == 2 + PIXELS


async def test_it_may_be_a_string_as_newer_clients_send_it(api):
    part = {"type": "input_image", "image_url": image()["image_url"]["url"]}
    assert said(await answer(api, [part])).split() == ["pixels"] * PIXELS


async def test_several_are_seen_in_their_order_and_every_choice_sees_them(api):
    body = await answer(api, [image(), text("and"), image(BLUE)], n=2)
    for choice in body["choices"]:
        pixels = ["pixels"] * PIXELS
        assert choice["message"]["content"].split() == [*pixels, "and", *pixels]


async def test_only_the_same_image_is_in_the_cache(api):
    question = [text("w " * 40), image(), text("what is it")]
    first, again, other = [
        (await answer(api, parts))["usage"]["prompt_tokens_details"]["cached_tokens"]
        for parts in (question, question, [question[0], image(BLUE), question[2]])
    ]
    assert (first, again, other) == (0, 40 + PIXELS + 2, 40)


async def test_it_is_counted(api):
    body = {"model": "fake", "messages": [{"role": "user", "content": [text("a"), image()]}]}
    assert (await api.post(COUNT, body)).json()["input_tokens"] == 1 + PIXELS


async def test_what_it_is_in_the_template_cannot_be_shown(api):
    body = {"model": "fake", "messages": [{"role": "user", "content": [image()]}]}
    for path in ("/v1/tokenize", "/v1/apply-template"):
        error = (await api.post(path, body)).json()["error"]
        assert error["param"] == "messages[0].content[0].image_url"


async def test_anthropics_blocks_are_images_too(api):
    content = [text("a"), block(), text("b")]
    body = {"model": "fake", "max_tokens": 50, "messages": [{"role": "user", "content": content}]}
    message = (await api.post(MESSAGES, body)).json()
    assert message["content"][0]["text"].split() == ["a", *["pixels"] * PIXELS, "b"]
    assert message["usage"]["input_tokens"] == 2 + PIXELS

    counted = await api.post("/v1/messages/count_tokens", body)
    assert counted.json() == {"input_tokens": 2 + PIXELS}


@pytest.mark.parametrize(
    ("source", "param", "words"),
    [
        ({"type": "url", "url": "https://a.example/b.png"}, "source", "no address is ever fetched"),
        ({"type": "file", "file_id": "x"}, "source", "has to have type 'base64'"),
        ({**block()["source"], "data": "?"}, "source", "not valid base64"),
        ({**block()["source"], "media_type": "image/webp"}, "source", "'image/webp' is none of"),
        ({**block()["source"], "data": encoded(HUGE)}, "source", "2147483648 x 2147483648 pixels"),
    ],
)
async def test_a_block_that_is_no_image_is_named(api, source, param, words):
    content = [text("a"), {"type": "image", "source": source}]
    body = {"model": "fake", "max_tokens": 5, "messages": [{"role": "user", "content": content}]}
    response = await api.post(MESSAGES, body)
    assert response.status_code == 400
    message = response.json()["error"]["message"]
    assert message.startswith(f"messages[0].content[1].{param}")
    assert words in message


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("https://a.example/b.png", "unsupported_parameter", "no address is ever fetched"),
        ("file:///etc/passwd", "unsupported_parameter", "no address is ever fetched"),
        ("data:image/webp;base64,UklGRg==", "unsupported_parameter", "'image/webp' is none of"),
        ("data:image/svg+xml;base64,PHN2Zz4=", "unsupported_parameter", "is none of"),
        ("data:image/png,abc", "invalid_request_error", "has to be in base64"),
        ("data:image/png;base64,a", "invalid_request_error", "not valid base64"),
        ("data:image/png;base64,", "invalid_request_error", "neither PNG nor JPEG nor GIF"),
        (f"data:image/png;base64,{encoded(HUGE)}", "invalid_request_error", "2147483648 pixels"),
        (f"data:image/png;base64,{encoded(RED[:40])}", "invalid_request_error", "be decoded"),
    ],
)
async def test_what_is_no_image_is_named(api, url, code, words):
    response = await api.chat([text("a"), {"type": "image_url", "image_url": {"url": url}}])
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == ("messages[0].content[1].image_url", code)
    assert words in error["message"]
    assert len(error["message"]) < 300
    assert said(await answer(api, "a")) == "a "


async def test_only_users_show_images(api):
    for role in ("system", "assistant"):
        messages = [{"role": role, "content": [image()]}, {"role": "user", "content": "a"}]
        error = (await api.chat(messages=messages)).json()["error"]
        assert error["param"] == "messages[0].content[0].type"


async def test_too_many_are_refused_with_the_rule(api, configure):
    configure(limits={"max_images": 1})
    error = (await api.chat([image(), image()])).json()["error"]
    assert error["param"] == "messages[0].content[1].image_url"
    assert "rule limits.max_images of the server: 1" in error["message"]


async def test_a_model_without_a_projector_says_so(api):
    await LanguageModel.objects.aupdate(projector="")
    for response in (
        await api.chat([text("a"), image()]),
        await api.post(
            COUNT, {"model": "fake", "messages": [{"role": "user", "content": [image()]}]}
        ),
    ):
        assert response.status_code == 400
        error = response.json()["error"]
        assert error["code"] == "unsupported_parameter"
        assert "the model fake reads none" in error["message"]


async def test_a_deterministic_answer_cannot_have_seen_one(api):
    error = (await api.chat([image()], deterministic=True, seed=1)).json()["error"]
    assert (error["param"], error["code"]) == ("deterministic", "unsupported_parameter")


async def test_a_site_that_checks_prompts_refuses_what_it_cannot_read(api, configure):
    configure(security={"denied_patterns": ["secret"]})
    response = await api.chat([text("a"), image()])
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "content_denied")
    assert error["param"] == "messages[0].content[1].image_url"


async def test_the_list_of_models_says_who_sees(api, seeing):
    async def capabilities():
        (model,) = (await api.get("/v1/models")).json()["data"]
        return model["capabilities"]

    assert await capabilities() == ["completion", "chat", "vision"]
    await LanguageModel.objects.aupdate(projector="")
    assert await capabilities() == ["completion", "chat"]


@pytest.mark.usefixtures("leave_no_connection")
async def test_a_prompt_record_names_the_image_and_has_not_got_it(alice, configure):
    configure(security={"enable_auth": True})
    await alice.rules(log_prompts=True)
    await answer(alice.api, [text("a"), image()])
    await eventually(PromptRecord.objects.aexists)
    prompt = (await PromptRecord.objects.aget()).prompt

    (named,) = prompt["images"]
    assert named["marker"] in prompt["messages"][0]["content"]
    assert (named["sha256"], named["size_bytes"]) == (hashlib.sha256(RED).hexdigest(), len(RED))
