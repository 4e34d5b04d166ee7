"""Contestants that run in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from side_by_side import Work

PEERS = ("diffrax", "torchode", "torchdyn")
_HERE = Path(__file__).parent


class PeerError(RuntimeError):
    """A peer does not take part, with the reason; empty where it has no such work."""


class Peer:
    """A contestant that waits for its turns.

    Args:
        name: one of ``PEERS``.
        folder: with the work.
        python: the interpreter of its environment.
        threads: that it may use.

    Raises:
        PeerError: it is not installed, has no such work, or failed.
    """

    def __init__(self, name: str, folder: Path, python: str, threads: int) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, str(_HERE / "worker.py"), name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        try:
            first = self._answer()
            if "missing" in first:
                raise PeerError(first["missing"])
        except PeerError:
            self.close()
            raise
        self.version = str(first["version"])

    def turn(self, number: int) -> tuple[float, float]:
        """Its seconds and its value."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        found = self._answer()
        return float(found["seconds"]), float(found["value"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()

    def _answer(self) -> dict[str, str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            said = [text for text in self._errors.read().splitlines() if text.strip()]
            raise PeerError(said[-1] if said else "its process ended")
        answer: dict[str, str] = json.loads(line)
        return answer


@contextmanager
def described(work: Work, turns: int, device: str, clock: str) -> Iterator[Path]:
    """The work in a folder, for the processes of peers; ``clock`` is one of ``time``'s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "arrays.npz", **work.shared(turns))
        content = {"name": work.name, "settings": work.settings}
        content |= {"device": device, "clock": clock}
        (folder / "work.json").write_text(json.dumps(content))
        yield folder


def interpreter(name: str, given: dict[str, str]) -> str:
    """The Python of a peer: the one that was named for it, or ours."""
    return given.get(name, sys.executable)
