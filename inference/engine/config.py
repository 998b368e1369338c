"""What it takes to serve one model."""

from typing import Any, Literal, NamedTuple

import msgspec


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA adapter that requests may name; `scale` is how much of it is added."""

    id: str
    path: str
    sha256: str = ""
    scale: float = 1.0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A smaller model of the same vocabulary, which guesses what the served one will write.

    A guess ends before a token that it gives less than `min_probability`.
    """

    id: str
    path: str
    sha256: str = ""
    gpu_layers: int = -1  # -1: all
    min_probability: float = 0.75


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an engine is told at its start; it travels to the child process.

    0 stands for "choose": the trained context, all cores, what suits the device.
    """

    model_id: str
    path: str
    sha256: str = ""  # of the file: another file at the same path is another model
    backend: Literal["llama", "fake"] = "llama"
    task: Literal["generate", "embed", "rerank"] = "generate"
    adapters: tuple[Adapter, ...] = ()
    projector: str = ""  # path of the file that makes images readable to the model, if any
    projector_sha256: str = ""
    draft: Draft | None = None
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
    target_step_seconds: float = 0.2  # with prompts in it; what they are chunked for
    # Guess the next tokens: by the draft model, if there is one, and from what the text has
    # said before, which `auto` does where that pays.
    speculation: Literal["auto", "on", "off"] = "auto"
    # Where tokens are chosen: with the model on its device, where it can be, or from its logits.
    sampling: Literal["auto", "host", "attached"] = "auto"

    # For what idle conversations have in the cache, once it has to leave: of memory, and of disk.
    snapshot_memory_bytes: int = 0
    snapshot_disk_bytes: int = 0
    snapshot_seconds: float = 0.0  # after their last use they go; 0: never

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
    mixed_tokens: int = 0  # of a step, prompts' beside answers', at most; 0: any
    num_slots: int = 0  # sequences that the cache can tell apart, idle ones among them
    draft_tokens: int = 0  # of a sequence, guessed from its text in a step, at most
    draft_problem: str = ""  # why its draft model is not used
    idle_tokens: int | None = None  # cells that idle sequences may have; None: all
    memory_bytes: int
    has_chat_template: bool
    reads_images: bool = False
    can_share: bool = False  # whether sequences may begin with each other's cells
    is_async: bool = False  # the device computes while the host does something else
    device: str
    build: str
    threads: int = 0
    system: str = ""  # what this build of the library can use of this machine
    embedding_length: int = 0  # numbers of a vector, if it makes any
    load_seconds: float = 0.0


# Of a config, what says where a model is and how much it may take: nothing of how it computes.
PLACES = (
    *("model_id", "path", "sha256", "adapters", "draft", "projector", "projector_sha256"),
    *("state_dir", "memory_limit", "max_waiting"),
)


class Setup(NamedTuple):
    """What an engine was told, and what became of it."""

    config: EngineConfig
    info: EngineInfo

    def options(self) -> dict[str, Any]:
        """What decides, beside file, build and machine, which numbers come out.

        An EngineConfig's fields, as JSON has them, with what was chosen instead of what was
        left open.
        """
        told, chosen = (msgspec.json.decode(msgspec.json.encode(half)) for half in self)
        return {
            name: chosen.get(name) or value for name, value in told.items() if name not in PLACES
        } | {"device": self.config.device}
