"""What a request of the older dialect may say."""

from typing import Annotated

from django.conf import settings
from pydantic import AliasGenerator, BaseModel, ConfigDict, StringConstraints

from accounts.sizes import check_prompt_length
from inference.runtime import InvalidParameter, SamplingParams

from .messages import Role
from .refusals import ApiError
from .schemas import FIRST_FAULT, Name, Strings

MAX_PROMPT_LENGTH = 8192  # characters
MAX_RESPONSE_TOKENS = 2048
SessionId = Annotated[str, StringConstraints(pattern=r"^[^/\x00-\x1f\x7f]{1,200}$")]  # fits a path
SYSTEM_PROMPT = "You are a helpful AI assistant."


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class LegacyCompletion(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    model: Name
    prompt: str
    max_tokens: int = 128
    temperature: float = 0.7
    top_p: float = 0.95
    stop: Strings = []
    stream: bool = False

    def text(self) -> str:
        """The prompt, within the limit of characters."""
        check_prompt_length(len(self.prompt), "prompt", MAX_PROMPT_LENGTH)
        return self.prompt

    def params(self) -> SamplingParams:
        return SamplingParams(
            max_tokens=limit_tokens(self.max_tokens, "max_tokens"),
            temperature=self.temperature,
            top_p=self.top_p,
            stop=tuple(self.stop),
        )


class LegacyMessage(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Role
    content: str


class LegacyChat(BaseModel):
    """Kebab-case. `device` is a hint and not followed: the registry places models."""

    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        alias_generator=AliasGenerator(alias=_kebab),
    )

    model_name: Name
    prompt: str
    messages: Annotated[list[LegacyMessage], FIRST_FAULT] = []
    system_prompt: str = SYSTEM_PROMPT
    session_id: SessionId | None = None
    max_token: int = 128
    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 10
    repeat_penalty: float = 1.0
    stop: Strings = []
    device: str | None = None

    def text(self) -> str:
        """The prompt, within the limit of characters."""
        check_prompt_length(len(self.prompt), "prompt", MAX_PROMPT_LENGTH)
        return self.prompt

    def own_system_prompt(self) -> str | None:
        """Within the same limit; None if the request has none."""
        if "system_prompt" not in self.model_fields_set:
            return None
        check_prompt_length(len(self.system_prompt), "system-prompt", MAX_PROMPT_LENGTH)
        return self.system_prompt

    def all_messages(self) -> list[dict[str, str]]:
        """The conversation, the prompt last, within the limit of characters."""
        prompt = self.text()
        messages = [message.model_dump() for message in self.messages]
        if not any(message["role"] == "system" for message in messages):
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        messages.append({"role": "user", "content": prompt})
        check_prompt_length(sum(len(message["content"]) for message in messages), "messages")
        return messages

    def params(self) -> SamplingParams:
        max_tokens = limit_tokens(self.max_token, "max-token")
        try:
            return SamplingParams(
                max_tokens=max_tokens,
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=self.top_k,
                repeat_penalty=self.repeat_penalty,
                stop=tuple(self.stop),
            )
        except InvalidParameter as error:
            name = error.param or ""
            raise ApiError(error.message.replace(name, _kebab(name), 1)) from None


def limit_tokens(asked: int, param: str) -> int:
    most = settings.CONFIG.limits.max_response_tokens or MAX_RESPONSE_TOKENS
    if asked < 1:
        raise ApiError(f"{param}: {asked} is less than 1", param=param)
    return min(asked, most)
