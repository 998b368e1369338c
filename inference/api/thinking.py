"""How much a client lets a model think, in the words of several servers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from .refusals import ApiError

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
Budget = Annotated[int, Field(ge=-1, le=2**31 - 1)]  # tokens; -1: any number

# Tokens of thoughts; None: any number.
BUDGETS: dict[Effort, int | None] = {
    "none": 0,
    "minimal": 256,
    "low": 1024,
    "medium": 4096,
    "high": None,
    "xhigh": None,
}


class ThinkingFields(BaseModel):
    """A number says more than an effort."""

    reasoning_effort: Effort | None = None
    thinking_budget_tokens: Budget | None = None  # llama-server's
    thinking_token_budget: Budget | None = None  # vLLM's

    def thinking_budget(self) -> int | None:
        """In tokens; None: any number.

        Raises:
            ApiError: it is given twice, and not the same.
        """
        names = ("thinking_budget_tokens", "thinking_token_budget")
        given = {name: v for name in names if (v := getattr(self, name)) is not None}
        if len({*given.values()}) > 1:
            first, second = given
            why = f"{first} says {given[first]} already"
            raise ApiError(f"{second}: {given[second]}: {why}", param=second)
        if given:
            budget = next(iter(given.values()))
            return None if budget < 0 else budget
        return effort_budget(self.reasoning_effort)

    def thinking_options(self) -> dict[str, Any]:
        return template_options(self.reasoning_effort, self.thinking_budget())


def effort_budget(effort: Effort | None) -> int | None:
    return None if effort is None else BUDGETS[effort]


def template_options(effort: Effort | None, budget: int | None) -> dict[str, Any]:
    """What chat templates of models that think look at."""
    if budget == 0:
        return {"enable_thinking": False}
    return {} if effort is None else {"enable_thinking": True, "reasoning_effort": effort}
