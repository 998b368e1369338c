"""What a request may say. Strict types: a number in quotes is no number."""

from typing import Annotated, Any, ClassVar, Literal

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inference.runtime import SamplingParams

from .refusals import ApiError, UnsupportedParameter

Role = Literal["developer", "system", "user", "assistant", "tool", "function"]
Token = Annotated[int, Field(ge=0, le=2**31 - 1)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]

MAX_PROMPTS = 128

# Fields that may be lost without harm: they change no text. `x-ignored-params` names them.
HARMLESS = {
    *("user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier"),
    *("parallel_tool_calls", "reasoning_effort", "verbosity", "cache_prompt", "prediction"),
    *("timings_per_token", "return_progress", "priority", "prompt_cache_retention"),
}
# Fields that would change the answer, and the values at which they do not.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "best_of": (1,),
    "continue_final_message": (False,),
    "dry_multiplier": (0,),
    "echo": (False,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "grammar": ("",),
    "json_schema": (),
    "logprobs": (False,),
    "mirostat": (0,),
    "modalities": (["text"],),
    "n": (1,),
    "response_format": ({"type": "text"},),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (),
    "web_search_options": (),
    "xtc_probability": (0,),
}


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    include_usage: bool = False


class Part(BaseModel):
    """A piece of a message's content; only text is understood."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    role: Role
    content: str | list[Part] | None = None


class GenerationRequest(BaseModel):
    """What both endpoints share."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)
    length_fields: ClassVar[tuple[str, ...]] = ("max_tokens",)

    model: Name
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[Token] | None = None
    min_tokens: int | None = None
    ignore_eos: bool | None = None

    def ignored_params(self) -> list[str]:
        """Names of the fields that are not used.

        Raises:
            UnsupportedParameter: one of them would have changed the answer.
        """
        extra = self.model_extra or {}
        for name, neutral in UNSUPPORTED.items():
            if name in extra and extra[name] is not None and extra[name] not in neutral:
                raise UnsupportedParameter(f"{name} is not supported yet.", param=name)
        return sorted(name for name in extra if name not in UNSUPPORTED)

    def params(self) -> SamplingParams:
        """
        Raises:
            InvalidParameter: a value is out of its range.
        """
        fields = {
            name: value
            for name in SamplingParams.__struct_fields__
            if (value := getattr(self, name, None)) is not None
        }
        if isinstance(self.stop, str):
            fields["stop"] = [self.stop]
        if "stop" in fields:
            fields["stop"] = tuple(fields["stop"])
        if "stop_token_ids" in fields:
            fields["stop_token_ids"] = tuple(fields["stop_token_ids"])
        if self.logit_bias is not None:
            fields["logit_bias"] = _by_token(self.logit_bias)
        fields["max_tokens"] = self.limit_tokens()
        return SamplingParams(**fields)

    def limit_tokens(self) -> int | None:
        """The answer's limit: the client's, within the server's."""
        most: int | None = settings.CONFIG.limits.max_response_tokens
        given: list[int] = [v for f in self.length_fields if (v := getattr(self, f)) is not None]
        if not given:
            return most
        return given[0] if most is None else min(given[0], most)


class ChatCompletionRequest(GenerationRequest):
    length_fields = ("max_completion_tokens", "max_tokens")

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = None
    chat_template_kwargs: dict[str, Any] = {}

    def prompt(self) -> dict[str, Any]:
        """The prompt's fields of the engine's request."""
        messages = [_plain(message, index) for index, message in enumerate(self.messages)]
        check_length(sum(len(message["content"]) for message in messages), "messages")
        return {"messages": messages, "template_options": self.chat_template_kwargs}


class CompletionRequest(GenerationRequest):
    prompt: str | list[str] | list[Token] | list[list[Token]]

    def prompts(self) -> list[dict[str, Any]]:
        """One for each choice of the answer."""
        prompt: Any = self.prompt
        if isinstance(prompt, str) or (prompt and isinstance(prompt[0], int)):
            prompt = [prompt]
        if not prompt:
            raise ApiError("prompt: it is empty", param="prompt")
        if len(prompt) > MAX_PROMPTS:
            raise ApiError(f"prompt: {len(prompt)} prompts are too many", param="prompt")
        for one in prompt:
            check_length(len(one), "prompt")
        return [{"text" if isinstance(one, str) else "tokens": one} for one in prompt]


def check_length(length: int, param: str, default: int | None = None) -> None:
    """Refuse a prompt of more characters than the server's limit, or that default.

    Raises:
        ApiError: naming the limit.
    """
    most = settings.CONFIG.limits.max_prompt_length or default
    if most is not None and length > most:
        raise ApiError(
            f"{param}: {length} characters are more than limits.max_prompt_length = {most}",
            param=param,
        )


def _plain(message: ChatMessage, index: int) -> dict[str, Any]:
    """The message as chat templates expect it: content as one string."""
    content = message.content
    if isinstance(content, list):
        content = "".join(
            _text(p, f"messages[{index}].content[{i}]") for i, p in enumerate(content)
        )
    if content is None and message.role != "assistant":
        raise ApiError(
            f"messages[{index}].content: a {message.role} message needs content",
            param=f"messages[{index}].content",
        )
    return {**(message.model_extra or {}), "role": message.role, "content": content or ""}


def _text(part: Part, where: str) -> str:
    if part.type not in ("text", "refusal", "input_text", "output_text"):
        raise UnsupportedParameter(
            f"{where}.type: {part.type!r} is not supported yet", param=f"{where}.type"
        )
    if part.text is None:
        raise ApiError(f"{where}.text: it is missing", param=f"{where}.text")
    return part.text


def _by_token(logit_bias: dict[str, float]) -> dict[int, float]:
    for key in logit_bias:
        if not (key.isascii() and key.isdigit() and len(key) <= 10):
            raise ApiError(f"logit_bias: {key[:20]!r} is not a token id", param="logit_bias")
    return {int(key): bias for key, bias in logit_bias.items()}
