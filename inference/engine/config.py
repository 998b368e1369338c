"""What it takes to serve one model."""

from typing import Literal

import msgspec


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an engine is told at its start; it travels to the child process.

    0 stands for "choose": the trained context, all cores, what suits the device.
    """

    model_id: str
    path: str
    sha256: str = ""  # of the file: another file at the same path is another model
    backend: Literal["llama", "fake"] = "llama"
    task: Literal["generate", "embed", "rerank"] = "generate"
    state_dir: str = "."  # what the engine remembers of this machine

    device: Literal["auto", "cuda", "metal", "cpu"] = "auto"
    gpu_layers: int = -1  # -1: all
    split_mode: Literal["none", "layer", "row"] = "layer"
    tensor_split: tuple[float, ...] = ()  # share of each GPU; empty: by free memory
    main_gpu: int = 0
    flash_attention: Literal["auto", "on", "off"] = "auto"
    kv_cache_type: Literal["f16", "bf16", "q8_0", "q4_0"] = "f16"
    threads: int = 0

    context_length: int = 0  # tokens of one request, prompt and answer
    cache_tokens: int = 0  # cells of the KV cache, shared by all sequences
    memory_limit: int = 0  # bytes the model may take
    max_sequences: int = 10  # requests computed at once
    max_waiting: int = 256  # requests that may wait beyond those
    batch_tokens: int = 0  # tokens of one step, and of one micro-batch
    prefill_chunk_tokens: int = 0  # prompt tokens of a step while others decode

    fake_step_seconds: float = 0.0

    def __post_init__(self) -> None:
        for field in (
            "context_length",
            "cache_tokens",
            "memory_limit",
            "threads",
            "max_waiting",
            "batch_tokens",
            "prefill_chunk_tokens",
        ):
            self._require(field, getattr(self, field) >= 0, "must not be negative")
        self._require("max_sequences", self.max_sequences >= 1, "must be at least 1")
        self._require(
            "batch_tokens",
            not self.batch_tokens or self.batch_tokens >= self.max_sequences,
            f"must give each of {self.max_sequences} sequences a token",
        )

        self._require(
            "flash_attention",
            self.flash_attention != "off" or self.kv_cache_type in ("f16", "bf16"),
            f"must not be off with a KV cache of {self.kv_cache_type}",
        )

    def _require(self, field: str, is_right: bool, why: str) -> None:
        if not is_right:
            raise ValueError(f"{self.model_id}: {field} {why}, not {getattr(self, field)}")


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the config once the model was loaded."""

    context_length: int
    cache_tokens: int
    max_sequences: int
    batch_tokens: int
    prefill_chunk_tokens: int
    memory_bytes: int
    has_chat_template: bool
    can_share: bool = False  # whether sequences may begin with each other's cells
    device: str
    build: str
    embedding_length: int = 0  # numbers of a vector, if it makes any
    load_seconds: float = 0.0
