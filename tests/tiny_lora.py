"""Tiny LoRA adapters with random weights, for the models of `tiny_gguf`."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from inference.engine.probe_model import save


def make_tiny_lora(
    path: Path,
    *,
    architecture: str = "llama",
    layers: int = 2,
    width: int = 64,
    rank: int = 4,
    seed: int = 0,
) -> Path:
    """Write an adapter that changes what every layer's query and output make of its input.

    Args:
        layers, width: the model's; others do not fit.
        seed: another one, another change.
    """
    rng = np.random.default_rng([1, seed])
    writer = GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for layer in range(layers):
        for name in ("attn_q", "attn_output", "ffn_down"):
            inputs = 2 * width if name == "ffn_down" else width
            tensor = f"blk.{layer}.{name}.weight"
            _add(writer, rng, f"{tensor}.lora_a", rank, inputs)
            _add(writer, rng, f"{tensor}.lora_b", width, rank)
    save(writer)
    return path


def _add(writer: GGUFWriter, rng: np.random.Generator, name: str, rows: int, columns: int) -> None:
    writer.add_tensor(name, rng.normal(0, 0.2, (rows, columns)).astype(np.float32))
