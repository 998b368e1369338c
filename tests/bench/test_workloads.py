from dataclasses import replace

import pytest

from bench.serving.server import BenchError
from bench.serving.workload import Size
from bench.serving.workloads import BY_KEY, WORKLOADS

from .server import ScriptedServer, make_setup

SMALL = Size(slots=2, count=4, prompt=12, answer=3, seconds=0.05, repeat=2, system=20)
FLOOD = Size(slots=2, count=3, prompt=12, answer=200, seconds=0.02)


@pytest.fixture
def server(tmp_path):
    return ScriptedServer(make_setup(tmp_path))


def test_every_workload_of_the_issue_is_there():
    assert {key[0] for key in BY_KEY} == set("abcdefgh")
    assert all(w.size("full") and w.size("quick") for w in WORKLOADS)


@pytest.mark.parametrize("key", list(BY_KEY))
async def test_every_workload_brings_answers_and_times(server, key):
    result = await BY_KEY[key].run(server, FLOOD if key == "d" else SMALL, 1, 0.0)

    assert result.answers
    assert result.timed
    assert result.seconds > 0
    assert all(answer.came_at for answer in result.answers)


@pytest.mark.parametrize("key", ["a8", "b", "c", "e"])
async def test_the_same_seed_asks_the_same(tmp_path, key):
    one, other = ScriptedServer(make_setup(tmp_path)), ScriptedServer(make_setup(tmp_path))

    await BY_KEY[key].run(one, SMALL, 1, 0.0)
    await BY_KEY[key].run(other, SMALL, 1, 0.0)

    assert one.asked == other.asked


async def test_people_under_one_system_prompt_share_it_and_no_more(server):
    await BY_KEY["b"].run(server, SMALL, 1, 0.0)

    assert len({q.messages[0]["content"] for q in server.asked}) == 1
    assert len({q.messages[1]["content"] for q in server.asked}) == SMALL.count


async def test_a_conversation_goes_on_from_what_the_server_has_said(server):
    result = await BY_KEY["c"].run(server, SMALL, 1, 0.0)

    later = server.asked[SMALL.count :]
    assert all(q.messages[2]["content"] == "w0 w1 w2 " for q in later)
    assert len(result.timed) == len(later) == SMALL.count * SMALL.repeat


async def test_only_the_single_owner_is_timed_beside_the_flood(server):
    result = await BY_KEY["d"].run(server, FLOOD, 1, 0.0)

    assert [a.question.owner for a in result.timed] == ["bob"]
    assert sum(a.question.owner == "alice" for a in result.answers) == 3
    assert result.facts["idle"] > 0


async def test_a_flood_that_is_over_too_soon_tells_nothing(server):
    with pytest.raises(BenchError, match="before the other owner asked"):
        await BY_KEY["d"].run(server, replace(FLOOD, answer=1, seconds=0.5), 1, 0.0)


async def test_whoever_is_there_no_more_has_left_the_server(server):
    result = await BY_KEY["f"].run(server, SMALL, 1, 0.0)

    assert server.num_left > 0
    assert server._slots._value == SMALL.slots
    assert 0 < result.facts["freed p50"] <= result.facts["freed p99"]


async def test_the_server_is_started_again_between_the_turns(server):
    await BY_KEY["g"].run(server, SMALL, 1, 0.0)

    assert server.num_starts == 1
    assert sum(len(q.messages) == 4 for q in server.asked) == SMALL.count


async def test_shares_are_of_two_owners(server):
    result = await BY_KEY["h"].run(server, Size(4, 50, 12, 20, seconds=0.2), 1, 0.0)

    assert {q.owner for q in server.asked} == {"alice", "bob"}
    assert 0 < result.facts["share"] < 1


async def test_whoever_saturates_the_server_leaves_at_the_end(server):
    await BY_KEY["h"].run(server, Size(4, 2_000, 12, 20, seconds=0.1), 1, 0.0)

    assert len(server.asked) < 2_000
    assert server._slots._value == server.setup.slots


async def test_owners_who_are_refused_are_an_error(server, monkeypatch):
    monkeypatch.setattr("bench.serving.owners.BEGIN_SECONDS", 0.1)
    server.fails = True
    with pytest.raises(BenchError, match="it fails"):
        await BY_KEY["h"].run(server, SMALL, 1, 0.0)


async def test_a_server_that_fails_fails_the_workload(server):
    server.fails = True
    with pytest.raises(ExceptionGroup):
        await BY_KEY["b"].run(server, SMALL, 1, 0.0)
