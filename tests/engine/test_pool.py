import asyncio
import time

import msgspec
import pytest

from inference.engine import host as host_module
from inference.engine import managed
from inference.engine import pool as pool_module
from inference.engine.config import EngineConfig
from inference.engine.errors import (
    BackendUnusable,
    EngineRestarting,
    EngineStopped,
    ModelLoadFailed,
    OutOfMemory,
    QueueFull,
)
from inference.engine.managed import OVERHEAD_BYTES, ModelSpec
from inference.engine.pool import EnginePool, PoolLimits
from inference.engine.wire import Loading
from tests.engine.stand_in import MIB, Clock, World, settle

BROKEN = ModelLoadFailed("the file is broken")
TOO_LARGE = OutOfMemory("the device is full")


def spec_of(model_id, *, size_mib=0, is_pinned=False, idle_timeout=900.0, **config):
    config = EngineConfig(model_id=model_id, path=f"/{model_id}.gguf", backend="fake", **config)
    return ModelSpec(config, size_mib * MIB, is_pinned, idle_timeout)


A, B, C = spec_of("a"), spec_of("b"), spec_of("c")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pool_module, "time", clock)
    monkeypatch.setattr(managed, "time", clock)
    monkeypatch.setattr(host_module, "time", clock)
    return clock


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def make_pool(world, clock, quiet_loop):
    pools = []

    def make(**limits):
        limits = {"max_models": 0, "memory_bytes": 10_000 * MIB, "drain_seconds": 0, **limits}
        pools.append(EnginePool(PoolLimits(**limits), world.make_host))
        return pools[-1]

    yield make
    for pool in pools:
        await pool.close()


async def ask(pool, spec, text="Hi"):
    """The whole answer, which repeats the text."""
    stream = await pool.submit(spec, text=text)
    return "".join([piece.text async for piece in stream])


async def start(*works):
    tasks = [asyncio.create_task(work) for work in works]
    await settle()
    return tasks


def states(pool):
    return {status.model_id: status.state for status in pool.status()}


# Loading


async def test_the_first_request_loads_the_model(make_pool, world):
    pool = make_pool()

    assert await ask(pool, A, "Hello") == "Hello"
    assert await ask(pool, A, "again") == "again"
    assert world.loads == ["a"]


