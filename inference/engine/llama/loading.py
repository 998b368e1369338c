"""Opens a GGUF: the model on its devices, and a context as large as memory allows."""

import ctypes
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..config import EngineConfig
from ..errors import ModelLoadFailed, OutOfMemory
from ..machine import available_cores, available_memory
from ..probe import safe_load_options
from ..scheduler import MOST_SCORED
from .library import complaints, llama

logger = logging.getLogger(__name__)

SPLIT_MODES = {
    "none": llama.LLAMA_SPLIT_MODE_NONE,
    "layer": llama.LLAMA_SPLIT_MODE_LAYER,
    "row": llama.LLAMA_SPLIT_MODE_ROW,
}
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}  # llama_flash_attn_type
CACHE_TYPES = {  # name: (ggml_type, bytes a number)
    "f16": (1, 2.0),
    "bf16": (30, 2.0),
    "q8_0": (8, 34 / 32),
    "q4_0": (2, 18 / 32),
}
ALL_LAYERS = 999
GPU_KINDS = {b"CUDA": "cuda", b"MTL": "metal", b"Metal": "metal"}  # as the system info names them
AUTO_CACHE_TOKENS = 32768  # cells of an automatic cache, unless one request needs more
LEAST_CACHE_TOKENS = 512
# A GPU's step hardly grows with its tokens. A CPU's grows in proportion, and whoever
# decodes or cancels waits for it. SmolLM2 on 2 cores, prompt tokens a second at 128 / 256 /
# 512 a step: 222 / 223 / 235 for a prompt of 1,500 tokens, 166 / 188 / 202 for 4,000.
GPU_BATCH_TOKENS = 512
CPU_BATCH_TOKENS = 256
CPU_PREFILL_CHUNK_TOKENS = 64
# From 64 tokens of a step on, ggml's flash attention on a CPU computes them 64 at a time
# (GGML_FA_TILE_Q), each with the cells of all that any of these needs. Of several sequences that
# is for nothing: SmolLM2 on 2 cores, 7 answers and a chunk of 64 took 307 to 356 ms, and with a
# chunk of 56 236 to 240, where a token of a prompt alone takes 3.5.
CPU_MIXED_TOKENS = 63
IDLE_SLOTS = 64
DRAFT_TOKENS = 8
GPU_IDLE_TOKENS = 4096
# SmolLM2 on 2 cores: 27 ps a weight, and 1 to 5 ns for a head's look at an idle cell in a layer,
# in different runs. With so many weights for each look, these are a thirtieth of a token at most.
WEIGHTS_A_LOOK = 5000
OVERHEAD_BYTES = 256 * 2**20  # compute buffers and the like, a guess


def gpu() -> str | None:
    """The kind of GPU that this build computes on and this machine has."""
    if not llama.llama_supports_gpu_offload():
        return None
    info = llama.llama_print_system_info()
    return next((kind for name, kind in GPU_KINDS.items() if name in info), "gpu")


def uses_gpu(config: EngineConfig) -> bool:
    return config.device != "cpu" and config.gpu_layers != 0 and gpu() is not None


def batch_tokens(config: EngineConfig) -> int:
    """Tokens of one step."""
    automatic = GPU_BATCH_TOKENS if uses_gpu(config) else CPU_BATCH_TOKENS
    return config.batch_tokens or max(automatic, config.max_sequences)


def prefill_chunk_tokens(config: EngineConfig) -> int:
    """Prompt tokens of a step while others decode."""
    automatic = batch_tokens(config) if uses_gpu(config) else CPU_PREFILL_CHUNK_TOKENS
    return config.prefill_chunk_tokens or automatic


def mixed_tokens(config: EngineConfig) -> int:
    """Tokens of a step with answers and prompts, at most; 0: any number."""
    is_tiled = config.flash_attention != "off" and config.kv_cache_type == "f16"
    return 0 if uses_gpu(config) or not is_tiled else CPU_MIXED_TOKENS


