"""What is measured on the trained model at the end of a run: one file a study."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from node_cli.schema.study import (
    Figure3Config,
    GradientFidelityConfig,
    MemoryScalingConfig,
    StudyConfig,
)
from node_cli.studies.subject import Findings, Subject


def study_of(config: StudyConfig) -> Callable[[Subject], Findings] | None:
    """The study that a config asks for, or None."""
    if isinstance(config, GradientFidelityConfig):
        from node_cli.studies.gradient_fidelity import gradient_fidelity

        return partial(gradient_fidelity, config=config)
    if isinstance(config, MemoryScalingConfig):
        from node_cli.studies.memory_scaling import memory_scaling

        return partial(memory_scaling, config=config)
    if isinstance(config, Figure3Config):
        from node_cli.studies.figure_3 import figure_3

        return partial(figure_3, config=config)
    return None
