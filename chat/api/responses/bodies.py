"""What a request for a response may say (platform.openai.com, Responses)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from accounts.sizes import check_prompt_length
from chat.models import Message
from inference import admission
from inference.api.messages import check_sendable
from inference.api.refusals import ApiError, UnsupportedParameter
from inference.api.schemas import COMPLETIONS_ONLY, FIRST_FAULT, UNSUPPORTED, GenerationRequest
from inference.api.schemas import Limit as TokenLimit
from inference.api.tools import MAX_TOOLS, ToolFields
from inference.runtime import ContextPolicy, Grammar

from .fields import Reasoning, TextFields, Tool, ToolChoice, tools_in_chat
from .items import Find, Item, rows_of

MAX_ITEMS = 2000
LOGPROBS = "message.output_text.logprobs"
# Fields that would change the answer, and the values at which they do not.
NOT_HERE: dict[str, tuple[Any, ...]] = {
    **{name: UNSUPPORTED[name] for name in UNSUPPORTED if name not in ("tools", "tool_choice")},
    **COMPLETIONS_ONLY,
    "continue_final_message": (False,),
    "context_management": ([],),
    "image": (),
    "moderation": (),
    "prompt": (),
}
# What a response repeats of its request.
REPEATED = (
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "temperature"),
    *(
        "top_p",
        "top_logprobs",
        "truncation",
        "max_tool_calls",
        "prompt_cache_key",
        "safety_identifier",
        "user",
    ),
)

Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]
Label = Annotated[str, StringConstraints(max_length=200)]


class ConversationRef(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str


class ResponsesRequest(GenerationRequest):
    """With the sampling that chat completions take beside OpenAI's, and their other forms."""

    length_fields = ("max_output_tokens", "max_tokens")
    unsupported = NOT_HERE

    input: str | Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationRef | None = None
    store: bool = True
    background: bool = False
    max_output_tokens: TokenLimit | None = None
    max_tool_calls: int | None = None
    text: TextFields = TextFields()
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS, fail_fast=True)] = []
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    reasoning: Reasoning = Reasoning()
    truncation: Literal["auto", "disabled"] = "disabled"
    metadata: Annotated[dict[Key, Value], Field(max_length=16)] = {}
    include: Annotated[list[str], FIRST_FAULT] = []
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    chat_template_kwargs: dict[str, Any] = {}
    user: Label | None = None
    safety_identifier: Label | None = None
    prompt_cache_key: Label | None = None

    def check(self) -> list[str]:
        """Names of the fields that are not used.

        Raises:
            ApiError: fields contradict each other, or one would have changed the answer.
        """
        check_sendable(self.chat_template_kwargs, "chat_template_kwargs")
        if self.n != 1:
            raise UnsupportedParameter("n: a response is one answer", param="n")
        if self.deterministic:
            said = "deterministic: it is not supported here; chat completions have it"
            raise UnsupportedParameter(said, param="deterministic")
        if self.background and not self.store:
            why = "what is computed in the background has to be stored"
            raise ApiError(f"background: {why}", param="background")
        if self.conversation is not None and self.previous_response_id is not None:
            why = "it does not go together with previous_response_id"
            raise ApiError(f"conversation: {why}", param="conversation")
        self._check_logprobs()
        others = {*self.include} - {LOGPROBS}
        unused = {"include": bool(others), "cache_prompt": not self.cache_prompt}
        return [*self.ignored_params(), *(name for name, is_unused in unused.items() if is_unused)]

    def _check_logprobs(self) -> None:
        """
        Raises:
            ApiError: they are asked for in half, or where calls are read from the answer.
        """
        if self.top_logprobs and LOGPROBS not in self.include:
            why = f"it needs {LOGPROBS!r} among include"
            raise ApiError(f"top_logprobs: {why}", param="top_logprobs")
        if self.tools and LOGPROBS in self.include:
            said = f"include: {LOGPROBS!r} is not supported beside tools"
            raise UnsupportedParameter(said, param="include")

    @property
    def conversation_name(self) -> str | None:
        given = self.conversation
        return given.id if isinstance(given, ConversationRef) else given

    @property
    def if_too_long(self) -> ContextPolicy:
        return ContextPolicy.DROP_OLDEST if self.truncation == "auto" else ContextPolicy.ERROR

    def rows(self, find: Find) -> list[Message]:
        """
        Raises:
            ApiError: naming the item at fault.
            Exceeds: they are longer than the server allows.
        """
        rows = rows_of(self.input, find)
        said = [*((row.text, row.calls) for row in rows), self.instructions]
        told = [tool.model_dump() for tool in self.tools], self.chat_template_kwargs
        check_prompt_length(admission.num_characters([*said, *told]), "input")
        return rows

    def in_chat(self) -> ToolFields:
        """Raises as `tools_in_chat` does."""
        return tools_in_chat(self.tools, self.tool_choice, several=self.parallel_tool_calls)

    def template_options(self) -> dict[str, Any]:
        return {**self.reasoning.template_options(), **self.chat_template_kwargs}

    def form(self) -> Grammar | None:
        """Raises as the fields of chat completions do."""
        first, second = self.text.grammar(), super().form()
        if first and second:
            why = f"the answer has its form from {first.param} already"
            raise ApiError(f"{second.param}: {why}", param=second.param)
        return first or second

    def thinking_budget(self) -> int | None:
        return self.reasoning.budget()

    def num_logprobs(self) -> int | None:
        return self.top_logprobs or 0 if LOGPROBS in self.include else None

    def repeated(self) -> dict[str, Any]:
        """As the response has it."""
        plain = {name: value for name in REPEATED if (value := getattr(self, name)) is not None}
        nested = {
            name: getattr(self, name).model_dump(exclude_none=name == "text")
            for name in ("text", "reasoning")
        }
        nested["text"].setdefault("format", {"type": "text"})
        tools = [tool.model_dump() for tool in self.tools]
        choice = self.tool_choice
        chosen = choice if isinstance(choice, str) else choice.model_dump(exclude_none=True)
        return {**plain, **nested, "tools": tools, "tool_choice": chosen}


def check_storable(value: Any, where: str = "") -> None:
    """Refuse NUL characters, which no text in the database may have.

    Raises:
        ApiError: naming where one is.
    """
    pairs: Any = ()
    if isinstance(value, str) and "\0" in value:
        raise ApiError(f"{where}: it has a NUL character", param=where)
    if isinstance(value, Mapping):
        pairs = ((f"{where}.{key}" if where else key, one) for key, one in value.items())
        if any("\0" in key for key in value):
            raise ApiError(f"{where or 'body'}: a key has a NUL character", param=where or None)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        pairs = ((f"{where}[{index}]", one) for index, one in enumerate(value))
    for name, one in pairs:
        check_storable(one, name)
