"""What a request in Anthropic's dialect may say (docs.anthropic.com, Messages)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inference.api.forms import schema_grammar
from inference.api.images import Gallery
from inference.api.refusals import ApiError, UnsupportedParameter
from inference.api.schemas import Limit, Name
from inference.runtime import Grammar, SamplingParams

from .content import Content, Messages, text_of, turns_of
from .tools import ToolFields

# Fields that would change the answer, and the values at which they do not.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "container": (),
    "context_management": (),
    "mcp_servers": ([],),
}

StopSequence = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Metadata(BaseModel):
    model_config = ConfigDict(strict=True)

    user_id: str | None = None


class Thinking(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: Limit | None = None

    @property
    def budget(self) -> int | None:
        """Tokens of thoughts; None: any number."""
        return 0 if self.type == "disabled" else self.budget_tokens


class OutputFormat(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(BaseModel):
    """How much effort is made is the model's own business; a form is more than a wish."""

    model_config = ConfigDict(strict=True)

    format: OutputFormat | None = None


class CountRequest(ToolFields):
    """A conversation, without how it is to be answered."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    model: Name
    messages: Messages
    system: Content = ""
    thinking: Thinking | None = None
    output_config: OutputConfig = OutputConfig()
    output_format: OutputFormat | None = None  # what it was called before

    def ignored_params(self) -> list[str]:
        """Names of the fields that are not used.

        Raises:
            UnsupportedParameter: one of them would have changed the answer.
        """
        extra = self.model_extra or {}
        for name, neutral in UNSUPPORTED.items():
            if name in extra and extra[name] not in neutral:
                raise UnsupportedParameter(f"{name} is not supported here.", param=name)
        return sorted(name for name in extra if name not in UNSUPPORTED)

    def prompt(self) -> dict[str, Any]:
        """The prompt's fields of the engine's request. What the assistant is made to say
        last is what the answer goes on from.

        Raises:
            ApiError: naming what is empty, or neither text nor a call.
        """
        gallery = Gallery()
        turns = turns_of(self.messages, gallery)
        prefix = ""
        if len(turns) > 1 and turns[-1]["role"] == "assistant":
            prefix = self._beginning(turns.pop())
        if system := text_of(self.system, "system"):
            turns.insert(0, {"role": "system", "content": system})
        fields = {"template_options": self._template_options(), "prefix": prefix}
        return {"messages": turns, "images": gallery.images, **fields}

    def _beginning(self, turn: dict[str, Any]) -> str:
        param = f"messages[{len(self.messages) - 1}].content"
        if turn.get("tool_calls"):
            raise ApiError(f"{param}: its tool_use has no tool_result", param=param)
        if self.tools and self.tool_choice.type != "none":
            why = f"{param}: the beginning of an answer is not supported beside tools."
            raise UnsupportedParameter(why, param=param)
        text: str = turn["content"]
        return text

    def form(self) -> Grammar | None:
        """
        Raises:
            ApiError: the schema cannot be one, or there are two.
        """
        formats = {"output_config.format": self.output_config.format}
        given = {
            name: f for name, f in {**formats, "output_format": self.output_format}.items() if f
        }
        if len(given) > 1:
            param = "output_format"
            raise ApiError(f"{param}: output_config.format is given already", param=param)
        return next((schema_grammar(f.schema_, name) for name, f in given.items()), None)

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
            grammar=self.form(),
            thinking_budget_tokens=None if self.thinking is None else self.thinking.budget,
            **{name: value for name, value in given.items() if value is not None},
        )
