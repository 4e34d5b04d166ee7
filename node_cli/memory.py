"""The three numbers of memory, which are never mixed."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from torch import Tensor, nn


class _Count:
    """Bytes of the storages that are kept, each counted once.

    Args:
        permanent: storages that do not count.
    """

    def __init__(self, permanent: set[int]) -> None:
        self.bytes = 0
        self._permanent = permanent
        self._keepers: dict[int, int] = {}  # by where a storage starts

    def add(self, start: int, size: int) -> None:
        if start not in self._permanent:
            keepers = self._keepers[start] = self._keepers.get(start, 0) + 1
            if keepers == 1:
                self.bytes += size

    def remove(self, start: int, size: int) -> None:
        if start not in self._permanent:
            self._keepers[start] -= 1
            if self._keepers[start] == 0:
                del self._keepers[start]
                self.bytes -= size


class _Kept:
    """A tensor that autograd keeps; lives exactly as long as autograd needs it."""

    __slots__ = ("_counts", "_size", "_start", "tensor")

    def __init__(self, tensor: Tensor, counts: tuple[_Count, ...]) -> None:
        self.tensor = tensor
        # Zeros that torch.func makes where nothing depends on an input are stored nowhere.
        self._counts = () if tensor._is_zerotensor() else counts
        if self._counts:
            storage = tensor.untyped_storage()
            self._start, self._size = storage.data_ptr(), storage.nbytes()
        for count in self._counts:
            count.add(self._start, self._size)

    def __del__(self) -> None:
        for count in self._counts:
            count.remove(self._start, self._size)


# Autograd calls the innermost hooks alone, which therefore count for those around them too.
_counting: ContextVar[tuple[_Count, ...]] = ContextVar("counting", default=())


class SavedBytes:
    """Counts the bytes that autograd keeps for the backward pass.

    A storage is counted once, however many operations keep it, and only while one does: what a
    rejected step saved is freed with the step and not counted. Parameters and buffers are not
    counted, because they live anyway. The number does not depend on the machine.

    Args:
        model: its parameters and buffers are left out.
        others: further tensors that are left out.
    """

    def __init__(self, model: nn.Module | None, others: Iterable[Tensor] = ()) -> None:
        self._model, self._others = model, tuple(others)

    @contextmanager
    def measure(self) -> Iterator[SavedBytes]:
        """Watch the operations inside the ``with`` block; ``bytes_now`` may be asked in it."""
        model = self._model
        of_model = () if model is None else (*model.parameters(), *model.buffers())
        permanent = {t.untyped_storage().data_ptr() for t in (*of_model, *self._others)}
        self._count = _Count(permanent)
        counts = (*_counting.get(), self._count)

        def pack(tensor: Tensor) -> _Kept:
            # Detached, since an operation that keeps its own output would else keep itself alive.
            return _Kept(tensor.detach(), counts)

        token = _counting.set(counts)
        try:
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
                yield self
        finally:
            _counting.reset(token)

    def bytes_now(self) -> int:
        """Bytes kept at this moment; ask after the forward pass, before ``backward()``."""
        return self._count.bytes


class Peak:
    """Filled in when the ``with`` block of ``peak_of`` ends; None where it cannot be measured."""

    bytes: int | None = None


@contextmanager
def peak_of(device: torch.device) -> Iterator[Peak]:
    """Measure by how much memory rises at most inside the ``with`` block.

    On CUDA it is what torch allocated. On the CPU it is the resident set size of the process,
    which Linux can be told to measure anew; elsewhere there is no number.
    """
    peak = Peak()
    if device.type == "cuda":
        synchronize(device)
        _peaks_before[device] = peak_device_bytes(device) or 0
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        synchronize(device)
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    try:
        _release_freed_memory()
        _CLEAR_PEAK.write_text("5")
        before = _process_status("VmRSS")
    except OSError:
        yield peak
        return
    yield peak
    peak.bytes = max(0, _process_status("VmHWM") - before)


_CLEAR_PEAK = Path("/proc/self/clear_refs")


def _process_status(name: str) -> int:
    """A number of ``/proc/self/status``, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


def _release_freed_memory() -> None:
    """Give freed memory back to the system, so that it is not taken for memory in use."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError as error:  # another C library than glibc
        raise OSError("malloc_trim is missing") from error


def synchronize(device: torch.device) -> None:
    """Wait until a CUDA device has done its work; nothing on the CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_resident_bytes() -> int:
    """Peak resident set size of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024


# Peaks of CUDA devices from before ``peak_of`` had torch measure anew.
_peaks_before: dict[torch.device, int] = {}


def forget_device_peak(device: torch.device) -> None:
    """Have ``peak_device_bytes`` begin anew, as for the next of several runs in a process."""
    if device.type == "cuda":
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats(device)
        _peaks_before.pop(device, None)


def peak_device_bytes(device: torch.device) -> int | None:
    """Peak bytes that torch allocated on a CUDA device; ``None`` on the CPU."""
    if device.type != "cuda":
        return None
    return max(torch.cuda.max_memory_allocated(device), _peaks_before.get(device, 0))