async def test_first_requests_that_come_together_load_once(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    asking = await start(*(ask(pool, A, str(number)) for number in range(5)))
    assert world.loads == ["a"]

    world.last("a").become_ready()

    assert await asyncio.gather(*asking) == ["0", "1", "2", "3", "4"]
    assert world.loads == ["a"]


async def test_models_are_loaded_one_at_a_time(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    first, second = await start(pool.load(A), pool.load(B))
    assert world.loads == ["a"]

    world.last("a").become_ready()
    await asyncio.gather(first, second)

    assert world.loads == ["a", "b"]


async def test_who_waits_for_a_load_is_counted(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    waiting = await start(*(ask(pool, A) for _ in range(3)))
    assert [status.num_loading_for for status in pool.status()] == [3]

    world.last("a").become_ready()
    await asyncio.gather(*waiting)

    assert [status.num_loading_for for status in pool.status()] == [0]


async def test_who_stops_waiting_does_not_stop_the_load(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    impatient, patient = await start(ask(pool, A), ask(pool, A, "Hello"))

    impatient.cancel()
    await settle()
    world.last("a").become_ready()

    assert await patient == "Hello"
    assert impatient.cancelled()
    assert world.loads == ["a"]


async def test_a_load_goes_on_when_nobody_waits_any_more(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    (only,) = await start(ask(pool, A))
    only.cancel()
    await settle()

    world.last("a").become_ready()
    await settle()

    assert states(pool) == {"a": "ready"}


async def test_a_load_that_fails_when_nobody_waits_any_more_harms_nobody(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    (only,) = await start(ask(pool, A))
    only.cancel()
    await settle()

    world.last("a").crash()
    await settle()

    assert states(pool) == {"a": "crashed"}


async def test_the_memory_a_model_may_take_is_what_others_left(make_pool, world):
    pool = make_pool(memory_bytes=1000 * MIB)

    await pool.load(A)
    await pool.load(B)

    limits = [host.config.memory_limit for host in world.hosts]
    assert limits == [1000 * MIB, 900 * MIB]


async def test_a_load_that_takes_too_long_is_given_up(make_pool, world):
    pool = make_pool(load_timeout=0.01)
    world.slow_loads.add("a")

    with pytest.raises(ModelLoadFailed, match=r"a did not load within 0\.01 s"):
        await ask(pool, A)

    assert world.alive == []
    assert states(pool) == {"a": "crashed"}


async def test_all_who_wait_hear_why_a_load_failed(make_pool, world):
    pool = make_pool()
    world.failures["a"] = [BROKEN]

    errors = await asyncio.gather(*(ask(pool, A) for _ in range(3)), return_exceptions=True)

    assert [(type(error), error.message) for error in errors] == [
        (ModelLoadFailed, "the file is broken")
    ] * 3
    assert world.loads == ["a"]


# Making room


async def test_the_least_recently_used_makes_room(make_pool, world, clock):
    pool = make_pool(max_models=2)
    for spec in (A, B, A):
        clock.now += 1
        await ask(pool, spec)

    await ask(pool, C)

    assert world.alive == ["a", "c"]


async def test_models_stay_while_there_is_memory(make_pool, world):
    pool = make_pool(memory_bytes=200 * MIB + OVERHEAD_BYTES)

    for spec in (A, B, C):
        await ask(pool, spec)

    assert world.alive == ["a", "b", "c"]


async def test_memory_makes_models_leave(make_pool, world, clock):
    pool = make_pool(memory_bytes=199 * MIB + OVERHEAD_BYTES)
    for spec in (A, B):
        clock.now += 1
        await ask(pool, spec)

    await ask(pool, C)

    assert world.alive == ["b", "c"]


async def test_as_many_leave_as_it_takes(make_pool, world):
    pool = make_pool(memory_bytes=1000 * MIB)
    for spec in (A, B, C):
        await ask(pool, spec)

    await ask(pool, spec_of("large", size_mib=600))

    assert world.alive == ["large"]


async def test_what_a_model_took_last_time_is_known_next_time(make_pool, world):
    pool = make_pool(memory_bytes=1000 * MIB)
    world.memory_bytes["a"] = 950 * MIB
    await ask(pool, A)
    await pool.unload("a")
    await ask(pool, B)

    await ask(pool, A)

    assert world.alive == ["a"]


async def test_a_model_larger_than_all_memory_is_refused(make_pool, world):
    pool = make_pool(memory_bytes=1000 * MIB)

    with pytest.raises(OutOfMemory, match="needs about 2456 MiB, and the limit is 1000 MiB"):
        await ask(pool, spec_of("large", size_mib=2000))

    assert world.loads == []


async def test_an_idle_model_leaves_rather_than_a_busy_one(make_pool, world, clock):
    pool = make_pool(max_models=2)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))
    clock.now += 1
    await pool.load(B)

    await pool.load(C)

    assert world.alive == ["a", "c"]
    world.last("a").answer_all()
    assert await busy == "Hi"


async def test_a_busy_model_finishes_before_it_leaves(make_pool, world):
    pool = make_pool(max_models=1)
    world.answers_at_once = False
    first, second = await start(ask(pool, A, "one"), ask(pool, A, "two"))

    (other,) = await start(pool.load(B))

    assert world.alive == ["a"]
    assert states(pool) == {"a": "leaving", "b": "loading"}
    world.last("a").answer_all()
    assert await asyncio.gather(first, second) == ["one", "two"]
    await other
    assert world.alive == ["b"]


async def test_who_asks_for_a_leaving_model_waits_for_its_next_load(make_pool, world):
    pool = make_pool(max_models=1)
    world.answers_at_once = False
    (early,) = await start(ask(pool, A, "early"))
    (other,) = await start(ask(pool, B, "other"))
    (late,) = await start(ask(pool, A, "late"))
    assert list(world.last("a").requests.values()) == ["early"]

    for model_id in ("a", "b", "a"):
        world.last(model_id).answer_all()
        await settle()

    assert [task.result() for task in (early, other, late)] == ["early", "other", "late"]
    assert world.loads == ["a", "b", "a"]


async def test_pinned_models_make_no_room(make_pool, world):
    pool = make_pool(max_models=2)
    await pool.load(spec_of("pinned", is_pinned=True))
    await pool.load(A)

    await pool.load(B)

    assert world.alive == ["pinned", "b"]


async def test_where_all_are_pinned_others_are_refused(make_pool, world):
    pool = make_pool(max_models=1)
    await pool.load(spec_of("pinned", is_pinned=True))

    with pytest.raises(OutOfMemory, match="pinned"):
        await pool.load(A)

    assert world.alive == ["pinned"]


async def test_pinning_and_unpinning_need_no_load(make_pool, world):
    pool = make_pool(max_models=1)
    await ask(pool, spec_of("a", is_pinned=True))
    await ask(pool, spec_of("a", is_pinned=False))
    await ask(pool, B)
    await ask(pool, spec_of("b", is_pinned=True))

    with pytest.raises(OutOfMemory):
        await ask(pool, A)

    assert world.loads == ["a", "b"]


async def test_a_busy_model_stays_if_it_does_not_finish_in_time(make_pool, world):
    pool = make_pool(max_models=1, load_timeout=0.01)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))

    with pytest.raises(OutOfMemory, match="busy"):
        await ask(pool, B)

    (late,) = await start(ask(pool, A, "late"))
    world.last("a").answer_all()
    assert await asyncio.gather(busy, late) == ["Hi", "late"]
    assert world.loads == ["a"]


async def test_who_waited_for_a_model_that_was_to_leave_gets_the_one_that_stayed(make_pool, world):
    pool = make_pool(max_models=1, load_timeout=0.05)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))
    (other,) = await start(ask(pool, B))
    (late,) = await start(ask(pool, A, "late"))
    assert list(world.last("a").requests.values()) == ["Hi"]

    with pytest.raises(OutOfMemory):
        await other
    await settle()

    world.last("a").answer_all()
    assert await asyncio.gather(busy, late) == ["Hi", "late"]
    assert world.loads == ["a"]


