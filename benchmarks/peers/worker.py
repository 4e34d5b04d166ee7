"""A contestant in a process, and where need be an environment, of its own.

Reads the work from a folder, then a turn's number a line, and answers each line with JSON: its
seconds and its value.

Usage (by ``peer.py``):
    python benchmarks/peers/worker.py PEER FOLDER
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    peer, folder = sys.argv[1], Path(sys.argv[2])
    # Whatever libraries print goes elsewhere: the answers are alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**content: object) -> None:
        answers.write(json.dumps(content) + "\n")

    with np.load(folder / "arrays.npz") as arrays:
        given = dict(arrays)
    described = json.loads((folder / "work.json").read_text())
    if described["device"] == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    else:  # as ours there: in single precision, with memory as it is needed
        os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    try:
        contestant = importlib.import_module(f"{peer}_peer")
    except ImportError as error:
        answer(missing=str(error))
        return
    lacks = contestant.lacks(described["device"]) if hasattr(contestant, "lacks") else None
    if lacks is not None:
        answer(missing=lacks)
        return
    make = contestant.WORKS.get(described["name"])
    step = None if make is None else make(described["settings"], given, described["device"])
    if step is None:
        answer(missing="")
        return
    answer(version=contestant.VERSION)
    clock = getattr(time, described["clock"])
    for line in sys.stdin:
        started = clock()
        value = step(int(line))
        answer(seconds=clock() - started, value=value)


if __name__ == "__main__":
    main()
