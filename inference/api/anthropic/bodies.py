"""What a request in Anthropic's dialect may say (docs.anthropic.com, Messages)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from accounts.sizes import check_prompt_length
from inference.api.refusals import ApiError, UnsupportedParameter
from inference.api.schemas import FIRST_FAULT, Limit, Name
from inference.runtime import SamplingParams

# Fields that would change the answer, and the values at which they do not.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "container": (),
    "context_management": (),
    "mcp_servers": ([],),
    "output_format": (),
    "tool_choice": ({"type": "none"}, {"type": "auto"}),
    "tools": ([],),
}
BETWEEN_BLOCKS = "\n"
BETWEEN_MESSAGES = "\n\n"  # of one role, which are one turn

StopSequence = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Block(BaseModel):
    """A piece of content; text and thoughts are understood."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None
    thinking: str | None = None


Content = str | Annotated[list[Block], FIRST_FAULT]


class Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["user", "assistant"]
    content: Content


class Metadata(BaseModel):
    model_config = ConfigDict(strict=True)

    user_id: str | None = None


class Thinking(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["enabled", "adaptive", "disabled"]


class OutputConfig(BaseModel):
    """How much effort is made is the model's own business; a form is more than a wish."""

    model_config = ConfigDict(strict=True)

    format: dict[str, Any] | None = None


class CountRequest(BaseModel):
    """A conversation, without how it is to be answered."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    model: Name
    messages: Annotated[list[Message], Field(min_length=1, fail_fast=True)]
    system: Content = ""
    thinking: Thinking | None = None
    output_config: OutputConfig = OutputConfig()

    def ignored_params(self) -> list[str]:
        """Names of the fields that are not used.

        Raises:
            UnsupportedParameter: one of them would have changed the answer.
        """
        extra = self.model_extra or {}
        for name, neutral in UNSUPPORTED.items():
            if name in extra and extra[name] not in neutral:
                raise UnsupportedParameter(f"{name} is not supported yet.", param=name)
        if self.output_config.format is not None:
            param = "output_config.format"
            raise UnsupportedParameter(f"{param} is not supported yet.", param=param)
        return sorted(name for name in extra if name not in UNSUPPORTED)

    def prompt(self) -> dict[str, Any]:
        """The prompt's fields of the engine's request. What the assistant is made to say
        last is what the answer goes on from.

        Raises:
            ApiError: naming what is empty, or no text.
        """
        turns = _turns(self.messages)
        prefix = ""
        if len(turns) > 1 and turns[-1]["role"] == "assistant":
            prefix = turns.pop()["content"]
        if system := _text(self.system, "system"):
            turns.insert(0, {"role": "system", "content": system})
        length = sum(len(turn["content"]) for turn in turns) + len(prefix)
        check_prompt_length(length, "messages")
        return {"messages": turns, "template_options": self._template_options(), "prefix": prefix}

    def _template_options(self) -> dict[str, Any]:
        """What templates of models that think look at."""
        return (
            {} if self.thinking is None else {"enable_thinking": self.thinking.type != "disabled"}
        )


class MessagesRequest(CountRequest):
    max_tokens: Limit
    stream: bool = False
    stop_sequences: Annotated[list[StopSequence], Field(max_length=16, fail_fast=True)] = []
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: Metadata = Metadata()

    def params(self) -> SamplingParams:
        """
        Raises:
            InvalidParameter: a value is out of its range.
        """
        given = {name: getattr(self, name) for name in ("temperature", "top_p", "top_k")}
        return SamplingParams(
            max_tokens=self.max_tokens,
            stop=tuple(self.stop_sequences),
            **{name: value for name, value in given.items() if value is not None},
        )


def _turns(messages: list[Message]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        turn = _turn(message, f"messages[{index}].content")
        if turns and turns[-1]["role"] == turn["role"]:
            turn["content"] = turns[-1]["content"] + BETWEEN_MESSAGES + turn["content"]
            turns[-1] |= turn
        else:
            turns.append(turn)
    return turns


def _turn(message: Message, where: str) -> dict[str, Any]:
    text, thoughts = _text(message.content, where), _thoughts(message.content)
    if not text:
        raise ApiError(f"{where}: it has no text", param=where)
    turn = {"role": message.role, "content": text}
    return turn | {"reasoning_content": thoughts} if thoughts else turn


def _text(content: Content, where: str) -> str:
    if isinstance(content, str):
        return content
    texts = (_text_of(block, f"{where}[{index}]") for index, block in enumerate(content))
    return BETWEEN_BLOCKS.join([text for text in texts if text is not None])


def _text_of(block: Block, where: str) -> str | None:
    """None for what has been thought."""
    match block:
        case Block(type="text", text=str(text)):
            return text
        case Block(type="text"):
            raise ApiError(f"{where}.text: it is missing", param=f"{where}.text")
        case Block(type="thinking" | "redacted_thinking"):
            return None
    param = f"{where}.type"
    raise UnsupportedParameter(f"{param}: {block.type[:100]!r} is not supported yet", param=param)


def _thoughts(content: Content) -> str:
    blocks = [] if isinstance(content, str) else content
    return BETWEEN_BLOCKS.join(block.thinking for block in blocks if block.thinking)