@pytest.mark.parametrize(
    "limits",
    [
        {"max_models": 1},
        {"max_models": 0, "memory_bytes": 99 * MIB + OVERHEAD_BYTES},
    ],
    ids=["by number", "by memory"],
)
async def test_models_that_do_not_fit_together_are_both_answered(make_pool, world, limits):
    pool = make_pool(**limits)

    answers = asyncio.gather(*(ask(pool, spec, spec.id) for spec in [A, B] * 10))

    assert await asyncio.wait_for(answers, 5) == ["a", "b"] * 10
    assert world.loads == ["a", "b"]


async def test_models_that_take_turns_are_all_answered(make_pool, world):
    pool = make_pool(max_models=1)
    turns = [A, B, C, B, A, C] * 5

    async def user(first):
        return [await ask(pool, spec, spec.id) for spec in turns[first:] + turns[:first]]

    answers = await asyncio.wait_for(asyncio.gather(*map(user, range(6))), 10)

    assert all(sorted(told) == sorted(spec.id for spec in turns) for told in answers)
    assert len(world.alive) == 1


async def test_a_stream_of_requests_for_one_model_does_not_starve_another(make_pool, world):
    pool = make_pool(max_models=1)
    world.answers_at_once = False
    users = await start(*(ask(pool, A) for _ in range(3)))
    (other,) = await start(ask(pool, B, "other"))

    users += await start(*(ask(pool, A) for _ in range(3)))
    world.last("a").answer_all()
    await settle()
    world.last("b").answer_all()

    assert await other == "other"
    await settle()
    world.last("a").answer_all()
    assert await asyncio.gather(*users) == ["Hi"] * 6


# Idling


async def test_a_model_leaves_after_its_idle_time(make_pool, world, clock, monkeypatch):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    pool = make_pool()
    await ask(pool, spec_of("a", idle_timeout=100.0))
    await ask(pool, spec_of("b", idle_timeout=200.0))

    clock.now += 100
    await settle()
    assert world.alive == ["a", "b"]

    clock.now += 1
    await settle()
    assert world.alive == ["b"]
    assert states(pool) == {"b": "ready"}


async def test_a_model_that_left_comes_back(make_pool, world, clock, monkeypatch):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    pool = make_pool()
    await ask(pool, A)
    clock.now += 1000
    await settle()

    assert await ask(pool, A, "again") == "again"
    assert world.loads == ["a", "a"]


