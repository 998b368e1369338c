"""From servers to the table, with servers that are scripts."""

from pathlib import Path

import pytest

from bench.serving import plan as planning
from bench.serving.comparison import Tally
from bench.serving.plan import Contestant, Plan, cells_of, run
from bench.serving.server import BenchError
from bench.serving.table import target_rows
from bench.serving.targets import ON_CPU, ON_GPU
from bench.serving.workloads import BY_KEY, WORKLOADS

from .server import ScriptedServer


class Failing(ScriptedServer):
    name = "failing"
    fails = True


class OneByOne(ScriptedServer):
    name = "one by one"
    is_batching = False


class Unstartable(ScriptedServer):
    name = "unstartable"

    async def start(self) -> None:
        raise BenchError("no such port")


@pytest.fixture
def make_plan(tmp_path):
    def make(*kinds, **fields) -> Plan:
        given = {
            "contestants": [Contestant(kind.name, kind) for kind in kinds],
            "model": Path("/m.gguf"),
            "size": "quick",
            "rounds": 2,
            "threads": 1,
            "device": "cpu",
            "repack": True,
            "temperature": 0.0,
            "compared": 0,
            "tie": 0.1,
            "folder": tmp_path,
        }
        return Plan(**{**given, **fields})

    return make


async def test_servers_take_turns_and_each_round_is_kept(make_plan, capsys):
    found = await run(make_plan(ScriptedServer, OneByOne), BY_KEY["a1"])

    said = [line.split(" ", 3)[3] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "scripted, round 1",
        "one by one, round 1",
        "one by one, round 2",
        "scripted, round 2",
    ]
    assert len(found.summaries["scripted"].rates) == 2


@pytest.mark.parametrize("kind", [Failing, Unstartable])
async def test_a_server_that_fails_says_why_and_the_others_go_on(make_plan, kind):
    found = await run(make_plan(kind, ScriptedServer), BY_KEY["b"])

    assert list(found.summaries) == ["scripted"]
    assert "BenchError" in found.failures[kind.name]
    assert any("failed: BenchError" in line for line in found.lines)


async def test_who_answers_one_by_one_is_not_asked_by_many(make_plan):
    found = await run(make_plan(OneByOne, ScriptedServer), BY_KEY["f"])

    assert list(found.summaries) == ["scripted"]


async def test_the_comparison_of_texts_is_in_the_table(make_plan, monkeypatch):
    async def tallies(setup, answers, tie):
        return {label: Tally(equal=len(got)) for label, got in answers.items()}

    monkeypatch.setattr(planning, "tallies", tallies)
    found = await run(make_plan(ScriptedServer, compared=1), BY_KEY["b"])

    assert "| 1 / 0 / 0 |" in found.lines[-2]


async def test_an_unknown_text_is_said_and_not_passed_over(make_plan, monkeypatch):
    async def tallies(setup, answers, tie):
        raise BenchError("no llama.cpp")

    monkeypatch.setattr(planning, "tallies", tallies)
    found = await run(make_plan(ScriptedServer, compared=1), BY_KEY["b"])

    assert "not compared" in "\n".join(found.lines)
    assert found.lines[-1] == "no llama.cpp"


SIZES = [(w, size) for w in WORKLOADS for size in (w.full, w.quick, w.gpu)]


@pytest.mark.parametrize(("workload", "size"), SIZES, ids=lambda x: getattr(x, "key", ""))
def test_every_request_fits_its_context_and_all_the_cache(workload, size):
    context, cells = cells_of(size, workload)

    assert size.system + size.prompt + size.answer < context <= cells


async def test_targets_are_judged_where_both_numbers_are_there(make_plan):
    contestants = [Contestant("ours", ScriptedServer), Contestant("llama-server", ScriptedServer)]
    found = await run(make_plan(contestants=contestants), BY_KEY["a8"])

    (line,) = target_rows(ON_CPU, {"a8": found.summaries})
    value = found.summaries["ours"].tokens_per_second / (
        found.summaries["llama-server"].tokens_per_second
    )
    assert f"| {value:.3f} | >= 1 | {'met' if value >= 1 else 'missed'} |" in line


def test_a_target_without_its_numbers_has_no_row():
    assert target_rows(ON_CPU + ON_GPU, {}) == []


def test_bounds_are_judged_on_both_sides():
    (share,) = [target for target in ON_CPU if target.workload == "h"]

    assert [share.is_met(value) for value in (0.44, 0.45, 0.55, 0.56)] == [
        False,
        True,
        True,
        False,
    ]
    assert share.shown == ">= 0.45 and <= 0.55"
