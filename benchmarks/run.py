"""Ours beside torchdiffeq, diffrax, torchode and torchdyn, in turns, on the same work.

Usage:
    pip install -e '.[benchmark]'
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/run.py --examples torchdiffeq/examples

Each turn is one step of each contestant on the same batch: A B C, A B C. Told are medians, the
ratios within turns with their quartiles, and the last loss or value of each, which are to agree.
The table, the figures and ``results.json`` go to ``--out``. A peer that is not installed is left
out; one that needs an environment of its own is given its Python by ``--python``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cnf_2d
import cuda_graphs
import latent_ode
import mnist_odenet
import ode_demo
import plain_solve
import torch
import torchdiffeq
import van_der_pol
from cuda_graphs import as_graphs
from peers.peer import PEERS, Peer, PeerError, described, interpreter
from plain_solve import Problem
from results import COMPILED, CUDA_GRAPHS, HEAD, OURS, Result, draw, results, row, write
from side_by_side import Timing, Work, add_device_option, machine, take_turns, timed

from node_cli import __version__
from node_cli.schema.adjoint import ADJOINT_MODES
from node_cli.solving.compilation import told
from node_cli.training.exact_kernels import exact_kernels

# Seconds and value of a turn.
Turn = Callable[[int], tuple[float, float]]

WARM_UP = 2
# On a CPU a larger plain solve (batch * dimension^2) takes minutes.
_LARGEST = 2**26


def main() -> None:
    arguments = _arguments()
    _hold_to(arguments.threads)
    torch.set_default_device(arguments.device)  # of all tensors that are made here
    if "graphs" in arguments.compile:
        cuda_graphs.register()
    with exact_kernels():  # as in training
        _measure(arguments)


def _measure(arguments: argparse.Namespace) -> None:
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    about = {
        "system": f"{platform.machine()} {platform.system()}, {machine(arguments.device)}",
        "node-cli": __version__,
        "torchdiffeq": torchdiffeq.__version__,
        "compile": " ".join(arguments.compile),
        "seconds": "of the CPU" if arguments.cpu_time else "of the clock",
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(HEAD, flush=True)
    found: list[Result] = []
    notes: list[str] = []
    for name in arguments.only or WORKS:
        if name in NEED_EXAMPLES and arguments.examples is None:
            _note(notes, f"{name} is left out: it needs --examples")
            continue
        for work in _works(name, arguments):
            timings, peaks = _compare(work, arguments, pythons, about, notes)
            for result in results(name, work.settings, timings, peaks):
                found.append(result)
                print(row(result), flush=True)
            write(arguments.out, found, about, notes)  # what is stopped loses nothing
    for why in cuda_graphs.refused:
        _note(notes, f"a CUDA graph was not recorded: {why}")
    write(arguments.out, found, about, notes)
    draw(arguments.out, found)
    print(f"written to {arguments.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--examples", type=Path, help="folder of torchdiffeq's examples")
    names = ", ".join(WORKS)
    add("--only", nargs="+", choices=list(WORKS), metavar="NAME", help=f"of {names}")
    add("--quick", action="store_true", help="three turns and fewer settings")
    add("--turns", type=int, help="timed turns of each work (10; --quick: 3)")
    add("--threads", type=int, default=torch.get_num_threads())
    add("--cpu-time", action="store_true", help="seconds of the CPU, for a machine that is shared")
    ways = "of our solves; several: ours in each of these ways, beside the first"
    add("--compile", nargs="+", choices=list(WAYS), default=["off"], metavar="WAY", help=ways)
    add("--adjoint", nargs="+", choices=ADJOINT_MODES, default=["direct", "full"], help="ours")
    varied = f"what growth varies, of {', '.join(VARIED)} (default: all)"
    add(
        "--vary", nargs="+", choices=list(VARIED), default=list(VARIED), metavar="NAME", help=varied
    )
    peers = f"of {', '.join(PEERS)} (default: all; none: left out)"
    add("--peers", nargs="*", choices=PEERS, default=PEERS, metavar="PEER", help=peers)
    own = "the Python of a peer that has an environment of its own; may be given again"
    add("--python", action="append", default=[], metavar="PEER=PATH", help=own)
    add("--out", type=Path, help="folder (default: outputs/benchmarks/DATE_TIME)")
    add_device_option(parser)
    arguments = parser.parse_args()
    if arguments.cpu_time and arguments.device != "cpu":
        parser.error("--cpu-time says nothing of work on a GPU; leave it out")
    if "graphs" in arguments.compile and not arguments.device.startswith("cuda"):
        parser.error("--compile graphs are CUDA graphs; give --device cuda, or off or step")
    if len(set(arguments.compile)) < len(arguments.compile):
        parser.error("--compile: one of the ways is there twice")
    for pair in arguments.python:
        if pair.partition("=")[0] not in PEERS or not pair.partition("=")[2]:
            parser.error(f"--python: {pair} is not PEER=PATH with a peer of {', '.join(PEERS)}")
    if arguments.examples is not None and not (arguments.examples / "cnf.py").is_file():
        parser.error(
            f"--examples: {arguments.examples} has no cnf.py; give the folder examples/ of a"
            " clone of torchdiffeq"
        )
    if arguments.turns is None:
        arguments.turns = 3 if arguments.quick else 10
    if arguments.out is None:
        arguments.out = Path("outputs/benchmarks") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    return arguments


def _ours(arguments: argparse.Namespace) -> dict[str, Any]:
    """Further settings of our solves."""
    (way,) = arguments.compile
    return {} if way == "off" else {"compile": "step"}


def _works(name: str, arguments: argparse.Namespace) -> Iterator[Work]:
    """With a step of ours for each of the ways to compile."""
    ways: list[str] = arguments.compile
    each = (argparse.Namespace(**vars(arguments) | {"compile": [way]}) for way in ways)
    for works in zip(*map(WORKS[name], each), strict=True):
        steps = {}
        for way, work in zip(ways, works, strict=True):
            step = work.steps[OURS]
            steps[WAYS[way] if steps else OURS] = as_graphs(step) if way == "graphs" else step
        yield replace(works[0], steps=works[0].steps | steps)


def _hold_to(threads: int) -> None:
    """This process and those that it starts use so many threads, on so many cores."""
    torch.set_num_threads(threads)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def _compare(
    work: Work,
    arguments: argparse.Namespace,
    pythons: dict[str, str],
    about: dict[str, Any],
    notes: list[str],
) -> tuple[dict[str, Timing], dict[str, int]]:
    """All contestants in turns, and what memory of a GPU they took; who cannot is left out."""
    clock = "process_time" if arguments.cpu_time else "perf_counter"
    contestants = {name: timed(step, getattr(time, clock)) for name, step in work.steps.items()}
    peaks: dict[str, int] = {}
    if arguments.device.startswith("cuda"):
        contestants = {name: _with_peak(name, turn, peaks) for name, turn in contestants.items()}
    turns: int = arguments.turns

    def say(text: str, stays: bool) -> None:
        if stays:
            _note(notes, text)

    with ExitStack() as running:
        running.enter_context(told(say))
        folder = running.enter_context(described(work, WARM_UP + turns, arguments.device, clock))
        for name in arguments.peers:
            try:
                peer = Peer(name, folder, interpreter(name, pythons), arguments.threads)
                running.enter_context(closing(peer))
                first = peer.turn(0)  # it fails here where it fails at all
            except PeerError as error:
                if str(error):
                    _note(notes, f"{name} is left out of {work.name}: {error}")
                continue
            about[name] = peer.version
            contestants[name] = _after(first, peer)
        return take_turns(contestants, turns, WARM_UP), peaks


def _with_peak(name: str, turn: Turn, peaks: dict[str, int]) -> Turn:
    """The turn, with the memory that it took at once in ``peaks``."""

    def run(number: int) -> tuple[float, float]:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        found = turn(number)
        peaks[name] = torch.cuda.max_memory_allocated() - before
        return found

    return run


def _after(first: tuple[float, float], peer: Peer) -> Turn:
    """The turns of a peer that has had its first one."""
    return lambda number: peer.turn(number) if number else first


def _note(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)
        print(text, file=sys.stderr, flush=True)


def _cnf(arguments: argparse.Namespace) -> Iterator[Work]:
    for mode in arguments.adjoint:
        yield cnf_2d.training(arguments.examples / "cnf.py", mode, **_ours(arguments))


def _latent(arguments: argparse.Namespace) -> Iterator[Work]:
    for tolerances in latent_ode.TOLERANCES:
        for mode in arguments.adjoint:
            path = arguments.examples / "latent_ode.py"
            yield latent_ode.training(path, mode, tolerances, **_ours(arguments))


def _mnist(arguments: argparse.Namespace) -> Iterator[Work]:
    for mode in arguments.adjoint:
        yield mnist_odenet.training(
            arguments.examples / "odenet_mnist.py",
            mode,
            batch_size=32 if arguments.quick else 128,
            device=arguments.device,
            **_ours(arguments),
        )


def _dynamics(arguments: argparse.Namespace) -> Iterator[Work]:
    for tolerances in ode_demo.TOLERANCES:
        for mode in arguments.adjoint:
            path = arguments.examples / "ode_demo.py"
            yield ode_demo.training(path, mode, tolerances, arguments.device, **_ours(arguments))


def _solve(arguments: argparse.Namespace) -> Iterator[Work]:
    batches = (1, 4096) if arguments.quick else (1, 64, 4096, 65_536)
    dimensions = (2, 64) if arguments.quick else (2, 32, 512)
    for batch in batches:
        for dimension in dimensions:
            if arguments.device == "cpu" and batch * dimension**2 > _LARGEST:
                continue
            problem = Problem(batch, dimension)
            yield plain_solve.solving(problem, False, arguments.device, **_ours(arguments))


def _growth(arguments: argparse.Namespace) -> Iterator[Work]:
    """One setting at a time, with the gradient."""
    base = Problem()
    chosen = [base]
    for key in arguments.vary:
        given = VARIED[key][-1:] if arguments.quick else VARIED[key]
        chosen += [replace(base, **{key: value}) for value in given]
    for problem in chosen:
        yield plain_solve.solving(problem, True, arguments.device, **_ours(arguments))


def _van_der_pol(arguments: argparse.Namespace) -> Iterator[Work]:
    for largest in (5.0,) if arguments.quick else (5.0, 10.0):
        yield van_der_pol.solving(largest_mu=largest, device=arguments.device, **_ours(arguments))


# What growth varies.
VARIED: dict[str, tuple[Any, ...]] = {
    "batch": (1, 16, 1024, 4096, 65_536),
    "dimension": (2, 64, 256, 512),
    "tolerance": (1e-3, 1e-4, 1e-6),
    "T": (1.0, 2.0, 8.0),
}
WAYS = {"off": "ours, not compiled", "step": COMPILED, "graphs": CUDA_GRAPHS}
WORKS: dict[str, Callable[[argparse.Namespace], Iterator[Work]]] = {
    "cnf-2d": _cnf,
    "latent-spirals": _latent,
    "mnist-odenet": _mnist,
    "dynamics": _dynamics,
    "solve": _solve,
    "growth": _growth,
    "van-der-pol": _van_der_pol,
}
NEED_EXAMPLES = {"cnf-2d", "latent-spirals", "mnist-odenet", "dynamics"}

if __name__ == "__main__":
    main()
