"""The whole config of a run, and what its groups ask of each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from node_cli.config.agreement import disagreements
from node_cli.config.data import DataConfig
from node_cli.config.evaluation import EvaluationConfig
from node_cli.config.explanation import explain
from node_cli.config.flow import RegularizationConfig, TraceConfig
from node_cli.config.model import ModelConfig
from node_cli.config.schema import AsTuple, Schema, Seed
from node_cli.config.solving import AdjointConfig, BackendConfig, SolverConfig, ToleranceConfig
from node_cli.config.study import StudyConfig
from node_cli.config.task import TaskConfig
from node_cli.config.training import OptimizerConfig, ScheduleConfig, TrainerConfig
from node_cli.errors import ConfigError, DisagreementError

Objective = Literal["error", "nfe_forward", "nfe_backward", "saved_bytes", "seconds"]


class DebugConfig(Schema):
    """``traceback`` of errors; ``anomaly``: torch names the operation of a non-finite gradient."""

    traceback: bool
    anomaly: bool


class RunConfig(Schema):
    """Everything that a run is told; ``model_dump(mode="json")`` gives it back as plain values."""

    seed: Seed
    objectives: Annotated[
        tuple[Objective, ...],
        AsTuple,
        Field(min_length=1),
        "a list of error, nfe_forward, nfe_backward, saved_bytes, seconds",
    ]
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
    trace: TraceConfig
    regularization: RegularizationConfig
    evaluation: EvaluationConfig

    @model_validator(mode="after")
    def _groups_agree(self) -> RunConfig:
        problems = list(disagreements(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self


def validate(config: Mapping[str, Any]) -> RunConfig:
    """The config as a ``RunConfig``.

    Args:
        config: plain values, as YAML has them.

    Raises:
        ConfigError: one sentence for each thing that is wrong.
        DisagreementError: the same, where only groups do not go together.
    """
    try:
        return RunConfig.model_validate(dict(config))
    except ValidationError as error:
        # The groups are held against each other once each of them is right.
        disagree = all(not problem["loc"] for problem in error.errors())
        kind = DisagreementError if disagree else ConfigError
        raise kind("\n".join(explain(RunConfig, error))) from error
