"""The whole config of a run, and what its groups ask of each other."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from node_cli.config.data import DataConfig
from node_cli.config.explanation import explain
from node_cli.config.model import ModelConfig, OdeNetConfig
from node_cli.config.schema import Schema
from node_cli.config.solving import (
    METHODS,
    AdjointConfig,
    BackendConfig,
    SolverConfig,
    ToleranceConfig,
)
from node_cli.config.spelling import did_you_mean
from node_cli.config.study import GradientFidelityConfig, MemoryScalingConfig, StudyConfig
from node_cli.config.training import OptimizerConfig, ScheduleConfig, TrainerConfig
from node_cli.errors import ConfigError

_TASKS = Path(__file__).parents[1] / "tasks"


class TaskConfig(Schema):
    """The task: a file of ``node_cli/tasks``, looked up without importing it."""

    name: str

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        files = (module.name for module in pkgutil.iter_modules([str(_TASKS)]))
        known = sorted(file.replace("_", "-") for file in files if file != "base")
        if name not in known:
            raise ValueError(
                f"task.name={name}: there is no such task{did_you_mean(name, known)}"
                f" Known: {', '.join(known)}."
            )
        return name


class DebugConfig(Schema):
    """``traceback`` of errors; ``anomaly``: torch names the operation of a non-finite gradient."""

    traceback: bool
    anomaly: bool


class RunConfig(Schema):
    """Everything that a run is told; ``model_dump(mode="json")`` gives it back as plain values."""

    seed: Annotated[int, Field(ge=0, lt=2**63), "an integer from 0 to 9223372036854775807"]
    task: TaskConfig
    model: ModelConfig
    data: DataConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    trainer: TrainerConfig
    solver: SolverConfig
    tolerance: ToleranceConfig
    adjoint: AdjointConfig
    backend: BackendConfig
    debug: DebugConfig
    study: StudyConfig

    @model_validator(mode="after")
    def _groups_agree(self) -> RunConfig:
        if isinstance(self.model, OdeNetConfig):
            problems = [
                *self._problems_of_the_solve(self.model),
                *self._problems_of_the_study(),
            ]
        else:
            problems = list(self._problems_without_a_solve())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_without_a_solve(self) -> Iterator[str]:
        if self.study.name != "none":
            yield (
                f"study={self.study.name} model={self.model.name}: this model solves no ODE; use"
                " model=odenet."
            )
        if self.adjoint.check_every is not None:
            yield (
                f"adjoint.check_every={self.adjoint.check_every} model={self.model.name}: this"
                " model solves no ODE; leave it out, or use model=odenet."
            )

    def _problems_of_the_study(self) -> Iterator[str]:
        study, solver = self.study, self.solver
        if isinstance(study, GradientFidelityConfig | MemoryScalingConfig):
            for mode in study.modes:
                if mode == "direct" and solver.kind == "scipy":
                    yield f"study={study.name} solver={solver.name}: SciPy has no direct gradients."
                if mode == "checkpointed" and not (
                    solver.is_runge_kutta and self.backend.name == "native"
                ):
                    yield (
                        f"study={study.name} solver={solver.name} backend={self.backend.name}:"
                        " checkpointed gradients need our own Runge-Kutta solvers; leave that mode"
                        " out of study.modes."
                    )
        if isinstance(study, MemoryScalingConfig) and solver.kind != "fixed":
            yield (
                f"study=memory-scaling solver={solver.name}: its steps are given; use a fixed-step"
                " solver such as solver=rk4."
            )
        if study.name in ("gradient-fidelity", "figure-3") and solver.kind == "fixed":
            yield (
                f"study={study.name} solver={solver.name}: it varies the tolerance; use an adaptive"
                " solver such as solver=dopri5."
            )

    def _problems_of_the_solve(self, model: OdeNetConfig) -> Iterator[str]:
        solver, adjoint = self.solver, self.adjoint
        if model.name == "rk-net":
            if not solver.is_runge_kutta:
                yield (
                    f"model=rk-net solver={solver.name}: RK-Net is backpropagated through a"
                    " Runge-Kutta solver; use one such as solver=dopri5 or solver=rk4, or"
                    " model=odenet."
                )
            if adjoint.mode != "direct":
                yield (
                    f"model=rk-net adjoint={adjoint.mode}: RK-Net is backpropagated directly;"
                    " use adjoint=direct, or model=odenet."
                )
        elif solver.kind == "scipy" and not adjoint.continuous:
            yield (
                f"solver={solver.name} adjoint={adjoint.mode}: SciPy runs outside of torch, so"
                " nothing can be backpropagated through it; use adjoint=full or adjoint=seminorm."
            )
        elif adjoint.mode == "checkpointed" and not solver.is_runge_kutta:
            yield (
                f"solver={solver.name} adjoint=checkpointed: only the steps of Runge-Kutta solvers"
                " can be replayed one by one; use one such as solver=dopri5, or adjoint=full."
            )
        if solver.num_steps is None and solver.step_size is not None and solver.step_size > model.T:
            yield (
                f"solver.step_size={solver.step_size:g}: must be at most model.T={model.T:g}, the"
                " length of the interval."
            )
        yield from self._problems_of_the_backward_solve()
        yield from self._problems_of_the_backend()

    def _problems_of_the_backward_solve(self) -> Iterator[str]:
        solver, adjoint, tolerance = self.solver, self.adjoint, self.tolerance
        behind = adjoint.solver or solver.name
        if METHODS[behind].kind == "fixed":
            if adjoint.step_size is None and solver.kind != "fixed":
                yield (
                    f"adjoint.solver={behind} needs a step: give adjoint.step_size (for example"
                    " 0.1)."
                )
        elif adjoint.step_size is not None:
            yield (
                f"adjoint.step_size={adjoint.step_size:g}: {behind} chooses its own steps. Leave"
                " adjoint.step_size out, or use a fixed-step solver such as adjoint.solver=rk4."
            )
        rtol = tolerance.rtol if adjoint.rtol is None else adjoint.rtol
        atol = tolerance.atol if adjoint.atol is None else adjoint.atol
        if rtol == 0 and atol == 0:
            yield (
                f"adjoint.rtol={rtol:g} adjoint.atol={atol:g}: no solver is without any error; at"
                " least one of them must be > 0."
            )

    def _problems_of_the_backend(self) -> Iterator[str]:
        if self.backend.name != "torchdiffeq":
            return
        solver, adjoint = self.solver, self.adjoint
        if "adams" in (solver.name, adjoint.solver):
            yield (
                "solver=adams backend=torchdiffeq: torchdiffeq has no adaptive Adams method; use"
                " backend=native."
            )
        if adjoint.mode == "checkpointed":
            yield (
                "adjoint=checkpointed backend=torchdiffeq: torchdiffeq has no such mode; use"
                " backend=native."
            )
        if solver.min_step is not None:
            yield (
                f"solver.min_step={solver.min_step:g} backend=torchdiffeq: torchdiffeq takes such a"
                " step whatever its error; use backend=native."
            )
        if solver.kind == "fixed" and solver.family == "multistep" and (solver.order or 0) < 4:
            yield (
                f"solver.order={solver.order} backend=torchdiffeq: must be at least 4 there; use"
                " backend=native."
            )


def validate(config: Mapping[str, Any]) -> RunConfig:
    """The config as a ``RunConfig``.

    Args:
        config: plain values, as YAML has them.

    Raises:
        ConfigError: one sentence for each thing that is wrong.
    """
    try:
        return RunConfig.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigError("\n".join(explain(RunConfig, error))) from error
