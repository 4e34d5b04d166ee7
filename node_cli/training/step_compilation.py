"""The compilation of steps in a training run: whether, what it takes and how it is told."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import torch
from torch import nn

from node_cli.errors import RunError
from node_cli.models.ode_solve import solve_as
from node_cli.run_folder.writing import write_text
from node_cli.schema.run import RunConfig
from node_cli.solving import compilation
from node_cli.training.limits import Limits
from node_cli.training.progress import RunProgress
from node_cli.training.terminal import Terminal

# Steps after which ``auto`` decides, and looks back; the first ones are slower and do not count.
MEASURED, WARM_UP = 10, 3
# What a compilation takes where nothing is known of it, in seconds.
UNKNOWN = 180.0
# The share of a step that is saved at least, and by what factor a gain has to repay its price.
_SAVED, _MARGIN = 0.4, 2.0


class StepCompilation:
    """Compiles as the ``compile`` group says.

    Args:
        config: the whole run.
        model: whose solves are compiled.
        terminal: is told.

    Attributes:
        seconds: that were spent on compiling in the last step.
    """

    def __init__(self, config: RunConfig, model: nn.Module, terminal: Terminal) -> None:
        self._auto = config.compile.mode == "auto"
        self._model, self._terminal = model, terminal
        self._known = _KnownTime(config)
        self._measured: list[float] = []
        self._plain: float | None = None  # seconds of a step that is not compiled
        self._minutes = config.trainer.max_minutes
        self.seconds = 0.0

    @contextmanager
    def around_a_step(self, progress: RunProgress, limits: Limits) -> Iterator[None]:
        """Put around each training step."""
        if self._auto:
            self._decide(progress, limits)
        before, count = compilation.done.seconds, compilation.done.count
        with compilation.told(self._tell):
            yield
        self.seconds = compilation.done.seconds - before
        if self.seconds:
            graphs = compilation.done.count - count
            noun = "graph" if graphs == 1 else "graphs"
            self._terminal.line(f"{graphs} {noun} compiled in {self.seconds:.1f} s")
            self._known.add(self.seconds)

    def measured(self, seconds: float) -> None:
        """Tell what the last step took, without its compilation."""
        if self._auto and len(self._measured) < MEASURED:
            self._measured.append(seconds)

    def _decide(self, progress: RunProgress, limits: Limits) -> None:
        """Compile where it pays, and no longer where it turns out that steps are not faster so.

        A step that is resumed compiled has nothing to be measured against.
        """
        enough = len(self._measured) == MEASURED
        if progress.compiled is None and enough:
            self._plain = statistics.median(self._measured[WARM_UP:])
            progress.compiled = self._pays(self._plain, progress, limits)
            self._measured.clear()
            self._auto = progress.compiled
            self._solve(compiled=progress.compiled)
        elif progress.compiled is False:
            self._auto = False
        elif progress.compiled and self._plain is None:
            self._auto = False
            self._solve(compiled=True)
        elif progress.compiled and self._plain is not None and enough:
            self._auto = False
            each = statistics.median(self._measured[WARM_UP:])
            if each >= self._plain:
                progress.compiled = False
                self._solve(compiled=False)
                self._terminal.line(
                    f"compile=auto: {each:.2g} s a step compiled, {self._plain:.2g} s as it is:"
                    " no longer compiled"
                )

    def _solve(self, compiled: bool) -> None:
        solve_as(self._model, lambda spec: replace(spec, compile="step" if compiled else "off"))

    def _pays(self, each: float, progress: RunProgress, limits: Limits) -> bool:
        """Whether what is left of the run is long enough, at ``each`` seconds a step."""
        left = None if limits.total_steps is None else each * (limits.total_steps - progress.step)
        if self._minutes is not None:
            in_time = 60 * self._minutes - progress.seconds
            left = in_time if left is None else min(left, in_time)
        price = self._known.seconds
        pays = left is not None and _SAVED * left > _MARGIN * price
        self._terminal.line(
            f"compile=auto: {each:.2g} s a step, at most {left or 0:.0f} s left,"
            f" {price:.0f} s for a compilation: {'compiled' if pays else 'not compiled'}"
        )
        return pays

    def _tell(self, text: str, stays: bool) -> None:
        if stays:
            self._terminal.line(text, style="yellow")
        else:
            self._terminal.announce(text)


class _KnownTime:
    """What the compilation of a run like this took the last time, in the user's cache.

    From the second time on torch finds most of it in its own cache.
    """

    def __init__(self, config: RunConfig) -> None:
        deciding = {
            "torch": torch.__version__,
            "model": config.model.model_dump(mode="json"),
            "batch": config.data.batch_size,
            "solver": config.solver.name,
            "adjoint": config.adjoint.model_dump(mode="json"),
            "trace": config.trace.model_dump(mode="json"),
            "precision": config.trainer.precision,
            "device": config.trainer.device,
        }
        text = json.dumps(deciding, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._path = compilation.cache_folder() / "seconds" / name
        self._added = 0.0

    @property
    def seconds(self) -> float:
        """As it was the last time."""
        with suppress(OSError, ValueError):
            return float(self._path.read_text())
        return UNKNOWN

    def add(self, seconds: float) -> None:
        """Note that compiling took so long; what this run adds to is summed up."""
        self._added += seconds
        with suppress(OSError, RunError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, f"{self._added:.2f}\n")
