"""What a request for embeddings, or for a ranking, may say."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from accounts.sizes import check_prompt_length

from .refusals import ApiError, UnsupportedParameter
from .schemas import FIRST_FAULT, Limit, Name, Strings, TokenLists, Tokens

MAX_INPUTS = 2048  # as OpenAI has it

Text = Annotated[str, StringConstraints(min_length=1)]


class InputsRequest(BaseModel):
    """What both endpoints share."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    model: Name

    def ignored_params(self) -> list[str]:
        """
        Raises:
            UnsupportedParameter: a stream is asked for, and there is none.
        """
        extra = self.model_extra or {}
        if extra.get("stream"):
            raise UnsupportedParameter("stream is not supported here.", param="stream")
        return sorted(name for name in extra if name != "stream")


class EmbeddingRequest(InputsRequest):
    input: str | Strings | Tokens | TokenLists
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Limit | None = None

    def inputs(self) -> dict[str, Any]:
        """Fields of the engine's request."""
        given: Any = self.input
        if isinstance(given, str) or (given and isinstance(given[0], int)):
            given = [given]
        _check_sizes(given, "input")
        kind = "texts" if isinstance(given[0], str) else "tokens"
        return {kind: given, "dimensions": self.dimensions or 0}


class Document(BaseModel):
    """As Jina's clients send it, if not as a string."""

    model_config = ConfigDict(strict=True)

    text: str


class RerankRequest(InputsRequest):
    query: Text
    documents: Annotated[list[str | Document], FIRST_FAULT]
    top_n: Limit | None = None
    return_documents: bool = False

    def texts(self) -> list[str]:
        return [one if isinstance(one, str) else one.text for one in self.documents]

    def inputs(self) -> dict[str, Any]:
        """Fields of the engine's request."""
        texts = self.texts()
        check_prompt_length(len(self.query), "query")
        _check_sizes(texts, "documents")
        return {"texts": texts, "query": self.query}


def _check_sizes(inputs: list[Any], param: str) -> None:
    if not inputs:
        raise ApiError(f"{param}: it is empty", param=param)
    if len(inputs) > MAX_INPUTS:
        raise ApiError(f"{param}: {len(inputs)} are more than {MAX_INPUTS}", param=param)
    for index, one in enumerate(inputs):
        check_prompt_length(len(one), f"{param}[{index}]")
