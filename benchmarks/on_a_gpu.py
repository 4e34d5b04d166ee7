"""All that is checked and measured on a GPU, in one command of less than five minutes.

Usage:
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/on_a_gpu.py --examples torchdiffeq/examples --out FOLDER

- the tests that need a GPU, and at the same time whatever is compiled later, so that it is found;
- a step of training of cnf-2d, mnist-odenet and latent-spirals by ``run.py``: ours, ours compiled
  and as CUDA graphs, torchdiffeq's example and diffrax, direct and by the adjoint, in turns;
- the peak memory of such a step in each adjoint mode;
- whether the losses of all agree.

Each part has a limit of its own. One that fails, or has to be stopped, is told with its last lines,
and the others go on; then the exit code is 1. ``results.json`` and ``results.md`` have everything.
``--device cpu`` tries the script out: tests of CUDA are skipped, and no memory is told.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from results import HEAD, Result, row
from run import WORKS

from node_cli.schema.adjoint import ADJOINT_MODES

HERE = Path(__file__).parent
# Seconds of each part, beside what those before have left; the preparations run with the tests.
TESTS, MEMORY = 75.0, 50.0
# Those of the steps of each work, and their turns.
STEPS = {"cnf-2d": (45.0, 10), "mnist-odenet": (35.0, 10), "latent-spirals": (80.0, 3)}
OTHER = (45.0, 3)
MINUTES = (TESTS + MEMORY + sum(limit for limit, _ in STEPS.values())) / 60
WAITS = 5.0  # for a part to end by itself
AGREES = 0.01  # losses, relative
PACKAGES = ("torchdiffeq", "diffrax", "jax", "jaxlib", "triton", "numpy")


@dataclass
class Part:
    """One command.

    Attributes:
        name: of its folder and its log.
        command: what is run.
        limit: seconds that it may take.
        outcome: ``passed``, ``failed``, ``stopped`` at its limit, or ``left out``.
        seconds: that it took.
        said: its last lines, or what is wrong.
    """

    name: str
    command: list[str]
    limit: float
    outcome: str = "left out"
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)

    def ends(self, outcome: str, *said: str) -> None:
        self.outcome, self.said = outcome, [*self.said, *said]


class Running:
    """A part whose process runs, with what it prints in a file.

    Args:
        part: it.
        folder: of the files.
        environment: of the process.
    """

    def __init__(self, part: Part, folder: Path, environment: Mapping[str, str]) -> None:
        self._part, self._log = part, folder / f"{part.name}.log"
        self._started = time.monotonic()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=HERE.parent,
                env=dict(environment),
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it has ended, or is stopped at its limit."""
        left = self._part.limit - (time.monotonic() - self._started)
        try:
            code: int | None = self._process.wait(max(left, 0.0))
        except subprocess.TimeoutExpired:
            code = None
        self.stop()
        self._part.seconds = time.monotonic() - self._started
        printed = self._log.read_text(errors="replace").splitlines()
        lines = [line for line in printed if line.strip()]
        if code == 0:
            self._part.ends("passed", *lines[-1:])
        elif code is None:
            self._part.ends("stopped", *lines[-5:], f"its limit is {self._part.limit:.3g} s")
        else:
            self._part.ends("failed", *lines[-15:], f"exit code {code}")

    def stop(self) -> None:
        """First as by Ctrl-C, then with all that it has started."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(WAITS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def main() -> int:
    arguments = _arguments()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # parts too, also in the background
    machine = _machine(arguments.device)
    print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    on_gpu = arguments.device != "cpu"
    share = arguments.minutes / MINUTES
    names: list[str] = arguments.only
    pytest = [sys.executable, "-m", "pytest", "-m", "cuda", "-q", "-p", "no:cacheprovider"]
    tests = Part("tests", [*pytest, *arguments.tests], TESTS * share)
    steps = [_steps(arguments, name, share) for name in names]
    memory = _memory(arguments, MEMORY * share)
    parts = [tests, *steps, memory]
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
            "JAX_COMPILATION_CACHE_DIR": compiled,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        prepared = [_prepared(part, out) for part in steps] if on_gpu else []
        for one in prepared:  # what fails in it is told where it is measured
            one.limit = tests.limit
        _run_together([*prepared, tests], out, environment)
        left = tests.limit - max(one.seconds for one in [*prepared, tests])
        for part in [*steps, memory] if on_gpu else steps:
            part.limit += max(left, 0.0)
            _run_together([part], out, environment)
            left = part.limit - part.seconds
    if not on_gpu:
        memory.ends("left out", "only torch on a GPU tells the peak memory of a step")
    found, notes = _gathered([*steps, memory], out)
    parts.append(_losses(found))
    _write(out, machine, parts, found, notes)
    bad = [part.name for part in parts if part.outcome in ("failed", "stopped")]
    print(f"written to {out}; " + (f"not passed: {', '.join(bad)}" if bad else "all passed"))
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--examples", type=Path, help="folder of torchdiffeq's examples")
    add("--out", type=Path, help="folder (default: outputs/benchmarks/gpu_DATE_TIME)")
    add("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try the script out")
    add("--only", nargs="+", choices=list(WORKS), default=list(STEPS), metavar="WORK")
    add("--tests", nargs="+", default=["tests/cuda"], metavar="PATH", help="of those for a GPU")
    add("--turns", type=int, help="timed turns of each work (default: 10, of long ones 3)")
    add("--compile", nargs="+", default=None, help="as of run.py (default: all; cpu: off step)")
    add("--peers", nargs="*", default=["diffrax"], help="as of run.py (default: diffrax)")
    add("--minutes", type=float, default=MINUTES, help=f"by which limits go (default: {MINUTES:g})")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU that torch can use; --device cpu tries the script out")
    if arguments.compile is None:
        arguments.compile = ["off", "step"] + (["graphs"] if arguments.device == "cuda" else [])
    if arguments.out is None:
        arguments.out = Path("outputs/benchmarks") / f"gpu_{datetime.now():%Y-%m-%d_%H-%M-%S}"
    arguments.out = arguments.out.absolute()
    if arguments.out.is_dir() and any(arguments.out.iterdir()):
        parser.error(f"--out: {arguments.out} has files in it; give a new folder")
    return arguments


def _machine(device: str) -> dict[str, str]:
    """What computes, and by which versions."""
    found = {"device": "cpu" if device == "cpu" else torch.cuda.get_device_name()}
    found |= {"torch": torch.__version__, "CUDA": str(torch.version.cuda)}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def _measuring(arguments: argparse.Namespace, *further: str) -> list[str]:
    command = [sys.executable, str(HERE / "run.py"), "--device", arguments.device, *further]
    if arguments.device == "cpu":
        command.append("--quick")
    if arguments.examples is not None:
        command += ["--examples", str(arguments.examples.absolute())]
    return command


def _steps(arguments: argparse.Namespace, name: str, share: float) -> Part:
    """A work by all contestants."""
    limit, turns = STEPS.get(name, OTHER)
    turns = arguments.turns or turns
    given = ["--only", name, "--turns", str(turns), "--compile", *arguments.compile]
    command = _measuring(arguments, *given, "--peers", *arguments.peers)
    return Part(name, [*command, "--out", str(arguments.out / name)], limit * share)


def _memory(arguments: argparse.Namespace, limit: float) -> Part:
    """All works in each adjoint mode, as they are."""
    given = ["--only", *arguments.only, "--turns", "1", "--adjoint", *ADJOINT_MODES, "--peers"]
    command = _measuring(arguments, *given)
    return Part("memory", [*command, "--out", str(arguments.out / "memory")], limit)


def _prepared(part: Part, out: Path) -> Part:
    """The same with one turn, which leaves what it has compiled."""
    command = part.command.copy()
    command[command.index("--turns") + 1] = "1"
    name = f"{part.name}-prepared"
    return Part(name, [*command[:-1], str(out / name)], part.limit)


def _run_together(parts: Sequence[Part], out: Path, environment: Mapping[str, str]) -> None:
    running = []
    try:
        running = [Running(part, out, environment) for part in parts]
        for one in running:
            one.wait()
    finally:
        for one in running:
            one.stop()
    for part in parts:
        print(f"{part.name}: {part.outcome} in {part.seconds:.0f} s", *part.said, sep="\n  ")
        sys.stdout.flush()


def _gathered(parts: Sequence[Part], out: Path) -> tuple[dict[str, list[Result]], list[str]]:
    """The results of each part, and its notes; a part without any has failed."""
    found: dict[str, list[Result]] = {}
    notes: list[str] = []
    for part in parts:
        path = out / part.name / "results.json"
        written: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        found[part.name] = [Result(**one) for one in written.get("results", [])]
        notes += [f"{part.name}: {note}" for note in written.get("notes", [])]
        if part.outcome == "passed" and not found[part.name]:
            part.ends("failed", *written.get("notes", []), "nothing was measured")
    return found, notes


def _losses(found: Mapping[str, Sequence[Result]]) -> Part:
    """Whether all contestants found the same."""
    part = Part("losses", [], 0.0)
    every = [one for results in found.values() for one in results]
    far = [one for one in every if not one.difference <= AGREES]
    if not every:
        part.ends("left out", "nothing was measured")
    for one in far:
        told = f"{one.work} {one.setting}, {one.contestant}: {one.difference:.1e} from ours"
        part.ends("failed", told)
    if every and not far:
        largest = max(one.difference for one in every)
        part.ends("passed", f"{len(every)} of them, at most {largest:.1e} from ours (relative)")
    return part


def _write(
    out: Path,
    machine: Mapping[str, str],
    parts: Sequence[Part],
    found: Mapping[str, Sequence[Result]],
    notes: Sequence[str],
) -> None:
    listed = {name: [asdict(one) for one in results] for name, results in found.items()}
    content = {"machine": machine, "parts": [asdict(part) for part in parts]}
    content |= {"results": listed, "notes": notes}
    (out / "results.json").write_text(json.dumps(content, indent=1) + "\n")
    lines = [", ".join(f"{name} {value}" for name, value in machine.items()), ""]
    lines += ["| part | outcome | seconds | said |", "|---|---|---|---|"]
    for part in parts:
        said = " / ".join(line.replace("|", "\\|") for line in part.said)
        lines.append(f"| {part.name} | {part.outcome} | {part.seconds:.0f} | {said} |")
    for name, results in found.items():
        if results:
            lines += ["", f"## {name}", "", HEAD, *map(row, results)]
    lines += ["", *(f"- {note}" for note in notes)]
    (out / "results.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