@pytest.mark.parametrize("facts", [{"is_pinned": True}, {"idle_timeout": 0.0}])
async def test_some_models_never_leave(make_pool, world, clock, monkeypatch, facts):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    pool = make_pool()
    await ask(pool, spec_of("a", **facts))

    clock.now += 1e6
    await settle()

    assert world.alive == ["a"]


async def test_a_busy_model_is_not_idle(make_pool, world, clock, monkeypatch):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    world.answers_at_once = False
    pool = make_pool()
    (busy,) = await start(ask(pool, A))

    clock.now += 1e6
    await settle()
    world.last("a").answer_all()

    assert await busy == "Hi"
    await settle()
    assert world.alive == ["a"]  # it idles since just now


async def test_a_new_idle_time_holds_for_a_loaded_model(make_pool, world, clock, monkeypatch):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    pool = make_pool()
    await ask(pool, spec_of("a", idle_timeout=0.0))
    await ask(pool, spec_of("a", idle_timeout=5.0))

    clock.now += 6
    await settle()

    assert world.alive == []


# Hanging


async def test_an_engine_that_falls_silent_with_work_is_killed(
    make_pool, world, clock, monkeypatch
):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    world.answers_at_once = False
    pool = make_pool(step_timeout=60)
    (victim,) = await start(ask(pool, A))

    clock.now += 60
    await settle()
    assert world.alive == ["a"]
    clock.now += 1

    with pytest.raises(EngineRestarting, match="killed by signal 9"):
        await victim
    assert world.alive == []
    world.answers_at_once = True
    assert await ask(pool, A, "again") == "again"


async def test_an_engine_without_work_may_be_silent(make_pool, world, clock, monkeypatch):
    monkeypatch.setattr(pool_module, "WATCH_SECONDS", 0)
    pool = make_pool(step_timeout=60)
    spec = spec_of("a", idle_timeout=0.0)
    await ask(pool, spec)

    clock.now += 1e6
    await settle()

    assert await ask(pool, spec, "again") == "again"
    assert world.loads == ["a"]


# Crashes


async def test_a_crash_fails_what_ran_and_the_next_request_loads_anew(make_pool, world):
    pool = make_pool()
    world.answers_at_once = False
    (victim,) = await start(ask(pool, A))
    world.last("a").crash()

    with pytest.raises(EngineRestarting, match="killed by signal 9") as caught:
        await victim

    assert caught.value.retry_after == 1
    world.answers_at_once = True
    assert states(pool) == {"a": "crashed"}
    assert await ask(pool, A, "again") == "again"


async def test_an_engine_that_dies_as_soon_as_it_is_ready_is_a_failed_load(make_pool, world):
    pool = make_pool(max_models=1)
    world.frail.add("a")
    with pytest.raises(ModelLoadFailed, match="died at once"):
        await ask(pool, A)

    assert states(pool) == {"a": "crashed"}
    world.frail.clear()
    assert await ask(pool, A) == "Hi"


async def test_waiting_after_crashes_in_a_row_doubles(make_pool, world, clock):
    pool = make_pool()
    waits = []
    for _ in range(10):
        await pool.load(A)
        world.last("a").crash()
        await settle()
        waits.append(pool._models["a"].retry_at - clock.now)
        clock.now += waits[-1]

    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_loads_that_fail_wait_longer_each_time_too(make_pool, world, clock):
    pool = make_pool()
    world.failures["a"] = [BROKEN, BackendUnusable("not on this CPU")]
    await asyncio.gather(ask(pool, A), return_exceptions=True)
    await asyncio.gather(ask(pool, A), return_exceptions=True)

    with pytest.raises(EngineRestarting, match=r"2 times in a row.*not on this CPU") as caught:
        await ask(pool, A)

    assert caught.value.retry_after == 1
    assert world.loads == ["a", "a"]
    clock.now += 1
    assert await ask(pool, A) == "Hi"


async def test_a_model_that_fails_for_days_still_waits_a_minute(make_pool, world, clock):
    pool = make_pool()
    world.failures["a"] = [BROKEN] * 1100
    while world.failures["a"]:
        with pytest.raises(ModelLoadFailed):
            await ask(pool, A)
        clock.now += 60

    assert pool._models["a"].retry_at == clock.now
    assert await ask(pool, A) == "Hi"


