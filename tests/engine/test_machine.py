"""What a container may use is less than the machine has."""

import os

import psutil
import pytest

from inference.engine import machine


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    return tmp_path


def test_without_a_container_it_is_the_machine(cgroup):
    assert machine.total_memory() == psutil.virtual_memory().total
    assert 1 <= machine.available_cores() <= os.cpu_count()


def test_a_containers_memory_is_its_limit(cgroup):
    (cgroup / "memory.max").write_text("1000\n")
    (cgroup / "memory.current").write_text("300\n")
    assert machine.total_memory() == 1000
    assert machine.available_memory() == 700


def test_a_container_without_a_limit_says_max(cgroup):
    (cgroup / "memory.max").write_text("max\n")
    (cgroup / "cpu.max").write_text("max 100000\n")
    assert machine.total_memory() == psutil.virtual_memory().total


@pytest.mark.parametrize(("share", "cores"), [("100000 100000", 1), ("50000 100000", 1)])
def test_a_containers_share_of_time_counts_as_whole_cores(cgroup, share, cores):
    (cgroup / "cpu.max").write_text(f"{share}\n")
    assert machine.available_cores() == cores


def test_a_share_larger_than_the_machine_changes_nothing(cgroup):
    before = machine.available_cores()
    (cgroup / "cpu.max").write_text("100000000 100000\n")
    assert machine.available_cores() == before