def load_model(config: EngineConfig, on_progress: Callable[[float], None]) -> Any:
    """The llama_model; `on_progress` hears of 0 to 1.

    Raises:
        ModelLoadFailed: naming the file or the device.
    """
    if not Path(config.path).is_file():
        raise ModelLoadFailed(f"{config.path}: there is no such file")
    if config.device in ("cuda", "metal") and gpu() != config.device:
        raise ModelLoadFailed(
            f"device: {config.device!r} cannot be used; this build of llama.cpp has"
            f" {gpu() or 'no GPU'} here. Build it with DEVICE={config.device}"
        )

    def report(progress: float, _: Any) -> bool:
        on_progress(progress)
        return True

    params = llama.llama_model_default_params()
    params.progress_callback = llama.llama_progress_callback(report)
    params.use_extra_bufts = safe_load_options(Path(config.state_dir)).use_extra_bufts
    # What is pointed to has to outlive the call, no more.
    _kept = _place(params, config)
    model = llama.llama_model_load_from_file(config.path.encode(), params)
    if not model:
        raise failure(config, complaints())
    if llama.llama_model_has_encoder(model):
        raise ModelLoadFailed(f"{config.path}: models with an encoder are not supported")
    return model


def _place(params: Any, config: EngineConfig) -> list[Any]:
    """Say which devices hold the layers; return the arrays that `params` points to."""
    if not uses_gpu(config):
        no_devices = (ctypes.c_void_p * 1)(None)
        params.devices = ctypes.addressof(no_devices)
        params.n_gpu_layers = 0
        return [no_devices]
    params.n_gpu_layers = config.gpu_layers if config.gpu_layers >= 0 else ALL_LAYERS
    params.split_mode = SPLIT_MODES[config.split_mode]
    params.main_gpu = config.main_gpu
    most = llama.llama_max_devices()
    if len(config.tensor_split) > most:
        raise ModelLoadFailed(f"tensor_split: {config.tensor_split} names more than {most} GPUs")
    shares = (ctypes.c_float * most)(*config.tensor_split)
    if config.tensor_split:
        params.tensor_split = shares
    return [shares]


def failure(config: EngineConfig, said: str) -> ModelLoadFailed:
    """A device that is full is no fault of the file: another model may make room."""
    kind = OutOfMemory if "alloc" in said else ModelLoadFailed
    return kind(f"{config.path}: {said}")


def wanted_context(config: EngineConfig, model: Any) -> int:
    """Tokens of a request, if memory allows."""
    return config.context_length or llama.llama_model_n_ctx_train(model) or AUTO_CACHE_TOKENS


def make_context(config: EngineConfig, model: Any, beside: int = 0) -> tuple[Any, int]:
    """A llama_context, and the tokens that one request may have; `beside` it so many bytes
    have to stay free.

    Raises:
        OutOfMemory: there is none even for a small KV cache.
        ModelLoadFailed: llama.cpp refuses the options.
    """
    wanted = wanted_context(config, model)
    cells = config.cache_tokens or min(
        wanted * config.max_sequences, max(wanted, AUTO_CACHE_TOKENS)
    )
    cells = min(cells, _affordable_cells(config, model, beside))
    # A context that was asked for is not made smaller, one of our own choice may be.
    least = min(LEAST_CACHE_TOKENS, wanted) if not config.context_length else wanted
    while cells >= least:
        params = context_params(config, cells)
        params.n_seq_max = num_slots(config, model)
        # No fewer than sequences, however small a batch is: llama.cpp aborts otherwise.
        num_outputs = min(params.n_batch, params.n_seq_max + MOST_SCORED)
        params.n_outputs_max = max(params.n_seq_max, num_outputs)
        params.n_outputs_max_per_seq = 1  # of those that are sampled in the graph
        context = llama.llama_init_from_model(model, params)
        if context:
            return context, min(wanted, cells)
        said = complaints()
        if "alloc" not in said:  # a smaller cache would change nothing
            raise failure(config, said)
        logger.warning("no memory for a KV cache of %d tokens", cells)
        cells = max(least, cells // 2) if cells > least else 0
    raise OutOfMemory(f"{config.path}: there is no memory for a KV cache of {least} tokens")


def can_share(model: Any) -> bool:
    """Whether a sequence may begin with the cells of another.

    A recurrent state cannot be cut, and a cache with a sliding window has no cells for
    those that it would have to keep for several sequences.
    """
    if llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model):
        return False
    return not llama.llama_model_n_swa(model)


