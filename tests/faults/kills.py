"""Runs that are killed at random moments, resumed, and compared with undisturbed ones.

    python tests/faults/kills.py --runs 50

starts as many runs of each task, and as many sweeps, as ``--runs`` says for all of them together.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.processes import ForkedProcesses, NewProcesses, until
from faults.whole_runs import differences

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
_RESUMES = 6  # of one run; each comes further unless something is wrong

_COMMON = ("trainer.threads=1", "trainer.log_every=2")
_IMAGES = (
    *("task=mnist-odenet", "model.channels=4", "data.batch_size=16", "solver=euler"),
    *("solver.step_size=0.5", "trainer.overfit_batches=4", "trainer.max_epochs=4", *_COMMON),
)
_TABLE = "".join(f"{(7 * n) % 19 / 10},{(11 * n) % 23 / 10}\n" for n in range(120))
# Each with a checkpoint in the midst of an epoch or at its end, with figures or without.
RUNS = {
    "mnist-odenet": (*_IMAGES, "trainer.checkpoint_every=2", "trainer.figures=false"),
    "cnf-2d": (
        *("task=cnf-2d", "data.batch_size=64", "data.batches=4", "data.validation=200"),
        *("data.test=200", "trainer.max_epochs=3", "trainer.checkpoint_every=4"),
        *("trainer.figures_every=2", *_COMMON),
    ),
    "cnf-tabular": (
        *("task=cnf-tabular", "data.path=../points.csv", "data.batch_size=16"),
        *("model.hidden=[16]", "trainer.max_epochs=4", "trainer.checkpoint_every=3"),
        *("trainer.figures=false", *_COMMON),
    ),
    "latent-spirals": (
        *("task=latent-spirals", "data.series=20", "data.validation=8", "data.test=8"),
        *("data.batch_size=5", "data.points=30", "trainer.max_epochs=3"),
        *("trainer.checkpoint_every=1", *_COMMON),
    ),
}
SWEEPS = {
    "sweep in turn": ("-m", "seed=0,1", *RUNS["mnist-odenet"]),
    "sweep by joblib": (
        *("-m", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
        *RUNS["mnist-odenet"],
    ),
}


@dataclass
class Outcome:
    """What became of a run that was killed.

    Attributes:
        name: of what was run.
        kills: the signals and the moments, in seconds after the start.
        resumes: how often it had to be resumed.
        faults: what is not as it should be.
    """

    name: str
    kills: list[str] = field(default_factory=list)
    resumes: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(self.kills)
        how = "; ".join(self.faults) or "wholly equal"
        return f"{self.name}: {kills}; resumed {self.resumes} times: {how}"


class Kills:
    """Kills runs in a folder, by a series of random numbers that can be had again.

    Args:
        folder: where the runs are made; each kind has a reference, made when it is needed.
        processes: how commands are started.
        seed: of the random numbers.
    """

    def __init__(self, folder, processes, seed: int) -> None:
        self._folder, self._processes = folder, processes
        self._random = random.Random(seed)
        self._seconds: dict[str, float] = {}  # that the references took
        self._number = 0
        folder.joinpath("points.csv").write_text("x,y\n" + _TABLE)

    def outcome(self, name: str) -> Outcome:
        """Start a run, kill it once or more often, resume it to its end and compare it."""
        words = {**RUNS, **SWEEPS}[name]
        reference = self.reference(name)
        self._number += 1
        place = self._folder / f"{self._number}"
        place.mkdir()
        outcome = Outcome(name)
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            self._kill(place, name, words, outcome)
        self._finish(place, words, outcome)
        outcome.faults += self._compared(place, reference)
        if not outcome.faults:
            shutil.rmtree(place)
        return outcome

    def reference(self, name: str) -> Path:
        """The folder of a kind's undisturbed run; it is made if need be."""
        words = {**RUNS, **SWEEPS}[name]
        place = self._folder / name.replace(" ", "-")
        if name not in self._seconds:
            place.mkdir()
            started = time.monotonic()
            code = self._start(place, self._command(place, words)).wait()
            self._seconds[name] = time.monotonic() - started
            assert code == 0, (place / "log").read_text()
        return place

    def _command(self, place, words):
        """The command that begins the run, or goes on with it."""
        kind = "sweep" if words[0] == "-m" else "run"
        begun = place / kind / ("sweep.json" if kind == "sweep" else ".hydra/overrides.yaml")
        if begun.exists():
            return [f"trainer.resume={kind}"]
        return [*words, f"hydra.{kind}.dir={kind}"]

    def _start(self, place, command):
        with (place / "log").open("a") as log:
            return self._processes.start(command, place, log)

    def _kill(self, place, name, words, outcome):
        process = self._start(place, self._command(place, words))
        moment = self._random.uniform(0.0, 1.0) * self._seconds[name]
        number = self._random.choice(_SIGNALS)
        # Of a sweep the process alone may be killed, whose workers then are orphans.
        group = words[0] == "-m" and self._random.random() < 0.5
        time.sleep(moment)
        process.kill(number, group)
        code = process.wait()
        where = " of the group" if group else ""
        outcome.kills.append(f"{number.name}{where} after {moment:.2f} s (exit code {code})")
        if code not in (0, -number, 128 + number):
            outcome.faults.append(f"exit code {code} after {number.name}")

    def _finish(self, place, words, outcome):
        for _ in range(_RESUMES):
            process = self._start(place, self._command(place, words))
            code = process.wait()
            outcome.resumes += 1
            if not until(lambda process=process: not process.left()):
                outcome.faults.append("processes are left")
            if code == 0:
                break
        else:
            outcome.faults.append("it does not come to its end")
        if _traceback(place / "log"):
            outcome.faults.append("a traceback was printed")

    def _compared(self, place, reference):
        if (place / "run").exists():
            return differences(place / "run", reference / "run")
        found = []
        cells = sorted(path.parent.name for path in (reference / "sweep").glob("*/summary.json"))
        for cell in cells:
            faults = differences(place / "sweep" / cell, reference / "sweep" / cell)
            found += [f"cell {cell}: {fault}" for fault in faults]
        there = {path.name for path in (place / "sweep").iterdir()}
        more = there - {path.name for path in (reference / "sweep").iterdir()}
        return [*found, *(f"{name} is left" for name in sorted(more))]


