"""All workloads, by the letters that the command line knows them by."""

from .alike import conversations, independent, repeating, shared_prompt
from .leaving import restart, storm
from .owners import flood, share
from .workload import Size, Workload


def _independent(slots: int, count: int, *, on_cpu: bool = True) -> Workload:
    return Workload(
        f"a{slots}",
        f"(a) independent prompts, {slots} at a time",
        independent,
        full=Size(slots, count, prompt=128, answer=64),
        quick=Size(slots, slots, prompt=24, answer=8),
        gpu=Size(slots, slots * 3, prompt=256, answer=128),
        is_default=on_cpu,
    )


WORKLOADS = (
    _independent(1, 6),
    _independent(8, 24),
    _independent(32, 64),
    _independent(64, 128, on_cpu=False),
    Workload(
        "b",
        "(b) 16 people under one new system prompt of 1,000 tokens",
        shared_prompt,
        full=Size(slots=16, count=16, prompt=24, answer=32, system=1000),
        quick=Size(slots=4, count=4, prompt=8, answer=4, system=60),
        gpu=Size(slots=16, count=16, prompt=24, answer=64, system=1000),
    ),
    Workload(
        "c",
        "(c) 48 conversations taken up in turns, on 8 slots",
        conversations,
        full=Size(slots=8, count=48, prompt=200, answer=24, repeat=2),
        quick=Size(slots=2, count=4, prompt=32, answer=4, repeat=1),
        gpu=Size(slots=8, count=48, prompt=400, answer=64, repeat=2),
    ),
    Workload(
        "d",
        "(d) one owner's request beside another's 40, on 8 slots",
        flood,
        full=Size(slots=8, count=40, prompt=64, answer=48, seconds=1.0, repeat=5),
        quick=Size(slots=2, count=6, prompt=16, answer=16, seconds=0.2, repeat=2),
        gpu=Size(slots=8, count=40, prompt=256, answer=256, seconds=1.0, repeat=5),
        has_accounts=True,
        needs_batching=True,
    ),
    Workload(
        "e",
        "(e) answers that repeat their input, 1 at a time",
        repeating,
        full=Size(slots=1, count=6, prompt=100, answer=128),
        quick=Size(slots=1, count=2, prompt=24, answer=16),
        gpu=Size(slots=1, count=6, prompt=200, answer=256),
    ),
    Workload(
        "f",
        "(f) people who leave, on 8 slots",
        storm,
        full=Size(slots=8, count=64, prompt=64, answer=64, seconds=4.0, repeat=100),
        quick=Size(slots=2, count=6, prompt=16, answer=16, seconds=1.0, repeat=3),
        gpu=Size(slots=8, count=64, prompt=256, answer=128, seconds=4.0, repeat=100),
        needs_batching=True,
    ),
    Workload(
        "g",
        "(g) a restart between two turns of 2,000 tokens",
        restart,
        full=Size(slots=2, count=5, prompt=2000, answer=32),
        quick=Size(slots=2, count=1, prompt=64, answer=4),
        gpu=Size(slots=2, count=5, prompt=2000, answer=32),
    ),
    Workload(
        "h",
        "(h) two owners who saturate 8 slots, one asks three times as much",
        share,
        full=Size(slots=8, count=400, prompt=32, answer=48, seconds=40.0),
        quick=Size(slots=2, count=60, prompt=16, answer=8, seconds=2.0),
        gpu=Size(slots=8, count=400, prompt=128, answer=128, seconds=20.0),
        has_accounts=True,
        needs_batching=True,
    ),
)
BY_KEY = {workload.key: workload for workload in WORKLOADS}
