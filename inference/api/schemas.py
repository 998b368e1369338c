"""What a request may say. Strict types: a number in quotes is no number."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.sizes import check_prompt_length
from inference.models import LanguageModel
from inference.runtime import SamplingParams

from .choices import RANDOM, Selection
from .forms import FormFields
from .functions import modern
from .images import Gallery
from .messages import Message, check_sendable
from .refusals import ApiError, UnsupportedParameter
from .thinking import ThinkingFields
from .tools import ToolFields, ToolUse

Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]
Token = Annotated[int, Field(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Field(ge=1, le=2**31 - 1)]

# A list's first fault is enough: pydantic keeps kilobytes about each.
FIRST_FAULT = Field(fail_fast=True)
Strings = Annotated[list[str], FIRST_FAULT]
Tokens = Annotated[list[Token], FIRST_FAULT]
TokenLists = Annotated[list[Tokens], FIRST_FAULT]

MAX_PROMPTS = 128
MAX_CHOICES = 128  # of one request, whatever its prompts
MAX_BIASES = 1024

# Fields that would change the answer, and the values at which they do not.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "modalities": (["text"],),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "web_search_options": (),
}
COMPLETIONS_ONLY: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
}


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None


def _same(given: Any, neutral: Any) -> bool:
    """Equal, and not as True equals 1."""
    return bool(given == neutral) and isinstance(given, bool) == isinstance(neutral, bool)


def _few(biases: Any) -> Any:
    if isinstance(biases, dict) and len(biases) > MAX_BIASES:
        raise PydanticCustomError("too_long", "More than {most} tokens", {"most": MAX_BIASES})
    return biases


class GenerationRequest(FormFields):
    """What both endpoints share."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)
    length_fields: ClassVar[tuple[str, ...]] = ("max_tokens",)
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = UNSUPPORTED

    model: Name
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    timings_per_token: bool = False  # llama-server's, as is the next
    return_progress: bool = False
    max_tokens: Limit | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: Strings | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    logit_bias: Annotated[dict[str, float], BeforeValidator(_few)] | None = None
    seed: int | None = None
    stop: str | Strings | None = None
    stop_token_ids: Tokens | None = None
    min_tokens: int | None = None
    ignore_eos: bool | None = None
    cache_prompt: bool = True
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] = 1
    deterministic: bool = False

    def check_deterministic(self, num_prompts: int, params: SamplingParams) -> None:
        """
        Raises:
            ApiError: a receipt is for one answer, which has a seed if there is chance in it.
        """
        if not self.deterministic:
            return
        name = "prompt" if num_prompts > 1 else "best_of" if self.n == 1 else "n"
        number = max(num_prompts, self.selection().num_computed)
        if number > 1:
            why = f"{number} answers at once cannot be deterministic"
            raise ApiError(f"{name}: {why}", param=name)
        if params.seed32 == RANDOM and not params.is_greedy:
            raise ApiError(f"seed: {self.seed}: a deterministic answer needs one", param="seed")

    def ignored_params(self) -> list[str]:
        """Names of the fields that are not used.

        Raises:
            UnsupportedParameter: one of them would have changed the answer.
        """
        extra = self.model_extra or {}
        for name, neutral in self.unsupported.items():
            if name in extra and not any(_same(extra[name], value) for value in neutral):
                raise UnsupportedParameter(f"{name} is not supported here.", param=name)
        return sorted(name for name in extra if name not in self.unsupported)

    def params(self) -> SamplingParams:
        """
        Raises:
            InvalidParameter: a value is out of its range.
            ApiError: the fields that say which form the answer has contradict each other.
        """
        fields = {
            name: value
            for name in SamplingParams.__struct_fields__
            if (value := getattr(self, name, None)) is not None
        }
        if isinstance(self.stop, str):
            fields["stop"] = [self.stop]
        for name in ("stop", "stop_token_ids", "dry_sequence_breakers"):
            if name in fields:
                fields[name] = tuple(fields[name])
        if self.logit_bias is not None:
            fields["logit_bias"] = _by_token(self.logit_bias)
        fields["max_tokens"] = self.limit_tokens()
        fields["grammar"] = self.form()
        fields["num_logprobs"] = self.num_logprobs()
        fields["thinking_budget_tokens"] = self.thinking_budget()
        return SamplingParams(**fields)

    def limit_tokens(self) -> int | None:
        """The client's limit of the answer; the server's and the caller's come at admission."""
        given = [v for f in self.length_fields if (v := getattr(self, f)) is not None]
        return given[0] if given else None

    def selection(self) -> Selection:
        return Selection(self.n, self.n)

    def thinking_budget(self) -> int | None:
        """Tokens that the answer may think; None: any number."""
        return None

    def num_logprobs(self) -> int | None:
        """How many likely tokens to tell beside each; None: no logprobs at all."""
        raise NotImplementedError


