"""Tiny encoders with random weights and a word-piece vocabulary: the same noise each time."""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, PoolingType, TokenType
from numpy.random import Generator

from inference.engine.probe_model import add_matrix, save

F32 = GGMLQuantizationType.F32
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNKNOWN, CLS, SEP, MASK = range(5)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def make_tiny_bert(
    path: Path,
    *,
    pooling: PoolingType | None = PoolingType.MEAN,
    context_length: int = 64,
    layers: int = 2,
    width: int = 32,
    seed: int = 0,
) -> Path:
    """Write a BERT of some ten thousand weights, and return its path.

    Args:
        pooling: with RANK it has a head of one number; None leaves the key out.
        context_length: as many positions have an embedding.
        width: a multiple of 2.
    """
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(path, "bert")
    writer.add_name("tiny bert")
    writer.add_context_length(context_length)
    writer.add_block_count(layers)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    _add_tokenizer(writer)
    _add_tensors(writer, rng, context_length, layers, width)
    if pooling is PoolingType.RANK:
        _add_dense(writer, rng, "cls", width, width)
        _add_dense(writer, rng, "cls.output", 1, width)
    save(writer)
    return path


def vocabulary() -> list[str]:
    """Special tokens, then every letter as a word's beginning, and as its going on."""
    return [*SPECIAL, *(f"▁{letter}" for letter in LETTERS), *LETTERS]


def _add_tokenizer(writer: GGUFWriter) -> None:
    tokens = vocabulary()
    normal = [TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([*[TokenType.CONTROL] * len(SPECIAL), *normal])
    writer.add_token_type_count(2)
    writer.add_bos_token_id(CLS)
    writer.add_sep_token_id(SEP)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_pad_token_id(PAD)
    writer.add_mask_token_id(MASK)


def _add_tensors(
    writer: GGUFWriter, rng: Generator, context_length: int, layers: int, width: int
) -> None:
    add_matrix(writer, rng, "token_embd", len(vocabulary()), width, F32)
    add_matrix(writer, rng, "token_types", 2, width, F32)
    add_matrix(writer, rng, "position_embd", context_length, width, F32)
    _add_norm(writer, "token_embd_norm", width)
    for layer in range(layers):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            _add_dense(writer, rng, block + name, width, width)
        _add_norm(writer, block + "attn_output_norm", width)
        _add_dense(writer, rng, block + "ffn_up", 2 * width, width)
        _add_dense(writer, rng, block + "ffn_down", width, 2 * width)
        _add_norm(writer, block + "layer_output_norm", width)


def _add_dense(writer: GGUFWriter, rng: Generator, name: str, rows: int, columns: int) -> None:
    add_matrix(writer, rng, name, rows, columns, F32)
    writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))


def _add_norm(writer: GGUFWriter, name: str, width: int) -> None:
    writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.add_tensor(f"{name}.bias", np.zeros(width, np.float32))
