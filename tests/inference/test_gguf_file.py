import hashlib
import struct
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFReader

from inference.gguf_file import BadModelFile, inspect, parts, sha256_of, tokens_of
from inference.gguf_header import MAX_HEADER_BYTES, read_header
from tests.tiny_lora import make_tiny_lora

from .gguf_maker import ELEMENTS, make_gguf

COUNTS = struct.calcsize("<4sI")  # where the numbers of tensors and of values stand


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    make_gguf(path)
    return path


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def write_header(path: Path, *, version: int = 3, num_tensors: int = 0, rest: bytes = b"") -> None:
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", version, num_tensors, 1) + rest)


def array(kind: int, length: int) -> bytes:
    """A metadata value named 'k'."""
    return struct.pack("<QcIIQ", 1, b"k", 9, kind, length)


def tensor(*dimensions: int, kind: int = 0) -> bytes:
    """A metadata value without a use, and a tensor named 't'."""
    value = struct.pack("<QcIB", 1, b"k", 0, 0)
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return value + struct.pack("<Qc", 1, b"t") + shape + struct.pack("<IQ", kind, 0)


def test_it_tells_what_the_file_holds(model: Path) -> None:
    info = inspect(model)
    assert (info.architecture, info.name, info.licence) == ("llama", "Tiny", "mit")
    assert (info.parameters, info.quantization) == (ELEMENTS, "Q4_1")
    assert (info.trained_context, info.chat_template) == (2048, "{{ messages }}")
    assert info.size_bytes == model.stat().st_size
    assert info.task == "generate"


@pytest.mark.parametrize(
    ("pooling", "task"), [(0, "generate"), (1, "embed"), (3, "embed"), (4, "rerank")]
)
def test_how_it_pools_tells_what_a_model_is_for(tmp_path: Path, pooling: int, task: str) -> None:
    make_gguf(tmp_path / "m.gguf", llama__pooling_type=pooling)
    assert inspect(tmp_path / "m.gguf").task == task


def test_it_agrees_with_the_packages_own_reader(model: Path) -> None:
    header, reader = read_header(model), GGUFReader(model)
    mine = [
        (t.name, t.elements, t.size_bytes, header.data_start + t.offset) for t in header.tensors
    ]
    theirs = [(t.name, t.n_elements, t.n_bytes, t.data_offset) for t in reader.tensors]
    assert mine == theirs
    scalars = {key: f.contents() for key, f in reader.fields.items() if len(f.types) == 1}
    assert header.metadata.items() <= scalars.items()


def test_it_refuses_what_is_not_a_gguf_file(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_bytes(b"<!doctype html>")
    with pytest.raises(BadModelFile, match=r"page\.gguf is not a GGUF file.*<!doctyp"):
        inspect(path)


def test_it_refuses_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.gguf"
    path.touch()
    with pytest.raises(BadModelFile, match="is not a GGUF file"):
        inspect(path)


@pytest.mark.parametrize("name", ["missing.gguf", "."])
def test_it_refuses_what_it_cannot_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadModelFile, match="cannot be read"):
        inspect(tmp_path / name)


def test_it_refuses_a_file_that_lacks_its_last_byte(model: Path) -> None:
    size = model.stat().st_size
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(BadModelFile, match=f"truncated: it ends at byte {size - 1}, .*'two'"):
        inspect(model)


def test_it_refuses_a_header_that_is_cut_anywhere(model: Path) -> None:
    content = model.read_bytes()
    for length in range(4, read_header(model).data_start - 32):
        model.write_bytes(content[:length])
        with pytest.raises(BadModelFile, match=f"truncated: it ends at byte {length}"):
            inspect(model)


@pytest.mark.parametrize("version", [0, 1, 4])
def test_it_refuses_a_version_that_llama_cpp_does_not_read(tmp_path: Path, version: int) -> None:
    write_header(tmp_path / "m.gguf", version=version)
    with pytest.raises(BadModelFile, match=f"GGUF version {version}; 2 and 3 are supported"):
        inspect(tmp_path / "m.gguf")


def test_it_refuses_the_other_byte_order(tmp_path: Path) -> None:
    write_header(tmp_path / "m.gguf", version=3 << 24)
    with pytest.raises(BadModelFile, match="byte order"):
        inspect(tmp_path / "m.gguf")


@pytest.mark.parametrize("offset", [COUNTS, COUNTS + 8], ids=["tensors", "values"])
def test_it_refuses_absurd_counts_at_once(model: Path, offset: int) -> None:
    overwrite(model, offset, struct.pack("<Q", 2**63))
    with pytest.raises(BadModelFile):
        inspect(model)


