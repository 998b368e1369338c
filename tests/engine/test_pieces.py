"""What an owner has said before is not read again, and reads as it did."""

import json
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from gguf import GGUFWriter, TokenType

from inference.engine import child
from inference.engine import pieces as module
from inference.engine.config import EngineConfig
from inference.engine.fake import FakeBackend
from inference.engine.intake import Intake
from inference.engine.pieces import Pieces
from inference.engine.request import Request
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


def discard(message):
    pass


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


def test_what_is_not_said_again_is_forgotten_with_the_second_tidying(pieces, backend):
    for text in (f"#{LONG}", f"#{LONG}again"):
        pieces.tokenize(text, False, "alice")
    pieces.tidy()
    pieces.tokenize(f"#{LONG}again", False, "alice")
    pieces.tidy()

    assert [piece for _, piece, _ in (*pieces._recent, *pieces._older)] == [f"#{LONG}again"]
    backend.read.clear()
    pieces.tokenize(f"#{LONG}again#{LONG}", False, "alice")
    assert backend.read == [f"#{LONG}"]


def test_an_engine_does_that_now_and_then(monkeypatch):
    class Reader(FakeBackend):
        seams = re.compile("#")

    config = EngineConfig(model_id="m", path="", backend="fake")
    intake = Intake(Reader(config), discard, discard, time.monotonic)
    request = Request(id=1, text=f"#{LONG}", owner="alice")
    assert intake.reserve(request)
    intake.prepare(request)
    pieces = intake._prompts._pieces
    assert pieces._recent

    monkeypatch.setattr(child, "TIDY_SECONDS", 0.02)
    keeper = child.Keeper(SimpleNamespace(intake=intake, tidy=sys.exit))
    with pytest.raises(SystemExit):
        keeper.run()
    assert pieces._recent == pieces._older == {}


def test_no_more_is_kept_than_may_be(pieces, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3 * len(LONG))
    for number in range(100):
        pieces.tokenize(f"#{number}{LONG}", False, "alice")
    assert len(pieces._recent) + len(pieces._older) <= 6


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
