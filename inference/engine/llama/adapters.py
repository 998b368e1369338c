"""LoRA adapters of one model, loaded beside it."""

import ctypes
import logging
from pathlib import Path
from typing import Any

from ..config import Adapter, EngineConfig
from ..errors import ModelLoadFailed
from .library import complaints, llama

logger = logging.getLogger(__name__)


class Adapters:
    """To be made before the context, whose graphs have to have room for them.

    One that does not fit is refused to whoever asks for it; the model serves all others.
    """

    def __init__(self, config: EngineConfig, model: Any) -> None:
        self._scales = {adapter.id: adapter.scale for adapter in config.adapters}
        self._loaded = {adapter.id: _load(adapter, config, model) for adapter in config.adapters}
        paths = (Path(adapter.path) for adapter in config.adapters)
        self.size_bytes = sum(path.stat().st_size for path in paths if path.is_file())
        self._in_use = ""

    def check(self, id: str) -> None:
        """
        Raises:
            ModelLoadFailed: there is no such adapter, or it does not fit.
        """
        if not id:
            return
        adapter = self._loaded.get(id)
        if adapter is None:
            raise ModelLoadFailed(f"{id}: the engine has no such adapter")
        if isinstance(adapter, ModelLoadFailed):
            raise ModelLoadFailed(adapter.message)

    def use(self, id: str, context: Any) -> None:
        """Let the context compute with that one from now on; with none if the id is empty."""
        if id == self._in_use:
            return
        ids = [id] if id else []
        handles = (llama.llama_adapter_lora_p_ctypes * 1)(*(self._handle(one) for one in ids))
        scales = (ctypes.c_float * 1)(*(self._scales[one] for one in ids))
        status = llama.llama_set_adapters_lora(context, handles, len(ids), scales)
        assert status == 0, "it was checked when the request came"
        self._in_use = id

    def _handle(self, id: str) -> Any:
        return ctypes.cast(self._loaded[id], llama.llama_adapter_lora_p_ctypes)


def _load(adapter: Adapter, config: EngineConfig, model: Any) -> Any:
    """The llama_adapter_lora, or why there is none. It is freed with the model."""
    complaints()  # those of before
    handle = llama.llama_adapter_lora_init(model, adapter.path.encode())
    if handle:
        return handle
    why = f"the adapter {adapter.path} does not fit {config.model_id}: {complaints()}"
    logger.error("%s: %s", adapter.id, why)
    return ModelLoadFailed(f"{adapter.id}: {why}")