def _traceback(log):
    """Whether a traceback was printed, but for joblib's: its resource tracker ends by a SIGHUP."""
    told = [part.splitlines()[1] for part in log.read_text().split("Traceback")[1:]]
    return any("loky/backend/resource_tracker.py" not in line for line in told)


def main() -> None:
    """The command line: see the text of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50, help="how many runs to kill")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and signals")
    parser.add_argument("--only", choices=[*RUNS, *SWEEPS], help="one kind of run")
    parser.add_argument("--fork", action="store_true", help="fork runs instead of starting them")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the faulty runs there")
    options = parser.parse_args()
    names = [options.only] if options.only else [*RUNS, *SWEEPS]
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    with ForkedProcesses() if options.fork else NewProcesses() as processes:
        kills = Kills(folder, processes, options.seed)
        for number in range(options.runs):
            outcome = kills.outcome(names[number % len(names)])
            print(f"{number + 1:3} {outcome}", flush=True)
            counts[f"{outcome.name}, killed"] += 1
            counts[f"{outcome.name}, wholly equal"] += not outcome.faults
    for name in names:
        print(f"{name:16} {counts[f'{name}, wholly equal']:3} of {counts[f'{name}, killed']} equal")
    equal = sum(count for name, count in counts.items() if name.endswith("equal"))
    print(f"{equal} of {options.runs} wholly equal")
    if options.keep is None:
        shutil.rmtree(folder)
    sys.exit(equal < options.runs)


if __name__ == "__main__":
    main()
