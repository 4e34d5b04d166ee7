"""The whole config of a run, and what its groups ask of each other."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from node_cli.schema.adjoint import AdjointConfig
from node_cli.schema.agreement import disagreements
from node_cli.schema.base import AsTuple, Schema, Seed
from node_cli.schema.compile import CompileConfig
from node_cli.schema.data import DataSchema
from node_cli.schema.evaluation import EvaluationConfig
from node_cli.schema.model import ModelSchema
from node_cli.schema.optimizer import OptimizerConfig
from node_cli.schema.regularization import RegularizationConfig
from node_cli.schema.schedule import ScheduleConfig
from node_cli.schema.solver import BackendConfig, SolverConfig
from node_cli.schema.study import StudyConfig
from node_cli.schema.task import TaskConfig
from node_cli.schema.tolerance import ToleranceConfig
from node_cli.schema.trace import TraceConfig
from node_cli.schema.trainer import TrainerConfig

Objective = Literal["error", "nfe_forward", "nfe_backward", "saved_bytes", "seconds"]


class DebugConfig(Schema):
    """How a run is looked into.

    Attributes:
        traceback: of errors.
        anomaly: torch names the operation of a gradient that is not finite.
        profile: some training steps are recorded by torch's profiler.
    """

    traceback: bool
    anomaly: bool
    profile: bool = False


class RunConfig(Schema):
    """Everything that a run is told; ``model_dump(mode="json")`` gives it back as plain values.

    The task decides what ``model`` and ``data`` may be, in a schema of its own: see
    ``node_cli.tasks.validation``.

    Attributes:
        ode_model: the model to advise where one is needed that solves an ODE; None: the task has
            none.
    """

    ode_model: ClassVar[str | None]

    seed: Seed
    objectives: Annotated[
        tuple[Objective, ...],
        AsTuple,
        Field(min_length=1),
        "a list of error, nfe_forward, nfe_backward, saved_bytes, seconds",
    ]
    task: TaskConfig
    model: ModelSchema
    data: DataSchema
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    trainer: TrainerConfig
    solver: SolverConfig
    tolerance: ToleranceConfig
    adjoint: AdjointConfig
    backend: BackendConfig
    compile: CompileConfig = CompileConfig(mode="off")  # runs from before it have none
    debug: DebugConfig
    study: StudyConfig
    trace: TraceConfig
    regularization: RegularizationConfig
    evaluation: EvaluationConfig

    @property
    def checks_round_trip(self) -> bool:
        """Whether each evaluation sees that the model's flow is really solved."""
        return bool(self.evaluation.round_trip) and self.model.solves_an_ode

    @model_validator(mode="after")
    def _groups_agree(self) -> RunConfig:
        problems = list(disagreements(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self
