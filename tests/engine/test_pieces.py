"""What an owner has said before is not read again, and reads as it did."""

import json
import re
import subprocess
import sys

import pytest
from gguf import GGUFWriter, TokenType

from inference.engine import pieces as module
from inference.engine.pieces import Pieces
from tests.tiny_gguf import make_tiny_gguf

LONG = "x" * module.LEAST_KEPT


class Backend:
    """A token for each character, and one in front."""

    seams = re.compile("#")

    def __init__(self):
        self.read = []

    def tokenize(self, text, add_special=True):
        self.read.append(text)
        return [*([0] if add_special else []), *map(ord, text)]


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def pieces(backend):
    return Pieces(backend)


def whole(text, add_special=True):
    return Backend().tokenize(text, add_special)


@pytest.mark.parametrize("add_special", [True, False])
@pytest.mark.parametrize(
    "text", ["", "#", "a", "a#b#c", f"#{LONG}", f"{LONG}#{LONG}", f"a#b#{LONG}#c#d", f"#{LONG}#"]
)
def test_the_tokens_are_those_of_the_whole(pieces, text, add_special):
    for _ in range(2):
        assert pieces.tokenize(text, add_special, "alice") == whole(text, add_special)


def test_what_is_known_is_not_read_again(pieces, backend):
    pieces.tokenize(f"#{LONG}#{LONG}a#short", owner="alice")
    backend.read.clear()

    pieces.tokenize(f"#{LONG}#{LONG}a#short#and more#than that", owner="alice")
    assert backend.read == ["#short#and more#than that"]


def test_nobody_else_is_any_faster(pieces, backend):
    pieces.tokenize(f"#{LONG}", owner="alice")
    backend.read.clear()

    pieces.tokenize(f"#{LONG}", owner="bob")
    pieces.tokenize(f"#{LONG}")
    assert backend.read == [f"#{LONG}"] * 2


def test_the_oldest_are_forgotten(pieces, backend, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3 * len(LONG) + 5)
    texts = [f"#{number}{LONG}" for number in range(3)]
    for text in (*texts, texts[0], *texts[1:]):
        pieces.tokenize(text, False, "alice")
    assert len(pieces._kept) == 2
    assert pieces._size == sum(len(piece) for _, piece, _ in pieces._kept)


def test_a_vocabulary_without_seams_is_asked_for_the_whole(pieces, backend):
    backend.seams = None
    for _ in range(2):
        pieces.tokenize(f"#{LONG}#{LONG}", owner="alice")
    assert backend.read == [f"#{LONG}#{LONG}"] * 2


def read_whole_and_cut(path):
    command = [sys.executable, "-m", "tests.engine.cut_texts", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_llama_cpp_reads_pieces_as_it_reads_the_whole(tmp_path):
    """No cut is made at a token that others may begin in, contain, or reach into."""
    more = ["<|eot|>", "<|eot|>2", "o<|", "|>he", "he<a>", "<a>", "l<b>o", "<b>"]
    path = make_tiny_gguf(tmp_path / "m.gguf", context_length=64, more_tokens=more)

    num_texts, num_cut, wrong = read_whole_and_cut(path)
    assert wrong is None
    assert num_cut > num_texts / 3


def test_so_does_a_vocabulary_that_puts_blanks_in_front(tmp_path):
    num_texts, num_cut, wrong = read_whole_and_cut(sentencepiece_gguf(tmp_path / "m.gguf"))
    assert wrong is None
    assert num_cut > num_texts / 3


def sentencepiece_gguf(path):
    """A vocabulary and nothing else, of the kind that Llama 2 has."""
    writer = GGUFWriter(path, "llama")
    words = ["▁once", "▁a", "▁t", "ale", "on", "ce", "▁", "e", "n", "o", "t", "▁▁"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    types = [TokenType.UNKNOWN, *[TokenType.CONTROL] * 2, *[TokenType.BYTE] * 256]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types([*types, *[TokenType.NORMAL] * len(words)])
    for name, number in (("unknown", 0), ("bos", 1), ("eos", 2)):
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", number)
    writer.add_add_space_prefix(True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
