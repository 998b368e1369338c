"""Tiny GGUF files with random weights: what `probe` tries a CPU's kernels on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from numpy.random import Generator

Q4_0 = GGMLQuantizationType.Q4_0
Q8_0 = GGMLQuantizationType.Q8_0


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a transformer. Widths are multiples of 32: of a quantised block, and of an AMX tile."""

    layers: int = 2
    width: int = 64
    heads: int = 2
    kv_heads: int = 1
    feed_forward: int = 128
    vocabulary: int = 64
    context: int = 64

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def write_probe_model(path: Path) -> None:
    """A Llama without a vocabulary, in the weight types that CPUs have special kernels for.

    ggml uses AMX only for matrices of whole tiles and batches of two tokens or
    more (`ggml/src/ggml-cpu/amx`), and repacks Q4_0 on every x86 with AVX2.
    """
    shape = Shape()
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("none")
    add_hyperparameters(writer, shape)
    add_transformer(writer, shape, np.random.default_rng(0), attention=Q4_0, others=Q8_0)
    save(writer)


def add_hyperparameters(writer: GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_layer_norm_rms_eps(1e-5)


def add_transformer(
    writer: GGUFWriter,
    shape: Shape,
    rng: Generator,
    *,
    attention: GGMLQuantizationType,
    others: GGMLQuantizationType,
) -> None:
    """The tensors of a Llama; `attention` and `others` are the types of its matrices."""
    width, inner, kv_width = (
        shape.width,
        shape.feed_forward,
        shape.kv_heads * shape.head_width,
    )
    add_matrix(writer, rng, "token_embd", shape.vocabulary, width, others)
    add_matrix(writer, rng, "output", shape.vocabulary, width, others)
    add_norm(writer, "output_norm", width)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        add_norm(writer, block + "attn_norm", width)
        add_norm(writer, block + "ffn_norm", width)
        for name, rows in (
            ("q", width),
            ("k", kv_width),
            ("v", kv_width),
            ("output", width),
        ):
            add_matrix(writer, rng, f"{block}attn_{name}", rows, width, attention)
        add_matrix(writer, rng, block + "ffn_gate", inner, width, others)
        add_matrix(writer, rng, block + "ffn_up", inner, width, others)
        add_matrix(writer, rng, block + "ffn_down", width, inner, others)


def add_matrix(
    writer: GGUFWriter,
    rng: Generator,
    name: str,
    rows: int,
    columns: int,
    kind: GGMLQuantizationType,
) -> None:
    """`rows` outputs of `columns` inputs each, so small that layers neither die nor explode."""
    values = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(columns**0.5)
    writer.add_tensor(f"{name}.weight", quantize(values, kind), raw_dtype=kind)


def add_norm(writer: GGUFWriter, name: str, width: int) -> None:
    writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))


def save(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