async def test_a_changed_configuration_is_tried_at_once(make_pool, world):
    pool = make_pool()
    world.failures["a"] = [BROKEN] * 3
    await asyncio.gather(ask(pool, A), return_exceptions=True)
    await asyncio.gather(ask(pool, A), return_exceptions=True)

    with pytest.raises(ModelLoadFailed):
        await ask(pool, spec_of("a", threads=1))

    assert await ask(pool, spec_of("a", threads=1)) == "Hi"  # it counts from one again


async def test_an_engine_that_lived_long_counts_its_crashes_anew(make_pool, world, clock):
    pool = make_pool()
    for _ in range(5):
        await pool.load(A)
        clock.now += pool_module.HEALTHY_SECONDS + 1
        world.last("a").crash()
        await settle()

    assert await ask(pool, A) == "Hi"


async def test_a_crash_is_forgotten_once_the_engine_was_unloaded_in_order(make_pool, world):
    pool = make_pool()
    await pool.load(A)
    world.last("a").crash()
    await settle()
    await pool.load(A)

    await pool.unload("a")

    assert pool.status() == []


async def test_a_pinned_model_comes_back_by_itself(make_pool, world):
    pool = make_pool()
    await pool.load(spec_of("a", is_pinned=True))

    world.last("a").crash()
    await settle()

    assert world.loads == ["a", "a"]
    assert states(pool) == {"a": "ready"}


async def test_a_pinned_model_that_does_not_come_back_is_logged(make_pool, world, caplog):
    pool = make_pool()
    await pool.load(spec_of("a", is_pinned=True))
    world.failures["a"] = [BROKEN]

    world.last("a").crash()
    await settle()

    assert "pinned model is not back: the file is broken" in caplog.text


async def test_a_pinned_model_is_tried_until_it_is_back(make_pool, world, clock, monkeypatch):
    monkeypatch.setattr(clock, "monotonic", time.monotonic)
    pool = make_pool()
    await pool.load(spec_of("a", is_pinned=True))
    world.failures["a"] = [BROKEN]

    world.last("a").crash()
    async with asyncio.timeout(20):
        while len(world.loads) < 3:  # noqa: ASYNC110  the pool waits a second
            await asyncio.sleep(0.01)
    await settle()

    assert states(pool) == {"a": "ready"}


# What the device says


async def test_when_the_device_is_full_another_leaves_and_the_load_is_tried_again(
    make_pool, world, clock
):
    pool = make_pool()
    for spec in (A, B):
        clock.now += 1
        await ask(pool, spec)
    world.failures["c"] = [TOO_LARGE]

    assert await ask(pool, C) == "Hi"
    assert world.alive == ["b", "c"]
    assert world.loads == ["a", "b", "c", "c"]


async def test_a_full_device_with_nobody_to_leave_is_out_of_memory(make_pool, world):
    pool = make_pool()
    await pool.load(spec_of("pinned", is_pinned=True))
    world.failures["a"] = [TOO_LARGE] * 4

    for _ in range(4):  # trying again is free: memory may be there any time
        with pytest.raises(OutOfMemory, match="the device is full"):
            await ask(pool, A)

    assert world.alive == ["pinned"]


# A changed configuration


async def test_a_changed_configuration_is_loaded_once_the_old_one_is_idle(make_pool, world):
    pool = make_pool()
    world.answers_at_once = False
    (old,) = await start(ask(pool, A, "old"))

    (new,) = await start(ask(pool, spec_of("a", threads=3), "new"))

    assert [host.config.threads for host in world.hosts] == [0]
    world.last("a").answer_all()
    assert await old == "old"
    await settle()
    assert [host.config.threads for host in world.hosts] == [0, 3]
    assert world.alive == ["a"]
    world.last("a").answer_all()
    assert await new == "new"


async def test_others_load_while_an_old_configuration_has_answers_to_write(make_pool, world):
    pool = make_pool()
    world.answers_at_once = False
    (old,) = await start(ask(pool, A, "old"))
    (new,) = await start(ask(pool, spec_of("a", threads=3), "new"))

    await pool.load(B)

    assert world.alive == ["a", "b"]
    for expected in (old, new):
        world.last("a").answer_all()
        await expected
        await settle()


async def test_a_full_device_waits_for_busy_models_no_longer_than_for_a_load(make_pool, world):
    pool = make_pool(load_timeout=0.01)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))
    world.failures["c"] = [TOO_LARGE]

    with pytest.raises(OutOfMemory, match="the models in memory are busy"):
        await pool.load(C)

    world.last("a").answer_all()
    assert await busy == "Hi"


