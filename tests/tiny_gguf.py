"""Tiny GGUF models with random weights and a real vocabulary, made in milliseconds.

What they write is noise, but the same noise each time. Load them in a child
process with the options of `inference.engine.probe`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from numpy.random import Generator

from inference.engine.probe_model import (
    Shape,
    add_hyperparameters,
    add_matrix,
    add_norm,
    add_transformer,
    save,
)

Architecture = Literal["llama", "gemma3", "mamba", "qwen2vl"]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END_OF_TEXT, IM_START, IM_END = 0, 1, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ t", "Ġt he", "i n", "e r", "Ġ a", "o n"]
F32 = GGMLQuantizationType.F32


def make_tiny_gguf(
    path: Path,
    *,
    architecture: Architecture = "llama",
    chat_template: str | None = CHATML,
    context_length: int = 256,
    layers: int = 2,
    width: int = 64,
    window: int = 32,
    weights: GGMLQuantizationType = F32,
    seed: int = 0,
    infill: tuple[int, int, int] | None = None,
    more_tokens: Sequence[str] = (),
) -> Path:
    """Write a model of less than half a megabyte and return its path.

    Args:
        architecture: `llama`; `gemma3`, whose every other layer sees the last
            `window` tokens only; `mamba`, whose state cannot be cut; or `qwen2vl`, whose
            positions have several dimensions.
        chat_template: None leaves the key out.
        width: a multiple of 64.
        weights: F32, Q8_0, Q4_0 or Q4_1, for all matrices but Mamba's.
        seed: another one, another noise.
        infill: its tokens before a text, its suffix and what comes between.
        more_tokens: control tokens at the vocabulary's end.
    """
    shape = Shape(
        layers=layers,
        width=width,
        feed_forward=2 * width,
        vocabulary=len(vocabulary()) + len(more_tokens),
        context=context_length,
    )
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(path, architecture)
    writer.add_name(f"tiny {architecture}")
    _add_tokenizer(writer, chat_template, more_tokens)
    for name, token in zip(("pre", "suf", "mid"), infill or (), strict=False):
        writer.add_uint32(f"tokenizer.ggml.fim_{name}_token_id", token)
    _add_body(architecture, writer, shape, rng, weights, window)
    save(writer)
    return path


def vocabulary() -> list[str]:
    """Three special tokens, every byte, and the results of the merges."""
    merged = [merge.replace(" ", "") for merge in MERGES]
    return [*SPECIAL, *_letter_of_byte(), *merged]


def _letter_of_byte() -> list[str]:
    """GPT-2's printable letter for each byte, `bytes_to_unicode` in its `encoder.py`."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(b) if b in printable else chr(256 + others.index(b)) for b in range(256)]


def _add_tokenizer(
    writer: GGUFWriter, chat_template: str | None, more_tokens: Sequence[str]
) -> None:
    tokens = vocabulary()
    normal = [TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    more = [TokenType.CONTROL] * len(more_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([*tokens, *more_tokens])
    writer.add_token_types([*[TokenType.CONTROL] * len(SPECIAL), *normal, *more])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(IM_START)
    writer.add_eos_token_id(IM_END)
    writer.add_add_bos_token(False)
    if chat_template is not None:
        writer.add_chat_template(chat_template)


def _add_body(
    architecture: Architecture,
    writer: GGUFWriter,
    shape: Shape,
    rng: Generator,
    weights: GGMLQuantizationType,
    window: int,
) -> None:
    if architecture == "mamba":
        _add_mamba(writer, shape, rng)
        return
    add_hyperparameters(writer, shape)
    add_transformer(writer, shape, rng, attention=weights, others=weights)
    if architecture == "qwen2vl":
        writer.add_rope_dimension_sections([4, 2, 2, 0])
    if architecture == "gemma3":
        _add_gemma_extras(writer, shape, window)


def _add_gemma_extras(writer: GGUFWriter, shape: Shape, window: int) -> None:
    writer.add_sliding_window(window)
    writer.add_sliding_window_pattern(2)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        add_norm(writer, block + "attn_q_norm", shape.head_width)
        add_norm(writer, block + "attn_k_norm", shape.head_width)
        add_norm(writer, block + "post_attention_norm", shape.width)
        add_norm(writer, block + "post_ffw_norm", shape.width)


def _add_mamba(writer: GGUFWriter, shape: Shape, rng: Generator) -> None:
    convolution, states, rank, inner = 4, 16, 4, 2 * shape.width
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(convolution)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(states)
    writer.add_ssm_time_step_rank(rank)

    def matrix(name: str, rows: int, columns: int) -> None:
        add_matrix(writer, rng, name, rows, columns, F32)

    matrix("token_embd", shape.vocabulary, shape.width)
    matrix("output", shape.vocabulary, shape.width)
    add_norm(writer, "output_norm", shape.width)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        add_norm(writer, block + "attn_norm", shape.width)
        matrix(block + "ssm_in", 2 * inner, shape.width)
        matrix(block + "ssm_conv1d", inner, convolution)
        matrix(block + "ssm_x", rank + 2 * states, inner)
        matrix(block + "ssm_dt", inner, rank)
        matrix(block + "ssm_out", shape.width, inner)
        writer.add_tensor(block + "ssm_conv1d.bias", np.zeros(inner, np.float32))
        writer.add_tensor(block + "ssm_dt.bias", np.zeros(inner, np.float32))
        decay = -np.arange(1, states + 1, dtype=np.float32)
        writer.add_tensor(block + "ssm_a", np.tile(decay, (inner, 1)))
        writer.add_tensor(block + "ssm_d", np.ones(inner, np.float32))
