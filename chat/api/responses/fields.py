"""The parts of a request that have parts of their own: tools, text, reasoning."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from inference.api.forms import ANY_OBJECT, schema_grammar
from inference.api.refusals import ApiError, UnsupportedParameter
from inference.api.thinking import Effort, effort_budget, template_options
from inference.api.tools import FunctionFields, FunctionName, Named, NamedTool, ToolFields
from inference.api.tools import Tool as ChatTool
from inference.runtime import Grammar

FORMAT = "text.format"


class Tool(BaseModel):
    """A function, without the envelope that it has in chat completions."""

    model_config = ConfigDict(strict=True)

    type: str
    name: FunctionName | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def in_chat(self, where: str) -> ChatTool:
        """
        Raises:
            UnsupportedParameter: it is no function, but something that we would have to run.
            ApiError: it has no name.
        """
        if self.type != "function":
            param = f"{where}.type"
            said = f"{param}: {self.type[:100]!r} is not supported; functions are"
            raise UnsupportedParameter(said, param=param)
        if self.name is None:
            raise ApiError(f"{where}.name: it is missing", param=f"{where}.name")
        fields = FunctionFields(
            name=self.name, description=self.description, parameters=self.parameters
        )
        return ChatTool(type="function", function=fields)


class Choice(BaseModel):
    """The tool that has to be called."""

    model_config = ConfigDict(strict=True)

    type: str
    name: str | None = None


ToolChoice = Literal["none", "auto", "required"] | Choice


def tools_in_chat(tools: Sequence[Tool], choice: ToolChoice, *, several: bool) -> ToolFields:
    """
    Raises:
        UnsupportedParameter: naming what is no function.
        ApiError: two have one name, or the one to call is none of them.
    """
    made = [tool.in_chat(f"tools[{index}]") for index, tool in enumerate(tools)]
    names = [tool.function.name for tool in made]
    for index, name in enumerate(names):
        if name in names[:index]:
            param = f"tools[{index}].name"
            raise ApiError(f"{param}: {name!r} is the name of another tool", param=param)
    chosen = _named(choice, names) if isinstance(choice, Choice) else choice
    return ToolFields(tools=made, tool_choice=chosen, parallel_tool_calls=several)


def _named(choice: Choice, names: Sequence[str]) -> NamedTool:
    if choice.type != "function":
        param = "tool_choice.type"
        raise UnsupportedParameter(f"{param}: {choice.type[:100]!r} is not supported", param=param)
    if choice.name is None or choice.name not in names:
        param = "tool_choice.name"
        raise ApiError(f"{param}: {(choice.name or '')[:100]!r} is none of the tools", param=param)
    return NamedTool(type="function", function=Named(name=choice.name))


class TextFields(BaseModel):
    """How long-winded a model is (`verbosity`) is its own business."""

    model_config = ConfigDict(strict=True)

    format: dict[str, Any] | None = None
    verbosity: str | None = None

    def grammar(self) -> Grammar | None:
        """
        Raises:
            ApiError: the form is half given, or of no type that is known.
        """
        given = self.format or {}
        match given.get("type", "text"):
            case "text":
                return None
            case "json_object":
                return schema_grammar(ANY_OBJECT, FORMAT)
            case "json_schema" if isinstance(given.get("schema"), dict):
                return schema_grammar(given["schema"], FORMAT)
            case "json_schema":
                raise ApiError(f"{FORMAT}.schema: it is missing", param=f"{FORMAT}.schema")
        why = f"{str(given['type'])[:100]!r} is none of text, json_object, json_schema"
        raise ApiError(f"{FORMAT}.type: {why}", param=f"{FORMAT}.type")


class Reasoning(BaseModel):
    """What templates of models that think look at; what is thought is not summed up."""

    model_config = ConfigDict(strict=True)

    effort: Effort | None = None
    summary: str | None = None

    def template_options(self) -> dict[str, Any]:
        return template_options(self.effort, self.budget())

    def budget(self) -> int | None:
        """Tokens that may be thought; None: any number."""
        return effort_budget(self.effort)
