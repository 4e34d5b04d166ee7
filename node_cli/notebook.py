"""What a notebook or a script uses: the same runs, checks and messages as the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from node_cli.errors import CheckpointError, ConfigError
from node_cli.run_folder.own_files import OwnFiles, absolute, real_path

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from node_cli.schema.adjoint import AdjointMode
    from node_cli.schema.run import RunConfig
    from node_cli.schema.solver import Backend
    from node_cli.solving import EventSolution, Solution
    from node_cli.solving.counted_field import VectorField
    from node_cli.solving.event_function import EventCallable
    from node_cli.solving.events import Jump
    from node_cli.solving.state import State
    from node_cli.tasks.prediction import Times
    from node_cli.training.trained import TrainedRun


def train(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
) -> Run:
    """Train a run, as ``node-train`` does with the same words.

    Args:
        overrides: such as ``["task=cnf-2d", "trainer.max_epochs=2"]``; with
            ``trainer.resume=FOLDER`` a run goes on.
        config_dir: your own config folder, as ``--config-dir`` has it.
        plugins: Python files of your own with tasks, models or data, as ``--plugin`` has them.

    Returns:
        The run.

    Raises:
        ConfigError: a setting is not possible, or the words ask for a sweep or for something shown.
        RunError: the run failed; its folder says how far it came.
        Interrupted: it was interrupted, and left a checkpoint. It is a ``KeyboardInterrupt``, and
            its message says how to go on.
    """
    from node_cli.cli import read_command
    from node_cli.plugins.in_use import plugins_put_back
    from node_cli.single_run import run_single

    if isinstance(overrides, str):
        raise ConfigError(f"{overrides!r}: give a list of settings, such as ['task=cnf-2d'].")
    files = _paths(plugins)
    flags = OwnFiles(None if config_dir is None else Path(config_dir), files).flags
    with plugins_put_back():
        read, conf, catalogue = read_command([*flags, *overrides])
        if read.multirun or read.only_informs or read.help or read.version:
            raise ConfigError(
                f"{' '.join(overrides)}: node_cli.train makes one run. Sweeps and what only shows"
                " something are for node-train on a command line."
            )
        return Run(run_single(read, conf, catalogue), files)


def load(folder: str | Path, plugins: Sequence[str | Path] = ()) -> Run:
    """A run that is there, finished or not.

    Args:
        folder: of the run.
        plugins: the files with which it was trained, where it was with some.

    Raises:
        ConfigError: it is no run folder.
    """
    from node_cli.report.record import is_run_folder

    path = absolute(Path(folder))
    if not path.is_dir() or not is_run_folder(path):
        raise ConfigError(
            f"{path}: this is not the folder of a run; give one, such as outputs/TASK/DATE_TIME."
        )
    return Run(path, _paths(plugins))


def _paths(plugins: Sequence[str | Path]) -> tuple[Path, ...]:
    if isinstance(plugins, str | Path):
        raise ConfigError(f"plugins={plugins}: give a list of files, such as ['pendulum.py'].")
    for path in plugins:
        if not isinstance(path, str | Path):
            raise ConfigError(
                f"plugins={list(plugins)}: give a list of files, such as ['pendulum.py']."
            )
    return tuple(real_path(Path(path)) for path in plugins)


@dataclass(frozen=True)
class Run:
    """A run, read from its folder when it is asked.

    Attributes:
        folder: of the run.
        plugins: the files of your own that it is used with.
    """

    folder: Path
    plugins: tuple[Path, ...] = ()

    @cached_property
    def summary(self) -> dict[str, Any]:
        """How the run ended, as ``summary.json`` has it.

        Raises:
            CheckpointError: it has none that can be read: it goes on, or was killed.
        """
        from node_cli.run_folder.recorded_file import recorded_summary

        summary = recorded_summary(self.folder)
        if not summary:
            raise CheckpointError(
                f"{self.folder}: there is no summary.json that can be read; the run is still going"
                " on, or it was killed."
            )
        return summary

    @cached_property
    def config(self) -> RunConfig:
        """All settings of the run.

        Raises:
            CheckpointError: it has no checkpoint, or one of other settings.
            ConfigError: a plugin that it was made with is missing, or has changed.
        """
        from node_cli.training.checkpoint import checkpoint_paths, config_of, read_checkpoint

        last, _ = checkpoint_paths(self.folder)
        with self._own_code():
            return config_of(last, read_checkpoint(last, option="load"))

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The scalars that were logged: a row for each logged step, a column for each tag.

        ``step`` and ``epoch`` are columns too. A tag that a step did not log is NaN.

        Raises:
            OSError: nothing was logged.
        """
        import pandas as pd

        text = (self.folder / "metrics.jsonl").read_text(encoding="utf-8")
        return pd.DataFrame.from_records([json.loads(line) for line in text.splitlines()])

    @cached_property
    def model(self) -> nn.Module:
        """The model with the weights of the best epoch, on the CPU, in evaluation mode.

        It is solved as the run's evaluation was. What it takes and returns is that of its class.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
            ConfigError: a plugin that it was made with is missing, or has changed.
            DataError: the run's data, which say how large the model is, are not there any more.
        """
        from node_cli.models.ode_solve import solve_as

        with self._own_code():
            run = self._trained("best", "cpu")
        solve_as(run.model, lambda spec: spec.evaluated_as(run.config))
        return run.model.eval()

    def predict(
        self,
        path: str | Path | None = None,
        *,
        times: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
        horizon: float | None = None,
        samples: int | None = None,
        seed: int = 0,
        band: float = 0.9,
        checkpoint: Literal["best", "last"] = "best",
        batch_size: int | None = None,
        device: str = "auto",
    ) -> pd.DataFrame:
        """Predict, as ``node-predict`` does; docs/predicting.md says what of each task.

        Args:
            path: of the file or folder to predict from, where the task needs one.
            times: to predict at, in order: the same for all series, or by the id of each.
            horizon: how far beyond each series times are chosen where none are given.
            samples: how many to draw; None: as the run's evaluation.
            seed: of what is drawn.
            band: the share of the samples that lies between the bounds.
            checkpoint: of the best epoch, or the last one.
            batch_size: examples at a time; None: as the run's evaluation.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Returns:
            A row for each prediction, with the columns of the CSV file.

        Raises:
            CheckpointError: there is no checkpoint, or it does not fit.
            ConfigError: a plugin is missing or has changed; the task does not predict, or not so.
            DataError: the file cannot be used.
        """
        from node_cli.data.times_file import increasing
        from node_cli.tasks.prediction import Question
        from node_cli.training.predicting import answer

        def checked(given: Sequence[float]) -> NDArray[np.float64]:
            return increasing(given, "times")

        if isinstance(times, Mapping):
            asked: Times | None = {str(name): checked(given) for name, given in times.items()}
        else:
            asked = None if times is None else checked(times)
        file = None if path is None else absolute(Path(path))
        with self._own_code():
            question = Question(file, asked, horizon, samples, seed, band)
            table = answer(self._trained(checkpoint, device), question, batch_size)
        return table.frame()

    def _trained(self, which: Literal["best", "last"], device: str) -> TrainedRun:
        from node_cli.training.trained import trained_run

        return trained_run(self.folder, which, device, option="load")

    @contextmanager
    def _own_code(self) -> Iterator[None]:
        from node_cli.plugins.in_use import check_recorded, using_plugins

        with using_plugins(self.plugins):
            check_recorded(self.folder, "load", lambda path: f"plugins=[{path!r}]")
            yield

    @property
    def figures(self) -> dict[str, Picture]:
        """The newest figures and animations by name; a notebook shows one that ends a cell."""
        kinds = (".png", ".gif")
        paths = sorted(path for path in (self.folder / "figures").glob("*") if path.suffix in kinds)
        return {path.stem: Picture(path) for path in paths}


