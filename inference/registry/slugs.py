"""What to call a model, by the name of its file."""

import re

NAME_END = re.compile(r"(-\d{5}-of-\d{5})?(\.gguf)?\Z")
QUANTIZATION = re.compile(
    r"[-._](?:ud-|i1-)?(?:i?q\d(?:_\w+)?|tq\d_\d|b?f16|fp16|f32|fp32|mxfp4(?:_moe)?)\Z"
)


def slugs_of(file_name: str) -> tuple[str, str]:
    """What a person would call it, and the same with its quantization."""
    stem = NAME_END.sub("", file_name.lower(), count=1)
    full = re.sub(r"[^a-z0-9._:-]+", "-", stem).strip("-._:")[:100] or "model"
    return QUANTIZATION.sub("", full) or full, full
