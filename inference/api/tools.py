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
from .refusals import ApiError, UnsupportedParameter, refusing_depth

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
    # What both were before there were other tools than functions.
    functions: Annotated[list[FunctionFields], Field(max_length=MAX_TOOLS, fail_fast=True)] = []
    function_call: Literal["none", "auto"] | Named = "auto"

    @property
    def offers_functions(self) -> bool:
        """In the older way."""
        return bool(self.functions) or isinstance(self.function_call, Named)

    @property
    def has_tools(self) -> bool:
        return bool(self.tools or self.offers_functions or self.is_call_forced)

    @property
    def is_call_forced(self) -> bool:
        return self._choice not in ("none", "auto")

    @property
    def _choice(self) -> str | Named:
        if self.offers_functions:
            return self.function_call
        choice = self.tool_choice
        return choice.function if isinstance(choice, NamedTool) else choice

    def callable(self) -> list[Function]:
        """Those that may be called.

        Raises:
            ApiError: two have the same name, or there are none though one has to be called.
        """
        if self.offers_functions and self.tools:
            raise ApiError("functions: there are tools already", param="functions")
        offered = self.functions or [tool.function for tool in self.tools]
        check_sendable([one.parameters for one in offered], self._param())
        names = [one.name for one in offered]
        for index, name in enumerate(names):
            if name in names[:index]:
                param = self._param(index)
                raise ApiError(f"{param}: {name!r} is the name of another tool", param=param)
        if self.is_call_forced and not names:
            param = "function_call" if self.offers_functions else "tool_choice"
            raise ApiError(f"{param}: there are no {self._param()}", param=param)
        return [] if self._choice == "none" else [_function(one) for one in offered]

    def _param(self, index: int | None = None) -> str:
        """The field that offers them, or the name of one of them."""
        if index is None:
            return "functions" if self.offers_functions else "tools"
        return f"functions[{index}].name" if self.functions else f"tools[{index}].function.name"

    def forced(self, functions: Sequence[Function]) -> list[Function]:
        """Those of which one has to be called.

        Raises:
            ApiError: it is none of the tools.
        """
        if not isinstance(self._choice, Named):
            return [*functions] if self.is_call_forced else []
        name = self._choice.name
        if found := [function for function in functions if function.name == name]:
            return found
        param = "function_call.name" if self.offers_functions else "tool_choice.function.name"
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
        functions = fields.callable()
        forced = fields.forced(functions)
        several = fields.parallel_tool_calls and not fields.offers_functions
        return cls(format_of(model.chat_template), functions, forced, several)

    def prompt(self, prompt: dict[str, Any]) -> dict[str, Any]:
        """The prompt's fields of the engine's request, with the tools in them.

        Raises:
            ApiError: they are nested too deeply.
        """
        with refusing_depth("messages"):
            messages = self.format.messages(prompt["messages"], self.functions)
        return {
            **prompt,
            "messages": messages,
            "template_options": {
                **prompt["template_options"],
                **self.format.options(self.functions),
            },
            "lead": self.format.lead(self.forced) if self.forced else "",
            "shown": [*self.format.shown] if self.functions else [],
        }

    def grammar(self, form: Grammar | None) -> Grammar | None:
        """Of the whole answer, which may have to have another form.

        Raises:
            UnsupportedParameter: it would leave no way to call anything.
            ApiError: what a tool takes is nested too deeply.
        """
        if form and self.functions:
            raise UnsupportedParameter(
                f"{form.param}: a form for the answer is not supported beside tools",
                param=form.param,
            )
        if not self.forced:
            return form
        with refusing_depth("tools"):
            schema = self.format.schema(self.forced, several=self.several)
        return schema_grammar(schema, "tools")

    def parser(self) -> CallParser | None:
        if not self.functions:
            return None
        return CallParser(self.format, self.functions, forced=self.forced, has_several=self.several)


def _function(fields: FunctionFields) -> Function:
    return Function(fields.name, fields.description or "", fields.parameters or NO_ARGUMENTS)
