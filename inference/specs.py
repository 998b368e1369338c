"""What the registry and the settings say, in the engine's terms."""

import hashlib
from operator import attrgetter
from typing import Any

import msgspec
from django.conf import settings

from inference.engine import (
    Adapter,
    Draft,
    EngineConfig,
    ModelLoadFailed,
    ModelSpec,
    PoolLimits,
    total_memory,
)

from .models import LanguageModel

SECONDS_A_DAY = 24 * 60 * 60


def limits() -> PoolLimits:
    """What this process's models may take together."""
    models, server = settings.CONFIG.models, settings.CONFIG.server
    memory = models.memory_limit_mb * 2**20 or int(total_memory() * 0.8)
    return PoolLimits(
        max_models=models.max_loaded_models,
        memory_bytes=memory,
        load_timeout=models.load_timeout_seconds,
        drain_seconds=server.drain_seconds,
        step_timeout=models.step_timeout_seconds,
    )


async def spec(model: LanguageModel) -> ModelSpec:
    """The engine that serves the row, in its own terms: an adapter's is that of its base.

    Raises:
        ModelLoadFailed: the row holds what no engine can be started with.
    """
    # In order here: the database's order costs each request more than the query.
    rows = [row async for row in model.origin.adapters.routable().order_by()]
    adapters = [_adapter(row) for row in sorted(rows, key=attrgetter("slug"))]
    return _spec(model.origin, adapters)


def _adapter(row: LanguageModel) -> Adapter:
    return Adapter(id=row.adapter, path=str(row.path), sha256=row.sha256, scale=row.adapter_scale)


def _draft(row: LanguageModel) -> Draft:
    """One that has not been fetched has no path."""
    path = str(row.path) if row.path else ""
    return Draft(id=row.slug, path=path, sha256=row.sha256, gpu_layers=row.gpu_layers)


def _spec(model: LanguageModel, adapters: list[Adapter]) -> ModelSpec:
    defaults = settings.CONFIG.models
    device = model.device if model.device != "auto" else defaults.default_device
    timeout = model.idle_timeout_seconds
    fields = {
        "model_id": model.slug,
        "path": str(model.path),
        "sha256": model.sha256,
        "backend": settings.ENGINE_BACKEND,
        "task": model.serves,
        "adapters": adapters,
        "projector": str(model.projector_path or ""),
        "projector_sha256": model.projector_sha256 if model.projector_path else "",
        "draft": model.draft and _draft(model.draft),
        "state_dir": str(settings.DATA_DIR),
        "device": device,
        "gpu_layers": model.gpu_layers,
        "split_mode": model.split_mode,
        "tensor_split": [float(share) for share in model.tensor_split.split(",") if share],
        "main_gpu": model.main_gpu,
        "flash_attention": model.flash_attention,
        "kv_cache_type": model.kv_cache_type,
        "threads": model.threads,
        "context_length": model.context_length,
        "max_sequences": model.max_sequences or defaults.max_concurrent_requests,
        "max_waiting": defaults.max_waiting_requests,
        "batch_tokens": model.batch_tokens,
        "prefill_chunk_tokens": model.prefill_chunk_tokens,
        "snapshot_memory_bytes": defaults.snapshot_memory_mb * 2**20,
        "snapshot_disk_bytes": defaults.snapshot_disk_mb * 2**20,
        "snapshot_seconds": float(defaults.snapshot_days * SECONDS_A_DAY),
        **settings.ENGINE_OPTIONS,
    }
    return ModelSpec(
        config=_config(fields),
        size_bytes=sum(row.size_bytes or 0 for row in (model, model.draft) if row)
        + (model.projector_size_bytes or 0),
        is_pinned=model.pinned,
        idle_timeout=defaults.idle_timeout_seconds if timeout is None else timeout,
    )


def _config(fields: dict[str, Any]) -> EngineConfig:
    """
    Raises:
        ModelLoadFailed: the row holds what no engine can be started with.
    """
    try:
        return msgspec.convert(fields, EngineConfig)
    except msgspec.ValidationError as error:
        raise ModelLoadFailed(f"{fields['model_id']}: {error}") from None


def fingerprint(model: LanguageModel) -> str:
    """Changes with the file and with the engine."""
    origin = model.origin
    facts = (
        f"{origin.sha256}:{origin.chat_template}:{origin.kv_cache_type}:{settings.ENGINE_VERSION}"
    )
    if origin.projector_path:
        facts += f":{origin.projector_sha256}"
    if model.adapter:
        facts += f":{model.sha256}:{model.adapter_scale}"
    if model.preamble:
        facts += f":{model.preamble}"
    return f"fp_{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