def num_slots(config: EngineConfig, model: Any) -> int:
    """Sequences that the cache tells apart: those at work, and what others have left behind."""
    if not can_share(model):
        return config.max_sequences  # a recurrent state takes memory for each
    most: int = llama.llama_max_parallel_sequences()
    return max(config.max_sequences, min(config.max_sequences + IDLE_SLOTS, most))


def draft_tokens(config: EngineConfig, model: Any) -> int:
    """Of a sequence, looked up in its text in a step. They are for nothing where they cannot
    be cut off again, and cost a CPU nearly as much as they save.
    """
    is_wanted = uses_gpu(config) if config.speculation == "auto" else config.speculation == "on"
    return DRAFT_TOKENS if is_wanted and can_share(model) else 0


def idle_tokens(config: EngineConfig, model: Any, cells: int) -> int:
    """Cells that idle sequences may have: attention looks at each in every step, at work or not.

    A CPU does for each token, head and layer, which tells the more the smaller a model is
    (bench/RESULTS.md). What has no cells is restored from memory, unless nothing is kept there.
    """
    if uses_gpu(config):
        return min(cells, GPU_IDLE_TOKENS)
    if not config.snapshot_memory_bytes:
        return cells
    looks: int = llama.llama_model_n_head(model) * llama.llama_model_n_layer(model)
    weights: int = llama.llama_model_n_params(model)
    return min(cells, weights // (looks * WEIGHTS_A_LOOK))


def memory_bytes(config: EngineConfig, model: Any, cells: int) -> int:
    """An estimate of what the loaded model takes."""
    return int(llama.llama_model_size(model) + cells * _cell_bytes(config, model)) + OVERHEAD_BYTES


def projector_bytes(config: EngineConfig) -> int:
    """What reads images takes, beside the model."""
    path = Path(config.projector)
    return path.stat().st_size if config.projector and path.is_file() else 0


def _affordable_cells(config: EngineConfig, model: Any, beside: int) -> int:
    """By this machine's memory; a GPU's shows when the cache is allocated."""
    free = available_memory()
    if config.memory_limit:
        free = min(free, config.memory_limit)
    weights = 0
    if not uses_gpu(config):
        weights = llama.llama_model_size(model) + projector_bytes(config)
    return int((free - beside - weights - OVERHEAD_BYTES) / _cell_bytes(config, model))


def _cell_bytes(config: EngineConfig, model: Any) -> float:
    """Bytes of one token in the KV cache: K and V of every layer."""
    heads = llama.llama_model_n_head(model)
    head_size = llama.llama_model_n_embd(model) / max(heads, 1)
    num_kv_heads = llama.llama_model_n_head_kv(model) or heads
    numbers: float = 2 * llama.llama_model_n_layer(model) * num_kv_heads * head_size
    return max(1.0, numbers * CACHE_TYPES[config.kv_cache_type][1])


def threads(config: EngineConfig) -> int:
    return config.threads or available_cores()


def system(config: EngineConfig) -> str:
    """The processors' abilities that are used here, which round in different ways."""
    repacks = safe_load_options(Path(config.state_dir)).use_extra_bufts
    info: str = llama.llama_print_system_info().decode().strip(" |")
    return f"{info} | EXTRA_BUFTS = {int(repacks)}"


def context_params(config: EngineConfig, cells: int) -> Any:
    params = llama.llama_context_default_params()
    params.n_ctx = cells
    params.n_batch = params.n_ubatch = batch_tokens(config)
    params.n_seq_max = params.n_outputs_max = config.max_sequences
    params.n_threads = params.n_threads_batch = threads(config)
    params.flash_attn_type = FLASH_ATTENTION[config.flash_attention]
    params.type_k = params.type_v = CACHE_TYPES[config.kv_cache_type][0]
    params.offload_kqv = params.op_offload = uses_gpu(config)
    params.kv_unified = True
    params.swa_full = False
    params.no_perf = True
    return params