async def test_a_changed_configuration_may_need_less_memory(make_pool, world):
    pool = make_pool(memory_bytes=1000 * MIB)
    world.memory_bytes["a"] = 1001 * MIB  # it took more than anybody thought
    await ask(pool, spec_of("a", context_length=100_000))
    await pool.unload("a")

    assert await ask(pool, spec_of("a", context_length=4096)) == "Hi"


# Unloading


async def test_unloading_frees_the_model(make_pool, world):
    pool = make_pool()
    await ask(pool, A)

    assert await pool.unload("a")
    assert world.alive == []
    assert pool.status() == []


async def test_unloading_lets_answers_finish(make_pool, world):
    pool = make_pool(drain_seconds=10)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))

    (unloading,) = await start(pool.unload("a"))

    assert world.alive == ["a"]
    assert states(pool) == {"a": "leaving"}
    world.last("a").answer_all()
    assert await busy == "Hi"
    assert await unloading
    assert world.alive == []


async def test_unloading_waits_for_the_answers_under_way(make_pool, world):
    pool = make_pool(drain_seconds=0.01)
    world.answers_at_once = False
    busy, unloading = await start(ask(pool, A), pool.unload("a"))
    assert world.alive == ["a"]

    world.last("a").answer_all()

    assert await busy == "Hi"
    assert await unloading
    assert world.alive == []


async def test_unloading_a_model_that_loads_unloads_it_then(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    loading, unloading = await start(pool.load(A), pool.unload("a"))

    world.last("a").become_ready()

    await loading
    assert await unloading
    assert world.alive == []


async def test_an_unloaded_model_is_not_brought_back_though_it_was_pinned(make_pool, world):
    pool = make_pool()
    await pool.load(spec_of("a", is_pinned=True))
    await pool.unload("a")
    await settle()

    assert world.loads == ["a"]


async def test_a_model_that_is_not_pinned_any_more_makes_room(make_pool, world):
    pool = make_pool(max_models=1)
    await pool.load(spec_of("a", is_pinned=True))

    pool.update(spec_of("a", is_pinned=False))
    await pool.load(B)

    assert world.alive == ["b"]


async def test_no_more_wait_for_a_load_than_the_engine_would_let_wait(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    a = spec_of("a", max_sequences=1, max_waiting=1)
    waiting = await start(ask(pool, a), ask(pool, a))

    with pytest.raises(QueueFull, match="2 requests wait for a to load"):
        await ask(pool, a)

    world.last("a").become_ready()
    assert await asyncio.gather(*waiting) == ["Hi", "Hi"]


async def test_an_answer_makes_up_for_a_crash(make_pool, world, clock):
    pool = make_pool()
    for _ in range(3):
        await ask(pool, A)
        world.last("a").crash()
        await settle()

    assert await ask(pool, A) == "Hi"


async def test_what_is_asked_while_a_model_unloads_is_answered_after_its_next_load(
    make_pool, world
):
    pool = make_pool(drain_seconds=10)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))
    (unloading,) = await start(pool.unload("a"))

    (late,) = await start(ask(pool, A, "late"))
    world.last("a").answer_all()
    await asyncio.gather(busy, unloading)
    await settle()
    world.last("a").answer_all()

    assert await late == "late"
    assert world.loads == ["a", "a"]


async def test_a_model_wanted_again_while_it_unloads_keeps_nobody_waiting(make_pool, world):
    pool = make_pool(max_models=1, drain_seconds=10)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))
    await start(pool.unload("a"))
    (other,) = await start(ask(pool, B, "other"))
    (late,) = await start(ask(pool, A, "late"))

    for model_id in ("a", "b", "a"):
        world.last(model_id).answer_all()
        await settle()

    assert await asyncio.gather(busy, other, late) == ["Hi", "other", "late"]


@pytest.mark.parametrize("turns", range(10))
async def test_a_model_unloaded_just_when_it_is_loaded_is_loaded_again(make_pool, world, turns):
    pool = make_pool()
    world.slow_loads.add("a")
    (asking,) = await start(ask(pool, A))
    world.slow_loads.clear()
    world.last("a").become_ready()

    await settle(turns)
    await pool.unload("a")

    assert await asking == "Hi"


