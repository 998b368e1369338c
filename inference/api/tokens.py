"""Texts and their tokens, without an answer: in vLLM's shapes, and in llama-server's."""

from typing import Annotated, Any, cast

from django.http import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from inference import admission, questions, runtime
from inference.models import LanguageModel

from .body import checked
from .endpoint import LimitedEndpoint
from .images import refuse_images
from .openapi.answers import InputTokens, Prompt, Tokenized
from .openapi.operation import HELLO, MODEL, STORY, operation
from .schemas import FIRST_FAULT, ChatCompletionRequest, Name, Token


class TokenizeRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    model: Name
    prompt: str
    add_special_tokens: bool = True
    return_token_strs: bool = False


class DetokenizeRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    model: Name
    tokens: Annotated[list[Token], FIRST_FAULT]


class ShownTokens(BaseModel):
    """What is asked about the tokens of messages."""

    model_config = ConfigDict(strict=True)

    return_token_strs: bool = Field(default=False)


class TokenizeChatRequest(ChatCompletionRequest):
    """`messages` as a chat request has them."""

    return_token_strs: bool = False


class TokenizeView(LimitedEndpoint):
    """Of a `prompt`, or of the prompt that `messages` make."""

    endpoint = "tokenize"

    @operation(
        "The tokens of a text, or of a conversation",
        body=(TokenizeRequest, TokenizeChatRequest),
        example=STORY,
        answer=Tokenized,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        data = cast(dict[str, Any], request.data)
        if data.get("messages") is not None:
            model, text = await rendered(request)
            with_names = checked(ShownTokens, data).return_token_strs
            told = await questions.tokenize(model, text)
        else:
            body = checked(TokenizeRequest, data)
            model = await allowed(request, body.model, {"text": body.prompt})
            with_names, add_special = body.return_token_strs, body.add_special_tokens
            told = await questions.tokenize(model, body.prompt, add_special=add_special)
        return Response(
            {
                "count": len(told.tokens),
                "max_model_len": runtime.status()[model.origin.slug].context_length,
                "tokens": told.tokens,
                "token_strs": told.names if with_names else None,
            }
        )


class DetokenizeView(LimitedEndpoint):
    endpoint = "tokenize"

    @operation(
        "The text of tokens",
        body=DetokenizeRequest,
        example={"model": MODEL, "tokens": [1, 2]},
        answer=Prompt,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        body = checked(DetokenizeRequest, request.data)
        model = await allowed(request, body.model, {"tokens": body.tokens})
        return Response({"prompt": await questions.detokenize(model, body.tokens)})


class TemplateView(LimitedEndpoint):
    endpoint = "tokenize"

    @operation(
        "The prompt that a conversation makes",
        body=ChatCompletionRequest,
        example=HELLO,
        answer=Prompt,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        _, text = await rendered(request)
        return Response({"prompt": text})


class InputTokensView(LimitedEndpoint):
    """How many tokens a chat request's prompt has; the request is not computed."""

    endpoint = "chat"

    @operation(
        "How many tokens a conversation has",
        body=ChatCompletionRequest,
        example=HELLO,
        answer=InputTokens,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        number = await num_tokens(*await _asked(request))
        return Response({"object": "response.input_tokens", "input_tokens": number})


async def num_tokens(model: LanguageModel, prompt: dict[str, Any]) -> int:
    """Of a conversation, with the beginning of its answer.

    Raises:
        EngineError: it cannot be rendered, or the model not be loaded.
    """
    messages, options = prompt["messages"], prompt["template_options"]
    number = await runtime.count_tokens(
        model, messages, template_options=options, images=prompt["images"], load=True
    )
    of_beginning = await runtime.count_texts(model, [_beginning(prompt)], load=True)
    assert number is not None
    assert of_beginning is not None
    return number + of_beginning[0]


async def rendered(request: Request) -> tuple[LanguageModel, str]:
    """The model that a chat request names, and the prompt that it would be given."""
    model, prompt = await _asked(request)
    refuse_images(prompt)
    text = await questions.render(model, prompt["messages"], prompt["template_options"])
    return model, text + _beginning(prompt)


def _beginning(prompt: dict[str, Any]) -> str:
    """What the answer goes on from."""
    return str(prompt.get("prefix", "") + prompt.get("lead", ""))


async def _asked(request: Request) -> tuple[LanguageModel, dict[str, Any]]:
    """The model that a chat request names, and the prompt's fields of the engine's request."""
    body = checked(ChatCompletionRequest, request.data)
    body.ignored_params()  # raises what could not be asked either
    prompt = body.prompt()
    if body.uses_tools(prompt["messages"]):
        model = await admission.allowed_model(caller(request), body.model)
        prompt = body.tool_use(model).prompt(prompt)
    return await allowed(request, body.model, prompt), prompt


async def allowed(request: Request, name: str, prompt: dict[str, Any]) -> LanguageModel:
    """
    Raises:
        ModelNotFound, Forbidden: as `admission.allowed_model` does.
        Exceeds: the prompt is larger than the server takes, or than the caller's may be.
    """
    model = await admission.allowed_model(caller(request), name)
    admission.check_length(prompt)
    admission.check_prompt(caller(request).policy, prompt)
    return model
