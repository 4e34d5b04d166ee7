"""What is measured on the trained model at the end of a run: one file a study."""

from __future__ import annotations

from collections.abc import Callable

from node_cli.config.study import (
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

        chosen = config
        return lambda subject: gradient_fidelity(subject, chosen)
    if isinstance(config, MemoryScalingConfig):
        from node_cli.studies.memory_scaling import memory_scaling

        scaling = config
        return lambda subject: memory_scaling(subject, scaling)
    if isinstance(config, Figure3Config):
        from node_cli.studies.figure_3 import figure_3

        figure = config
        return lambda subject: figure_3(subject, figure)
    return None
