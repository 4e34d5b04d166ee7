"""The three numbers of memory, which are never mixed."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, nn


class _Kept:
    """A tensor that autograd keeps; lives exactly as long as autograd needs it."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class SavedBytes:
    """Counts the bytes that autograd keeps for the backward pass.

    A storage is counted once, however many operations keep it, and only while one does: what a
    rejected step saved is freed with the step and not counted. Parameters and buffers are not
    counted, because they live anyway. The number does not depend on the machine.

    Args:
        model: its parameters and buffers are left out.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    @contextmanager
    def measure(self) -> Iterator[SavedBytes]:
        """Watch the operations inside the ``with`` block; ``bytes_now`` may be asked in it."""
        self._kept: weakref.WeakSet[_Kept] = weakref.WeakSet()
        self._permanent = {
            tensor.untyped_storage().data_ptr()
            for tensors in (self._model.parameters(), self._model.buffers())
            for tensor in tensors
        }

        def pack(tensor: Tensor) -> _Kept:
            # Detached, since an operation that keeps its own output would else keep itself alive.
            kept = _Kept(tensor.detach())
            self._kept.add(kept)
            return kept

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
            yield self

    def bytes_now(self) -> int:
        """Bytes kept at this moment; ask after the forward pass, before ``backward()``."""
        storages = {
            storage.data_ptr(): storage.nbytes()
            for storage in (kept.tensor.untyped_storage() for kept in self._kept)
        }
        return sum(size for start, size in storages.items() if start not in self._permanent)


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


def available_bytes() -> int | None:
    """Memory that new data can take without swapping; None where the system does not tell."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def peak_resident_bytes() -> int:
    """Peak resident set size of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def peak_device_bytes(device: torch.device) -> int | None:
    """Peak bytes that torch allocated on a CUDA device; ``None`` on the CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
