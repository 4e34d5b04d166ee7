"""How much memory is in use and how much is free, read as cheaply as the system allows."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import torch

_PAGE = resource.getpagesize()


def used_bytes(device: torch.device) -> int | None:
    """Memory in use: a few microseconds, for a look inside of a hot loop.

    On CUDA it is what torch has allocated; on the CPU the resident set size of the process. None
    where the system does not tell.
    """
    if device.type == "cuda":
        allocated: int = _of_cuda(device)["allocated_bytes"]["all"]["current"]
        return allocated
    if device.type != "cpu":
        return None
    try:
        return int(os.pread(_statm(os.getpid()), 64, 0).split()[1]) * _PAGE
    except OSError:
        return None


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had; None where the system does not tell.

    On CUDA it is what the device has free and what torch holds in reserve. On the CPU it is the
    least of what Linux calls available, what the process's control groups leave and what its
    limit of address space (``ulimit -v``) leaves.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        numbers = _of_cuda(device)
        held: int = numbers["reserved_bytes"]["all"]["current"]
        allocated: int = numbers["allocated_bytes"]["all"]["current"]
        return free + held - allocated
    if device.type != "cpu":
        return None
    found = [*_available(), *_left_by_groups(), *_left_of_addresses()]
    return max(0, min(found)) if found else None


def readable(size: float) -> str:
    """A number of bytes for people, such as ``1.5 GiB``."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = 0
    while size >= 1024 and power < len(units) - 1:
        size /= 1024
        power += 1
    return f"{size:.0f} bytes" if power == 0 else f"{size:.1f} {units[power]}"


def _of_cuda(device: torch.device) -> dict[str, dict[str, dict[str, int]]]:
    torch.cuda.init()  # before it there are no numbers
    # Asked as a tree: the flat form that memory_allocated makes of it takes ten times as long.
    numbers: dict[str, dict[str, dict[str, int]]] = torch.cuda.memory_stats_as_nested_dict(device)
    return numbers


@lru_cache(maxsize=1)
def _statm(process: int) -> int:
    """The open file of a process's memory sizes, in pages; anew in a process that was forked."""
    return os.open(f"/proc/{process}/statm", os.O_RDONLY | os.O_CLOEXEC)


def _available() -> Iterator[int]:
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _left_of_addresses() -> Iterator[int]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        with suppress(OSError):
            yield limit - int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE


def _left_by_groups(root: Path = Path("/sys/fs/cgroup"), own: str | None = None) -> Iterator[int]:
    """What each control group of the process leaves, from its own up to the root.

    Args:
        root: where the control groups are mounted.
        own: the groups of the process, as ``/proc/self/cgroup`` has them.
    """
    if own is None:
        try:
            own = Path("/proc/self/cgroup").read_text()
        except OSError:
            return
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / path.lstrip("/")
        # In a container the path may be that of the machine; what is mounted is the group itself.
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(top))):
            with suppress(OSError, ValueError):  # no such file, or a limit of "max"
                limit, used = (int((folder / name).read_text()) for name in names[:2])
                yield limit - used + _reclaimable(folder, names[2])


def _reclaimable(folder: Path, name: str) -> int:
    """Bytes of files in memory that the system drops when memory is short."""
    for line in (folder / "memory.stat").read_text().splitlines():
        key, value = line.split()
        if key == name:
            return int(value)
    return 0