@dataclass(frozen=True)
class Picture:
    """A figure of a run, which a notebook shows.

    Attributes:
        path: of the PNG or GIF file.
    """

    path: Path

    def _repr_mimebundle_(self, **_: object) -> dict[str, bytes]:
        return {f"image/{self.path.suffix[1:]}": self.path.read_bytes()}


@overload
def solve(
    field: VectorField,
    y0: State,
    t: Tensor | Sequence[float],
    *,
    event: None = None,
    jump: None = None,
    max_events: int = 1000,
    method: str = "dopri5",
    rtol: float = 1e-3,
    atol: float = 1e-4,
    adjoint: AdjointMode = "direct",
    step_size: float | None = None,
    num_steps: int | None = None,
    max_steps: int | None = None,
    parameters: Iterable[Tensor] | None = None,
    backend: Backend = "native",
) -> Solution: ...


@overload
def solve(
    field: VectorField,
    y0: State,
    t: Tensor | Sequence[float],
    *,
    event: EventCallable,
    jump: Jump | None = None,
    max_events: int = 1000,
    method: str = "dopri5",
    rtol: float = 1e-3,
    atol: float = 1e-4,
    adjoint: AdjointMode = "direct",
    step_size: float | None = None,
    num_steps: int | None = None,
    max_steps: int | None = None,
    parameters: Iterable[Tensor] | None = None,
    backend: Backend = "native",
) -> EventSolution: ...