@pytest.mark.parametrize("kind", [0, 8, 12], ids=["bytes", "strings", "doubles"])
def test_it_refuses_an_array_that_the_file_does_not_hold(tmp_path: Path, kind: int) -> None:
    write_header(tmp_path / "m.gguf", rest=array(kind, 2**60))
    with pytest.raises(BadModelFile, match="truncated"):
        inspect(tmp_path / "m.gguf")


def test_it_refuses_an_endless_header(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_header(path, rest=array(0, MAX_HEADER_BYTES))
    with path.open("r+b") as file:
        file.truncate(2 * MAX_HEADER_BYTES)
    with pytest.raises(BadModelFile, match=f"a header of more than {MAX_HEADER_BYTES} bytes"):
        inspect(path)


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        (struct.pack("<QcI", 1, b"k", 77), "value of unknown type 77 in 'k'"),
        (array(77, 1), "value of unknown type 77 in 'k'"),
        (array(9, 1), "array of arrays in 'k'"),
        (tensor(1, 1, 1, 1, 1), "tensor 't' of 5 dimensions"),
        (tensor(32, kind=999), "tensor 't' of unknown type 999"),
        (tensor(2**40, 2**40), "truncated: .*'t'"),
        (tensor(), "does not say its architecture"),
    ],
)
def test_it_names_what_is_garbage(tmp_path: Path, rest: bytes, problem: str) -> None:
    path = tmp_path / "m.gguf"
    write_header(path, num_tensors=1, rest=rest + bytes(64))
    with pytest.raises(BadModelFile, match=problem):
        inspect(path)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"general__alignment": 33}, "bad general.alignment: 33"),
        ({"context_length": 2**32 - 1}, "bad context length: 4294967295"),
    ],
)
def test_it_refuses_values_that_make_no_sense(
    tmp_path: Path, values: dict[str, Any], problem: str
) -> None:
    make_gguf(tmp_path / "m.gguf", **values)
    with pytest.raises(BadModelFile, match=problem):
        inspect(tmp_path / "m.gguf")


def test_text_is_fit_for_any_database(tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", name="nul\0 here")
    assert inspect(tmp_path / "m.gguf").name == "nul here"


def test_a_split_model_counts_all_its_parts(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{part}-of-00002.gguf" for part in (1, 2))
    content = make_gguf(first, split__count=2) + make_gguf(second, split__count=2)
    info = inspect(first)
    assert (info.parameters, info.size_bytes) == (2 * ELEMENTS, len(content))
    assert parts(first) == [first, second]
    assert sha256_of(first) == hashlib.sha256(content).hexdigest()


def test_a_split_model_needs_all_its_parts(tmp_path: Path) -> None:
    make_gguf(tmp_path / "m-00001-of-00003.gguf", split__count=3)
    with pytest.raises(
        BadModelFile, match=r"m-00002-of-00003\.gguf, m-00003-of-00003\.gguf.*not f"
    ):
        inspect(tmp_path / "m-00001-of-00003.gguf")


def test_a_split_model_begins_with_its_first_part(tmp_path: Path) -> None:
    make_gguf(tmp_path / "m-00002-of-00002.gguf", split__count=2)
    with pytest.raises(BadModelFile, match="not the first part"):
        inspect(tmp_path / "m-00002-of-00002.gguf")


def test_a_part_under_another_name_is_still_a_part(tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", split__count=2)
    with pytest.raises(BadModelFile, match="one of 2 parts"):
        inspect(tmp_path / "m.gguf")


def test_the_vocabulary_is_read_by_its_numbers(tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf")
    assert tokens_of(tmp_path / "m.gguf") == ["a", "b", "ä"]


def test_a_file_without_a_vocabulary_has_no_tokens(tmp_path: Path) -> None:
    path = make_tiny_lora(tmp_path / "lora.gguf")
    assert tokens_of(path) == []


def test_a_vocabulary_that_is_none_or_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    content = make_gguf(path)
    path.write_bytes(content.replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz"))
    assert tokens_of(path) == []
    path.write_bytes(content[: content.index(b"tokenizer.ggml.tokens") + 40])
    with pytest.raises(BadModelFile, match="truncated"):
        tokens_of(path)
    with pytest.raises(BadModelFile, match="cannot be read: No such file"):
        tokens_of(tmp_path / "none.gguf")
