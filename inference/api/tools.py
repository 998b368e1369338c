"""The tools of a request: told to the model, forced where they have to be, read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inference.models import LanguageModel
from inference.runtime import Grammar
from inference.tools import CallParser, Function, ToolFormat, format_of

from .forms import schema_grammar
from .messages import check_sendable
from .refusals import ApiError, UnsupportedParameter

MAX_TOOLS = 128
NO_ARGUMENTS = {"type": "object", "properties": {}}

FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.:-]{1,64}$")]


class FunctionFields(BaseModel):
    model_config = ConfigDict(strict=True)

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["function"]
    function: FunctionFields


class Named(BaseModel):
    model_config = ConfigDict(strict=True)

    name: str


class NamedTool(BaseModel):
    """The one that has to be called."""

    model_config = ConfigDict(strict=True)

    type: Literal["function"]
    function: Named


class ToolFields(BaseModel):
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS, fail_fast=True)] = []
    tool_choice: Literal["none", "auto", "required"] | NamedTool = "auto"
    parallel_tool_calls: bool = True

    @property
    def is_call_forced(self) -> bool:
        return self.tool_choice not in ("none", "auto")

    def functions(self) -> list[Function]:
        """Those that may be called.

        Raises:
            ApiError: two have the same name, or there are none though one has to be called.
        """
        check_sendable([tool.function.parameters for tool in self.tools], "tools")
        names = [tool.function.name for tool in self.tools]
        for index, name in enumerate(names):
            if name in names[:index]:
                param = f"tools[{index}].function.name"
                raise ApiError(f"{param}: {name!r} is the name of another tool", param=param)
        if self.is_call_forced and not names:
            raise ApiError("tool_choice: there are no tools", param="tool_choice")
        return [] if self.tool_choice == "none" else [_function(tool) for tool in self.tools]

    def forced(self, functions: Sequence[Function]) -> list[Function]:
        """Those of which one has to be called.

        Raises:
            ApiError: it is none of the tools.
        """
        if not isinstance(self.tool_choice, NamedTool):
            return [*functions] if self.is_call_forced else []
        name = self.tool_choice.function.name
        if found := [function for function in functions if function.name == name]:
            return found
        param = "tool_choice.function.name"
        raise ApiError(f"{param}: {name[:100]!r} is none of the tools", param=param)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What a request's tools mean for a model."""

    format: ToolFormat
    functions: list[Function]
    forced: list[Function]
    several: bool

    @classmethod
    def of(cls, fields: ToolFields, model: LanguageModel) -> "ToolUse":
        """
        Raises:
            ApiError: the fields contradict each other.
        """
        functions = fields.functions()
        forced = fields.forced(functions)
        return cls(format_of(model.chat_template), functions, forced, fields.parallel_tool_calls)

    def prompt(self, prompt: dict[str, Any]) -> dict[str, Any]:
        """The prompt's fields of the engine's request, with the tools in them."""
        return {
            **prompt,
            "messages": self.format.messages(prompt["messages"], self.functions),
            "template_options": {
                **prompt["template_options"],
                **self.format.options(self.functions),
            },
            "prefix": self.format.prefix if self.forced else prompt.get("prefix", ""),
        }

    def grammar(self, form: Grammar | None) -> Grammar | None:
        """Of the whole answer, which may have to have another form.

        Raises:
            UnsupportedParameter: it would leave no way to call anything.
        """
        if form and self.functions:
            raise UnsupportedParameter(
                f"{form.param}: a form for the answer is not supported beside tools",
                param=form.param,
            )
        if not self.forced:
            return form
        return schema_grammar(self.format.schema(self.forced, several=self.several), "tools")

    def parser(self) -> CallParser | None:
        if not self.functions:
            return None
        names = {function.name for function in self.functions}
        return CallParser(self.format, names, is_forced=bool(self.forced), has_several=self.several)


def mentions_tools(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether calls have been made in the conversation."""
    return any(message.get("tool_calls") for message in messages)


def _function(tool: Tool) -> Function:
    fields = tool.function
    return Function(fields.name, fields.description or "", fields.parameters or NO_ARGUMENTS)