async def test_there_is_nothing_to_unload_of_a_model_that_is_not_there(make_pool, world):
    pool = make_pool()
    world.failures["a"] = [BROKEN]
    await asyncio.gather(ask(pool, A), return_exceptions=True)

    assert not await pool.unload("a")
    assert not await pool.unload("unknown")


# Closing


async def test_a_closed_pool_refuses(make_pool, world):
    pool = make_pool()
    await pool.close()

    with pytest.raises(EngineStopped) as caught:
        await ask(pool, A)

    assert caught.value.retry_after == 5
    assert world.loads == []


async def test_closing_drains_and_leaves_no_process(make_pool, world):
    pool = make_pool(drain_seconds=10)
    await pool.load(B)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))

    (closing,) = await start(pool.close())
    with pytest.raises(EngineStopped):
        await ask(pool, A)

    assert world.alive == ["a"]
    world.last("a").answer_all()
    assert await busy == "Hi"
    await closing
    assert world.alive == []


async def test_closing_cuts_off_what_is_not_done_in_time(make_pool, world):
    pool = make_pool(drain_seconds=0.01)
    world.answers_at_once = False
    (busy,) = await start(ask(pool, A))

    await pool.close()

    with pytest.raises(EngineStopped):
        await busy
    assert world.alive == []


async def test_who_waits_for_a_load_hears_of_the_closing(make_pool, world):
    pool = make_pool(max_models=1)
    world.slow_loads.add("a")
    loading, queued = await start(ask(pool, A), ask(pool, B))

    await pool.close()

    for waiting in (loading, queued):
        with pytest.raises(EngineStopped, match="shutting down"):
            await waiting
    assert world.alive == []


async def test_a_pinned_model_stays_away_after_the_closing(make_pool, world):
    pool = make_pool()
    await pool.load(spec_of("a", is_pinned=True))

    await pool.close()
    await settle()

    assert world.loads == ["a"]


# Counting


async def test_counting_loads_no_model_unless_told_to(make_pool, world):
    pool = make_pool()

    assert await pool.count(A, load=False, texts=["abc"]) is None
    assert world.loads == []
    assert await pool.count(A, load=True, texts=["abc"]) == [3]
    assert await pool.count(A, load=False, texts=["ab", ""]) == [2, 0]
    assert world.loads == ["a"]


async def test_a_model_that_leaves_counts_nothing(make_pool, world):
    pool = make_pool(max_models=1)
    world.answers_at_once = False
    await pool.submit(A, text="a")
    await start(pool.load(B))

    assert await pool.count(A, load=False, texts=["abc"]) is None

    world.last("a").answer_all()
    await settle()


# Status


async def test_the_status_shows_how_far_a_load_is(make_pool, world):
    pool = make_pool()
    world.slow_loads.add("a")
    await start(pool.load(A))

    world.last("a").reply(Loading(0.5))
    await settle()

    (status,) = pool.status()
    assert (status.state, status.progress, status.pid) == ("loading", 0.5, None)
    world.last("a").become_ready()
    await settle()
    (status,) = pool.status()
    assert (status.state, status.progress) == ("ready", 1.0)
    assert (status.memory_bytes, status.context_length) == (100 * MIB, 4096)
    assert status.pid == world.last("a").pid


async def test_a_load_that_waits_for_anothers_has_not_begun(make_pool, world):
    pool = make_pool()
    await start(pool.load(A))
    world.last("a").reply(Loading(0.9))
    await pool.unload("a")
    world.slow_loads |= {"a", "b"}
    await start(pool.load(B))

    await start(pool.load(A))

    progress = {status.model_id: status.progress for status in pool.status()}
    assert progress == {"a": 0.0, "b": 0.0}
    for model_id in ("b", "a"):
        world.last(model_id).become_ready()
        await settle()


async def test_nothing_is_known_of_models_never_asked_for(make_pool):
    assert make_pool().status() == []


async def test_the_status_counts_crashes(make_pool, world):
    pool = make_pool()
    await pool.load(A)
    world.last("a").crash()
    await settle()

    (status,) = pool.status()
    assert msgspec.to_builtins(status) == {
        **msgspec.to_builtins(status),
        "model_id": "a",
        "state": "crashed",
        "crashes": 1,
    }
