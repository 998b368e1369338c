"""A model's GGUF file: what it holds, and whether it is whole."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gguf.constants import LlamaFileType, PoolingType

from inference.gguf_header import Header, HeaderError, Value, read_header, read_texts

PART_NAME = re.compile(r"(?P<base>.+)-(?P<part>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
GUESSED_FILE_TYPE = LlamaFileType.GUESSED.value
PROJECTOR = "clip"  # as every projector calls its architecture, whatever it is
MAX_CONTEXT = 2**31 - 1


class ModelFileError(Exception):
    """A model's file cannot be had, or cannot be used.

    `code` is for programs and never changes; the message is for people.
    """

    code: ClassVar[str] = "model_file_error"


class BadModelFile(ModelFileError):
    """The file is not a whole GGUF model."""

    code = "bad_model_file"

    def __init__(self, file: Path | str, problem: str) -> None:
        super().__init__(f"{file} {problem}")
        self.file = file
        self.problem = problem


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """What a file says about its model; text it does not have is empty.

    Of a model in several files, `parameters` and `size_bytes` count all of them.
    `quantization` is as in 'Q4_1'; `trained_context` is in tokens; `task` is what the model
    is made for: `generate`, `embed` or `rerank`. A LoRA adapter has little else than the
    architecture of the models that it is for.
    """

    architecture: str
    name: str
    licence: str
    parameters: int
    quantization: str
    trained_context: int | None
    chat_template: str
    size_bytes: int
    task: str
    is_adapter: bool = False

    @property
    def is_projector(self) -> bool:
        """Whether it is no model, but makes another one's input of images or sound."""
        return self.architecture == PROJECTOR


def inspect(path: Path) -> GgufInfo:
    """Read what the file says about its model.

    Raises:
        BadModelFile: naming the file and what is wrong with it.
    """
    files = parts(path)
    headers = [_header(file) for file in files]
    metadata = headers[0].metadata
    _refuse_stray_part(path, metadata, len(files))
    architecture = _text(metadata, "general.architecture")
    if not architecture:
        raise BadModelFile(path, "does not say its architecture")
    return GgufInfo(
        architecture=architecture,
        name=_text(metadata, "general.name"),
        licence=_text(metadata, "general.license"),
        parameters=sum(header.elements for header in headers),
        quantization=_quantization(metadata),
        trained_context=_trained_context(path, metadata, architecture),
        chat_template=_text(metadata, "tokenizer.chat_template"),
        size_bytes=sum(file.stat().st_size for file in files),
        task=_task(metadata, architecture),
        is_adapter=_text(metadata, "general.type") == "adapter",
    )


def tokens_of(path: Path) -> list[str]:
    """The vocabulary, by the tokens' numbers; empty if the file has none.

    Raises:
        BadModelFile: the file cannot be read.
    """
    try:
        return read_texts(path, "tokenizer.ggml.tokens")
    except HeaderError as error:
        raise BadModelFile(path, str(error)) from None
    except OSError as error:
        raise BadModelFile(path, f"cannot be read: {error.strerror}") from None


def parts(path: Path) -> list[Path]:
    """All files of the model that begins with this one: mostly just itself.

    Raises:
        BadModelFile: it is a part of a split model, and not the first, or others
            are not beside it.
    """
    match = PART_NAME.fullmatch(path.name)
    if match is None:
        return [path]
    count = int(match["count"])
    if int(match["part"]) != 1:
        raise BadModelFile(path, f"is not the first part of its model; name part 1 of {count}")
    files = [
        path.with_name(f"{match['base']}-{part:05}-of-{count:05}{path.suffix}")
        for part in range(1, count + 1)
    ]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise BadModelFile(
            path,
            f"is one of {count} parts, and these are not beside it: {', '.join(missing)}."
            " Split models are not fetched yet; put all parts into one folder yourself",
        )
    return files


def sha256_of(path: Path) -> str:
    """In lower-case hexadecimal; of a split model, over all its parts in order."""
    digest = hashlib.sha256()
    for part in parts(path):
        with part.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def _header(path: Path) -> Header:
    try:
        return read_header(path)
    except HeaderError as error:
        raise BadModelFile(path, str(error)) from None
    except OSError as error:
        raise BadModelFile(path, f"cannot be read: {error.strerror}") from None


def _refuse_stray_part(path: Path, metadata: dict[str, Value], num_files: int) -> None:
    count = metadata.get("split.count", 1)
    if isinstance(count, int) and count > 1 and count != num_files:
        raise BadModelFile(
            path,
            f"is one of {count} parts. Split models are not fetched yet; put all parts into one"
            f" folder yourself, with names that end in -00001-of-{count:05}.gguf and so on",
        )


def _text(metadata: dict[str, Value], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _task(metadata: dict[str, Value], architecture: str) -> str:
    """By how it pools tokens: models that write do not. Older encoders do not say how."""
    pooling = metadata.get(f"{architecture}.pooling_type")
    if pooling == PoolingType.RANK:
        return "rerank"
    return "embed" if pooling or "bert" in architecture else "generate"


def _quantization(metadata: dict[str, Value]) -> str:
    number = metadata.get("general.file_type")
    if not isinstance(number, int):
        return ""
    try:
        name: str = LlamaFileType(number & ~GUESSED_FILE_TYPE).name
    except ValueError:
        return f"type {number}"
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _trained_context(path: Path, metadata: dict[str, Value], architecture: str) -> int | None:
    value = metadata.get(f"{architecture}.context_length")
    if value is None:
        return None
    if not isinstance(value, int) or not 0 < value <= MAX_CONTEXT:
        raise BadModelFile(path, f"has a bad context length: {value!r}")
    return value