def solve(
    field: VectorField,
    y0: State,
    t: Tensor | Sequence[float],
    *,
    event: EventCallable | None = None,
    jump: Jump | None = None,
    max_events: int = 1000,
    method: str = "dopri5",
    rtol: float = 1e-3,
    atol: float = 1e-4,
    adjoint: AdjointMode = "direct",
    step_size: float | None = None,
    num_steps: int | None = None,
    max_steps: int | None = None,
    parameters: Iterable[Tensor] | None = None,
    backend: Backend = "native",
) -> Solution | EventSolution:
    r"""Solve :math:`dy/dt = f(t, y),\ y(t_0) = y_0` at the times ``t``.

    Args:
        field: ``f(t, y)``, with ``t`` a scalar tensor; returns the shape of ``y``. For ``leapfrog``
            and ``yoshida4`` it has methods ``velocity(t, p)`` and ``force(t, q)`` too, which give
            ``dq/dt`` and ``dp/dt`` of a separable Hamiltonian system with states ``[..., 2n]``.
        y0: the state at ``t[0]``: a tensor or a tuple of tensors.
        t: output times in order; the first is the initial time.
        event: ``g(t, y)``, a number or a vector with one for each event; the solve ends at the
            first change of its sign after ``t[0]``.
        jump: ``h(t, y)``, the state from which it goes on after an event; None: it ends there.
        max_events: more of them are an error.
        method: a solver that ``node-train --help`` lists, such as ``dopri5`` or ``rk4``.
        rtol: relative error allowed in one step of an adaptive solver.
        atol: absolute error allowed in one step, in the units of the state.
        adjoint: ``direct``, ``full``, ``seminorm`` or ``checkpointed``.
        step_size: of a fixed-step solver, in units of ``t``.
        num_steps: of a fixed-step solver: the longest step is the interval divided by it.
        max_steps: attempts that an adaptive solver may make.
        parameters: tensors that get gradients in every mode but ``direct``; by default those of
            ``field`` where it is a module.
        backend: ``native``, or ``torchdiffeq`` for its solvers.

    Returns:
        ``values`` of shape ``[len(t), *y0.shape]``, and ``stats``: evaluations and steps, forward
        and backward apart. With an event also ``event``, with its ``time``, ``state`` and
        ``which``, and ``events``, all of them; the values are those at output times before the
        event, or with a jump all.

    Raises:
        SolverError: the solve cannot be finished, fixed steps have no length, or the field is not
            what the solver needs; ``event`` is asked for and none came.
        ValueError: a name is unknown, the times are not in order, the mode does not go with the
            solver, or a jump has no event.
    """
    import torch

    from node_cli.solving import SolveSpec, solve_with_events
    from node_cli.solving import solve as solved

    listed = t if isinstance(t, list | tuple) else ()
    if any(isinstance(time, torch.Tensor) and time.requires_grad for time in listed):
        raise ValueError(
            "the times get no gradient; scale the time inside of the field instead, or to go on"
            " from an event, give a jump"
        )
    parts = [y0] if isinstance(y0, torch.Tensor) else y0
    if not (
        isinstance(parts, list | tuple)
        and parts
        and all(isinstance(part, torch.Tensor) and part.is_floating_point() for part in parts)
    ):
        raise ValueError(
            "the state y0 must be a tensor of floating-point numbers, or a tuple of such tensors"
        )
    first: Tensor = parts[0]
    times = torch.as_tensor(t, dtype=first.dtype, device=first.device)
    spec = SolveSpec(
        method=method,
        rtol=rtol,
        atol=atol,
        adjoint=adjoint,
        step_size=step_size,
        num_steps=num_steps,
        max_steps=max_steps,
        backend=backend,
    )
    if event is not None:
        return solve_with_events(
            field, y0, times, spec, event, jump, parameters, max_events=max_events
        )
    if jump is not None:
        raise ValueError("a jump comes at an event: give event=g, too")
    return solved(field, y0, times, spec, parameters)
