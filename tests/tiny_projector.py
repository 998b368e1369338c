"""Tiny projectors with random weights: what reads images for the models of `tiny_gguf`.

The keys and tensors are those that llama.cpp's `tools/mtmd/clip.cpp` asks for.
"""

import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from gguf import GGUFWriter

from inference.engine.probe_model import save

Kind = Literal["mlp", "gemma3", "idefics3"]
SIDE, PATCH, WIDTH, LAYERS = 28, 7, 32, 2
NUM_VECTORS = {"mlp": 16, "gemma3": 4}  # of any image
# What idefics3's tiles have around them, of an image twice as wide as high.
TILE_TOKENS = [
    *("<fake_token_around_image>", "<global-img>", "\n\n"),
    *("<row_1_col_1>", "<row_1_col_2>"),
]


def make_tiny_projector(path: Path, kind: Kind = "mlp", *, width: int = 64, seed: int = 0) -> Path:
    """Write a projector of some hundred kilobytes and return its path.

    Args:
        kind: `mlp` as of LLaVA, whose vectors follow each other; `gemma3`, whose vectors
            attend to each other both ways; `idefics3`, which cuts an image into tiles.
        width: of the model that it is for.
    """
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(path, "clip")
    writer.add_name(f"tiny {kind}")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    writer.add_bool("clip.use_gelu", True)
    for key, number in (
        *(("embedding_length", WIDTH), ("feed_forward_length", 2 * WIDTH)),
        *(("block_count", LAYERS), ("attention.head_count", 2), ("projection_dim", width)),
        *(("image_size", SIDE), ("patch_size", PATCH)),
    ):
        writer.add_uint32(f"clip.vision.{key}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    if kind != "mlp":
        writer.add_uint32("clip.vision.projector.scale_factor", 2)
    if kind == "idefics3":
        writer.add_uint32("clip.vision.preproc_image_size", 2 * SIDE)

    def tensor(name: str, *shape: int) -> None:
        scale = 1 / np.sqrt(shape[-1])
        writer.add_tensor(name, (rng.standard_normal(shape) * scale).astype(np.float32))

    def norm(name: str, size: int = WIDTH) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(size, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(size, np.float32))

    tensor("v.patch_embd.weight", WIDTH, 3, PATCH, PATCH)
    tensor("v.position_embd.weight", (SIDE // PATCH) ** 2, WIDTH)
    norm("v.post_ln")
    for layer in range(LAYERS):
        block = f"v.blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensor(f"{block}{name}.weight", WIDTH, WIDTH)
        norm(block + "ln1")
        norm(block + "ln2")
        tensor(f"{block}ffn_down.weight", 2 * WIDTH, WIDTH)  # old files have them swapped
        tensor(f"{block}ffn_up.weight", WIDTH, 2 * WIDTH)
    if kind == "mlp":
        tensor("mm.0.weight", width, WIDTH)
        writer.add_tensor("mm.0.bias", np.zeros(width, np.float32))
        tensor("mm.2.weight", width, width)
        writer.add_tensor("mm.2.bias", np.zeros(width, np.float32))
    elif kind == "idefics3":
        tensor("mm.model.fc.weight", width, 4 * WIDTH)
    else:
        tensor("mm.input_projection.weight", WIDTH, width)
        writer.add_tensor("mm.soft_emb_norm.weight", np.ones(WIDTH, np.float32))
    save(writer)
    return path


def make_png(width: int = 8, height: int = 8, colour: tuple[int, int, int] = (255, 0, 0)) -> bytes:
    """A picture of one colour."""
    return _png(width, height, bytes(colour) * width)


def make_stripes(width: int, height: int) -> bytes:
    """A picture whose left is darker than its right."""
    return _png(width, height, b"".join(bytes([255 * x // width] * 3) for x in range(width)))


def _png(width: int, height: int, row: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * height)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
