import argparse
import json
import random
from pathlib import Path

import pytest

from bench.serving import __main__ as command
from bench.serving import llama_server
from bench.serving.alone import sample, tallies
from bench.serving.answer import Answer
from bench.serving.crowd import ask_in_turn
from bench.serving.in_process import InProcess
from bench.serving.llama_cpp_python import LlamaCppPython
from bench.serving.llama_server import LlamaServer, find_binary
from bench.serving.ours import Ours, engine_options
from bench.serving.prompts import WORDS, independent, words
from bench.serving.question import Question
from bench.serving.server import BenchError
from tests.tiny_gguf import make_tiny_gguf

from .server import make_setup


@pytest.fixture
def rivals(monkeypatch, tmp_path):
    """As if they were installed, and a binary built."""
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr("bench.serving.llama_cpp_python.RIVALS_PYTHON", python)
    monkeypatch.setattr(LlamaServer, "binary", Path("/opt/llama-server"))


def asked(**given) -> argparse.Namespace:
    fields = {"servers": None, "workloads": None, "gpu": False, "quick": False}
    return argparse.Namespace(**{**fields, "engine_only": False, **given})


@pytest.mark.usefixtures("rivals")
@pytest.mark.parametrize("kind", [LlamaServer, LlamaCppPython])
def test_weights_are_repacked_by_all_or_by_none(tmp_path, kind):
    commands = [kind(make_setup(tmp_path, repack=r)).command(1) for r in (True, False)]

    assert ["--no-repack" in command for command in commands] == [False, True]


@pytest.mark.usefixtures("rivals")
def test_servers_have_the_same_threads_slots_and_cells(tmp_path):
    setup = make_setup(tmp_path, threads=3, slots=5)
    flags = LlamaServer(setup).command(1)
    options = engine_options(setup)

    assert flags[flags.index("--threads") + 1] == str(options["threads"]) == "3"
    assert flags[flags.index("--parallel") + 1] == str(options["max_sequences"]) == "5"
    assert flags[flags.index("--ctx-size") + 1] == str(options["cache_tokens"]) == "1024"


@pytest.mark.usefixtures("rivals")
def test_flags_of_the_command_line_come_last(tmp_path):
    assert LlamaServer(make_setup(tmp_path, flags="-bs --cache-ram 0")).command(1)[-3:] == [
        "-bs",
        "--cache-ram",
        "0",
    ]


def test_options_of_the_engine_are_checked(tmp_path):
    options = engine_options(make_setup(tmp_path, flags="threads=7,device=cpu"))
    assert (options["threads"], options["device"]) == (7, "cpu")

    with pytest.raises(BenchError, match="no option 'speed'"):
        engine_options(make_setup(tmp_path, flags="speed=9"))


def test_our_service_has_its_own_data_and_accounts_only_where_owners_matter(tmp_path):
    environments = [
        Ours(make_setup(tmp_path, has_accounts=has)).environment(8123) for has in (False, True)
    ]

    assert [e["LLMSITE_SECURITY__ENABLE_AUTH"] for e in environments] == ["false", "true"]
    assert {e["LLMSITE_DATA_DIR"] for e in environments} == {str(tmp_path)}
    assert json.loads(environments[0]["BENCH_ENGINE_OPTIONS"])["context_length"] == 512


def test_a_binary_that_is_not_there_is_named(monkeypatch, tmp_path):
    with pytest.raises(BenchError, match="/no/such"):
        find_binary("/no/such")
    assert find_binary("xllamacpp") is None
    monkeypatch.setattr(llama_server, "BUILT", tmp_path)
    assert find_binary(None) is None


def test_servers_and_workloads_are_named_as_they_are():
    (found,) = command.contestants(asked(servers=["llama-server:-bs --top-k 1"]))
    assert (found.label, found.kind, found.flags) == (
        "llama-server:-bs --top-k 1",
        LlamaServer,
        "-bs --top-k 1",
    )
    with pytest.raises(BenchError, match="'ollama' is none of ours, llama-server"):
        command.contestants(asked(servers=["ollama"]))
    with pytest.raises(BenchError, match="'z' is none of a1"):
        command.workloads(asked(workloads=["z"]))


def test_what_the_engine_alone_cannot_run_is_refused_or_left_out():
    keys = {w.key for w in command.workloads(asked(gpu=True, engine_only=True))}
    assert {"d", "h"}.isdisjoint(keys)
    assert "c" in keys
    with pytest.raises(BenchError, match="d needs accounts"):
        command.workloads(asked(workloads=["d"], engine_only=True))
    assert "a64" in {w.key for w in command.workloads(asked(gpu=True))}
    assert "a64" not in {w.key for w in command.workloads(asked())}


def test_prompts_have_about_the_length_that_is_wanted():
    text = words(random.Random(1), 100)

    assert 85 <= len(text.split()) <= 100
    assert {w.strip(".").lower() for w in text.split()} <= set(WORDS)


async def test_the_engine_writes_what_the_model_writes_alone(tmp_path):
    model = make_tiny_gguf(tmp_path / "tiny.gguf", context_length=512)
    setup = make_setup(tmp_path / "run", model=model, threads=1, slots=3)
    rng = random.Random(2)
    questions = [Question(independent(rng, 8), 12) for _ in range(4)]
    server = InProcess(setup)
    await server.start()
    try:
        answers = await ask_in_turn(server, questions, 3)
    finally:
        await server.stop()
    invented = Answer(questions[0], 0.0, "what the model does not write", [1.0], 12)

    found = await tallies(setup, {"engine": answers, "other": [invented]}, 0.1)

    assert [a.tokens for a in answers] == [12] * 4
    assert (found["engine"].equal + found["engine"].tie, found["engine"].differ) == (4, 0)
    assert found["other"].differ == 1


def test_only_whole_answers_at_temperature_0_are_compared():
    cold, warm = Question((), 2), Question((), 2, temperature=0.8)
    whole, cut = Answer(cold, 0.0, "ab", [1.0], 2), Answer(cold, 0.0, "a", [1.0], 1)

    assert sample([whole, cut, Answer(warm, 0.0, "ab", [1.0], 2)], None) == [whole]
    assert len(sample([whole] * 9, 3)) == 3