class ChatCompletionRequest(ThinkingFields, GenerationRequest, ToolFields):
    length_fields = ("max_completion_tokens", "max_tokens")
    unsupported = {**UNSUPPORTED, **COMPLETIONS_ONLY}

    messages: Annotated[list[Message], Field(min_length=1, fail_fast=True)]
    max_completion_tokens: Limit | None = None
    chat_template_kwargs: dict[str, Any] = {}
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    continue_final_message: bool = False
    add_generation_prompt: bool | None = None

    def prompt(self) -> dict[str, Any]:
        """The prompt's fields of the engine's request."""
        check_sendable(self.chat_template_kwargs, "chat_template_kwargs")
        gallery = Gallery()
        plain = [m.plain(f"messages[{i}]", gallery) for i, m in enumerate(self.messages)]
        messages = modern(plain)
        fields = {
            "messages": messages,
            "images": gallery.images,
            "template_options": {**self.thinking_options(), **self.chat_template_kwargs},
            "use_cache": self.cache_prompt,
        }
        self._check_final(messages)
        return (
            {**fields, "prefix": messages.pop()["content"]}
            if self.continue_final_message
            else fields
        )

    def _check_final(self, messages: list[dict[str, Any]]) -> None:
        """
        Raises:
            ApiError: the final message is no beginning of an answer, or not to be one.
        """
        param = "add_generation_prompt"
        if self.add_generation_prompt is self.continue_final_message:
            why = "it has to be the opposite of continue_final_message"
            raise ApiError(f"{param}: {self.add_generation_prompt}: {why}", param=param)
        *before, last = messages
        is_beginning = before and last["role"] == "assistant" and last["content"]
        if self.continue_final_message and not is_beginning:
            why = "its last message has to be the beginning of an answer, from the assistant"
            raise ApiError(f"messages: {why}", param="messages")

    def uses_tools(self, messages: Sequence[dict[str, Any]]) -> bool:
        """Whether there are some, or calls of some in the conversation."""
        return self.has_tools or any(message.get("tool_calls") for message in messages)

    def tool_use(self, model: LanguageModel) -> ToolUse:
        """
        Raises:
            ApiError: the tools make no sense.
            UnsupportedParameter: a field has no meaning where calls are read from the answer.
        """
        use = ToolUse.of(self, model)
        for name in ("logprobs", "continue_final_message"):
            if use.functions and getattr(self, name):
                raise UnsupportedParameter(f"{name} is not supported beside tools.", param=name)
        return use

    def num_logprobs(self) -> int | None:
        """
        Raises:
            ApiError: the likely tokens are asked for without what they stand beside.
        """
        if self.logprobs:
            return self.top_logprobs or 0
        if self.top_logprobs is not None:
            raise ApiError("top_logprobs: it needs logprobs to be true", param="top_logprobs")
        return None


class CompletionRequest(GenerationRequest):
    unsupported = {**UNSUPPORTED, "continue_final_message": (False,), "top_logprobs": ()}

    prompt: str | Strings | Tokens | TokenLists
    max_tokens: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    best_of: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    echo: bool = False
    suffix: str = ""

    @property
    def scores(self) -> bool:
        """Whether the prompt's tokens are to be judged."""
        return self.echo and self.logprobs is not None

    def limit_tokens(self) -> int | None:
        """The engine is told in another way that there shall be none."""
        return super().limit_tokens() or (None if self.max_tokens is None else 1)

    def check_scores(self) -> None:
        """
        Raises:
            ApiError: a field has no meaning where the prompt is judged, or nothing is written.
        """
        if self.max_tokens == 0 and not self.echo:
            why = "an answer without a token needs echo to be true"
            raise ApiError(f"max_tokens: 0: {why}", param="max_tokens")
        for name in ("suffix", "deterministic"):
            if self.scores and getattr(self, name):
                why = "not beside the logprobs of an echoed prompt"
                raise ApiError(f"{name}: {why}", param=name)

    def num_logprobs(self) -> int | None:
        """Those that choose the best are needed, too."""
        chooses = self.best_of is not None and self.best_of > self.n
        return 0 if chooses and self.logprobs is None else self.logprobs

    def selection(self) -> Selection:
        """
        Raises:
            ApiError: there are too few to choose from, or they would have to be streamed.
        """
        num_computed = self.n if self.best_of is None else self.best_of
        if num_computed < self.n:
            raise ApiError(f"best_of: {self.best_of} is less than n, {self.n}", param="best_of")
        if self.stream and num_computed > self.n:
            raise ApiError("best_of: the best are not known in a stream", param="best_of")
        return Selection(num_computed, self.n, self.logprobs is not None)

    def prompts(self) -> list[dict[str, Any]]:
        """One for each choice of the answer."""
        self.check_scores()
        prompt: Any = self.prompt
        if isinstance(prompt, str) or (prompt and isinstance(prompt[0], int)):
            prompt = [prompt]
        if not prompt:
            raise ApiError("prompt: it is empty", param="prompt")
        if len(prompt) > MAX_PROMPTS:
            raise ApiError(
                f"prompt: {len(prompt)} prompts are more than {MAX_PROMPTS}", param="prompt"
            )
        if len(prompt) * self.selection().num_computed > MAX_CHOICES:
            param = "n" if self.best_of is None else "best_of"
            why = f"for {len(prompt)} prompts that is more than {MAX_CHOICES} choices"
            raise ApiError(f"{param}: {getattr(self, param)}: {why}", param=param)
        for one in prompt:
            check_prompt_length(len(one) + len(self.suffix), "prompt")
        return [self._fields(one) for one in prompt]

    def _fields(self, prompt: str | list[int]) -> dict[str, Any]:
        fields: dict[str, Any] = {"text" if isinstance(prompt, str) else "tokens": prompt}
        fields["use_cache"] = self.cache_prompt
        if self.echo:
            fields |= {"echo": True, "scores": self.scores, "only_reads": self.max_tokens == 0}
        if self.suffix:
            fields["suffix"] = self.suffix
        return fields


def _by_token(logit_bias: dict[str, float]) -> dict[int, float]:
    for key in logit_bias:
        if not (key.isascii() and key.isdigit() and len(key) <= 10):
            raise ApiError(f"logit_bias: {key[:20]!r} is not a token id", param="logit_bias")
    return {int(key): bias for key, bias in logit_bias.items()}
