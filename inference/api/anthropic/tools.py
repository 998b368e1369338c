"""The tools of a request in Anthropic's dialect."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inference.api.messages import check_sendable
from inference.api.refusals import ApiError, UnsupportedParameter
from inference.api.tools import MAX_TOOLS, ToolUse
from inference.models import LanguageModel
from inference.tools import Function, format_of

OWN = (None, "custom")  # types of tools that the client runs

ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.:-]{1,128}$")]


class Tool(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str | None = None
    name: ToolName
    description: str | None = None
    input_schema: dict[str, Any] | None = None


class Choice(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ToolFields(BaseModel):
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS, fail_fast=True)] = []
    tool_choice: Choice = Choice(type="auto")

    def tool_use(self, model: LanguageModel) -> ToolUse:
        """
        Raises:
            ApiError: a tool cannot be called, or none that has to be is there.
        """
        functions = self._functions()
        is_told = self.tool_choice.type != "none"
        forced, several = self._forced(functions), not self.tool_choice.disable_parallel_tool_use
        format = format_of(model.chat_template)
        return ToolUse(format, functions if is_told else [], forced, several)

    def _functions(self) -> list[Function]:
        made: list[Function] = []
        for index, tool in enumerate(self.tools):
            function = _function(tool, f"tools[{index}]")
            if any(function.name == other.name for other in made):
                param = f"tools[{index}].name"
                raise ApiError(f"{param}: {tool.name!r} is the name of another tool", param=param)
            made.append(function)
        return made

    def _forced(self, functions: Sequence[Function]) -> list[Function]:
        choice = self.tool_choice
        if choice.type in ("auto", "none"):
            return []
        if not functions:
            raise ApiError("tool_choice: there are no tools", param="tool_choice")
        if choice.type == "any":
            return [*functions]
        if found := [function for function in functions if function.name == choice.name]:
            return found
        name = (choice.name or "")[:100]
        raise ApiError(f"tool_choice.name: {name!r} is none of the tools", param="tool_choice.name")


def _function(tool: Tool, where: str) -> Function:
    if tool.type not in OWN:
        param = f"{where}.type"
        raise UnsupportedParameter(
            f"{param}: {str(tool.type)[:100]!r} is not supported here", param=param
        )
    if tool.input_schema is None:
        param = f"{where}.input_schema"
        raise ApiError(f"{param}: it is missing", param=param)
    check_sendable(tool.input_schema, f"{where}.input_schema")
    return Function(tool.name, tool.description or "", tool.input_schema)
