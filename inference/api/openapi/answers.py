"""Answers of OpenAI's endpoints that write text: what is in them."""

from typing import Any, Literal

from .errors import Answer

FinishReason = Literal["stop", "length", "tool_calls", "function_call", "content_filter"]


class CachedTokens(Answer):
    cached_tokens: int


class ReasoningTokens(Answer):
    reasoning_tokens: int


class Usage(Answer):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens
    completion_tokens_details: ReasoningTokens


class Timings(Answer):
    """In milliseconds, under llama-server's names."""

    queued_ms: float
    cache_n: int
    prompt_n: int
    prompt_ms: float
    predicted_n: int
    predicted_ms: float
    predicted_per_second: float | None
    draft_n: int = 0
    draft_n_accepted: int = 0


class CalledFunction(Answer):
    name: str
    arguments: str


class ToolCall(Answer):
    id: str
    type: Literal["function"]
    function: CalledFunction


class AssistantMessage(Answer):
    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: CalledFunction | None = None


class LikelyToken(Answer):
    token: str
    logprob: float
    bytes: list[int]


class ChatLogprob(LikelyToken):
    top_logprobs: list[LikelyToken]


class ChatLogprobs(Answer):
    content: list[ChatLogprob]
    refusal: None


class ChatChoice(Answer):
    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason


class Whole(Answer):
    id: str
    created: int
    model: str
    system_fingerprint: str
    receipt: str | None = None
    usage: Usage
    timings: Timings


class ChatCompletion(Whole):
    object: Literal["chat.completion"]
    choices: list[ChatChoice]


class FunctionDelta(Answer):
    name: str | None = None
    arguments: str


class ToolCallDelta(Answer):
    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class ChatDelta(Answer):
    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionDelta | None = None


class ChatChunkChoice(Answer):
    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None


class PromptProgress(Answer):
    """Tokens: of the prompt, of those found computed, and of those computed by now."""

    total: int
    cache: int
    processed: int
    time_ms: int


class Chunk(Answer):
    id: str
    created: int
    model: str
    system_fingerprint: str
    receipt: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    prompt_progress: PromptProgress | None = None


class ChatCompletionChunk(Chunk):
    """The data of each event but the last, which is `[DONE]`."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatChunkChoice]


class TextLogprobs(Answer):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(Answer):
    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason


class TextChunkChoice(TextChoice):
    finish_reason: FinishReason | None  # type: ignore[assignment]


class Completion(Whole):
    object: Literal["text_completion"]
    choices: list[TextChoice]


class CompletionChunk(Chunk):
    """The data of each event but the last, which is `[DONE]`."""

    object: Literal["text_completion"]
    choices: list[TextChunkChoice]


class InputTokens(Answer):
    object: Literal["response.input_tokens"]
    input_tokens: int


class Tokenized(Answer):
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None


class Prompt(Answer):
    prompt: str


class VectorUsage(Answer):
    prompt_tokens: int
    total_tokens: int


class Embedding(Answer):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Embeddings(Answer):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: VectorUsage


class RankedDocument(Answer):
    text: str


class Ranked(Answer):
    index: int
    relevance_score: float
    document: RankedDocument | None = None


class Ranking(Answer):
    id: str
    results: list[Ranked]
    model: str
    usage: VectorUsage


class Model(Answer):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    name: str
    context_length: int | None
    max_model_len: int | None
    capabilities: list[Literal["completion", "chat", "embedding", "rerank"]]
    quantization: str
    base: str | None
    status: str


class Models(Answer):
    object: Literal["list"]
    data: list[Model]


class UsageTotal(Answer):
    requests: int
    failures: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class UsageOfDay(UsageTotal):
    date: str
    model: str


class Quota(Answer):
    rule: str
    level: str
    limit: int
    used: int
    reserved: int
    remaining: int
    resets_at: str


class UsageReport(Answer):
    object: Literal["usage"]
    days: int
    data: list[UsageOfDay]
    total: UsageTotal
    quotas: list[Quota]


class Receipt(Answer):
    id: str
    object: Literal["receipt"]
    created: int
    request_id: str
    model: str
    model_sha256: str
    adapter_sha256: str
    adapter_scale: float | None
    template_sha256: str
    params: dict[str, Any]
    build: str
    system: str
    device: str
    options: dict[str, Any]
    prompt_tokens: list[int]
    output_tokens: list[int]
    finish_reason: str
