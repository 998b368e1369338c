"""Tiny GGUF files, and the wheels they come in."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from gguf import GGUFWriter, LlamaFileType

ELEMENTS = 1024


def make_gguf(
    path: Path, *, name: str = "Tiny", context_length: int = 2048, seed: int = 0, **more: Any
) -> bytes:
    """A model of two tensors without a use; its bytes. `more` are further uint32 values."""
    writer = GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_license("mit")
    writer.add_context_length(context_length)
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_1)
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list(["a", "b", "ä"])
    writer.add_token_types([1, 1, 1])
    for key, value in more.items():
        writer.add_uint32(key.replace("__", "."), value)
    random = np.random.default_rng(seed)
    writer.add_tensor("one", random.random((ELEMENTS // 2,), dtype=np.float32))
    writer.add_tensor("two", random.random((ELEMENTS // 64, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def make_wheel(path: Path, members: dict[str, bytes]) -> Path:
    """`path` is as in 'tiny_model-1.0-py3-none-any.whl'."""
    package, version, _ = path.name.split("-", 2)
    info = f"{package}-{version}.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with ZipFile(path, "w") as wheel:
        for name, content in (members | metadata).items():
            wheel.writestr(name, content)
    return path
