import resource
import sys
from pathlib import Path

import pytest
import torch

from node_cli import free_memory
from node_cli.free_memory import free_bytes, readable, used_bytes

CPU = torch.device("cpu")
linux = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")


@linux
def test_memory_in_use_grows_with_what_is_filled():
    before = used_bytes(CPU)
    block = torch.ones(60_000_000)
    assert used_bytes(CPU) - before > 0.8 * block.nbytes


@linux
def test_what_is_free_is_a_part_of_the_machine():
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < free_bytes(CPU) < total


@linux
def test_a_limit_of_address_space_is_heeded(monkeypatch):
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (size + 10**6, resource.RLIM_INFINITY))
    assert free_bytes(CPU) <= 10**6


def test_without_numbers_there_is_none(monkeypatch):
    def missing(*_arguments):
        raise OSError("no such file")

    monkeypatch.setattr(free_memory.Path, "read_text", missing)
    monkeypatch.setattr(free_memory, "_statm", missing)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert used_bytes(CPU) is None
    assert free_bytes(CPU) is None
    assert used_bytes(torch.device("meta")) is None
    assert free_bytes(torch.device("meta")) is None


def group(folder, limit, used, cached, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(names, (limit, used, cached), strict=True):
        (folder / name).write_text(f"{text}\n")


def test_every_group_up_to_the_root_may_be_the_least(tmp_path):
    names = ("memory.max", "memory.current", "memory.stat")
    group(tmp_path, "max", 900, "anon 1", names)
    group(tmp_path / "user", 1000, 700, "anon 5\ninactive_file 50", names)
    group(tmp_path / "user" / "job", "max", 600, "anon 1", names)
    left = free_memory._left_by_groups(tmp_path, "0::/user/job\n")
    assert list(left) == [350]


def test_groups_of_the_first_version_are_read_too(tmp_path):
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    group(tmp_path / "memory" / "job", 800, 300, "total_inactive_file 20", names)
    group(tmp_path / "memory", 2**63 - 4096, 900, "total_inactive_file 0", names)
    left = free_memory._left_by_groups(tmp_path, "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n")
    assert min(left) == 520


def test_a_group_named_as_on_the_machine_is_found_inside_a_container(tmp_path):
    names = ("memory.max", "memory.current", "memory.stat")
    group(tmp_path, 1000, 400, "inactive_file 0", names)
    assert list(free_memory._left_by_groups(tmp_path, "0::/machine/container\n")) == [600]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 * 2**30, "5.0 GiB")],
)
def test_bytes_for_people(size, text):
    assert readable(size) == text


def test_on_a_device_what_torch_holds_in_reserve_is_free_too(monkeypatch):
    numbers = {
        "allocated_bytes": {"all": {"current": 300}},
        "reserved_bytes": {"all": {"current": 500}},
    }
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_stats_as_nested_dict", lambda _: numbers)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 8000))
    device = torch.device("cuda")
    assert used_bytes(device) == 300
    assert free_bytes(device) == 1200


@pytest.mark.cuda
def test_memory_in_use_on_a_real_device_is_what_torch_allocated():
    device = torch.device("cuda")
    before, free = used_bytes(device), free_bytes(device)
    block = torch.ones(10_000_000, device=device)
    assert used_bytes(device) - before >= block.nbytes
    assert free - free_bytes(device) >= block.nbytes
