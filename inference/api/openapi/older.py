"""Answers of the older dialect, of the registry and of probes."""

from typing import Any, Literal

from pydantic import RootModel

from .errors import Answer

TEXT_EVENTS: dict[str, Any] = {
    "type": "string",
    "description": "Events `data:<text>`; an error is `data:__ERROR__:<message>`.",
}
EITHER_EVENTS: dict[str, Any] = {
    "description": "Events `data:<text>`; with `model`, those of /v1/chat/completions.",
}
PAGE: dict[str, Any] = {"type": "string"}
SESSIONS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


class OlderCompletion(Answer):
    text: str
    model: str
    tokens: int
    duration_seconds: float
    tokens_per_second: float


class OlderModels(Answer):
    models: list[str]


class OlderModel(Answer):
    id: str
    name: str
    context_length: int | None
    quantization: str


class Said(Answer):
    role: str
    content: str


class History(RootModel[list[Said]]):
    """The system prompt first."""


class RolledBack(Answer):
    status: Literal["ok"]


class Health(Answer):
    status: Literal["ok"]
    uptime: float
    timestamp: str


class Readiness(Answer):
    status: Literal["ready", "not ready"]
    models_available: int
    timestamp: str
    reason: str | None = None


class RegistryState(Answer):
    id: str
    object: Literal["model"]
    state: Literal[
        "not_fetched",
        "fetching",
        "fetch_failed",
        "unloaded",
        "loading",
        "ready",
        "leaving",
        "crashed",
    ]
    progress: float | None
    detail: str


class RegistryModel(RegistryState):
    base: str | None
    adapter_scale: float | None
    draft: str | None
    created: int
    source: str
    projector: str
    projector_sha256: str
    projector_size_bytes: int | None
    aliases: list[str]
    sha256: str
    size_bytes: int | None
    licence: str
    architecture: str
    parameters: int | None
    quantization: str
    trained_context: int | None
    name: str
    task: str
    enabled: bool
    pinned: bool
    idle_timeout_seconds: float | None
    device: str
    gpu_layers: int | None
    split_mode: str
    tensor_split: str
    main_gpu: int | None
    flash_attention: str
    kv_cache_type: str
    threads: int | None
    context_length: int | None
    context_policy: str
    system_prompt: str
    max_sequences: int | None
    batch_tokens: int | None
    prefill_chunk_tokens: int | None


class RegistryModels(Answer):
    object: Literal["list"]
    data: list[RegistryModel]
