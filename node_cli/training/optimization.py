"""Optimizers and learning-rate schedules from their config."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from node_cli.schema.optimizer import AdamConfig, OptimizerConfig, SGDConfig
from node_cli.schema.schedule import ConstantConfig, ScheduleConfig, StepConfig


def build_optimizer(
    config: OptimizerConfig,
    learning_rates: Iterable[tuple[float, Iterable[Tensor]]],
    fused: bool = False,
) -> torch.optim.Optimizer:
    """The optimizer of the ``optimizer`` group.

    Args:
        config: the ``optimizer`` group.
        learning_rates: what is trained, by its learning rate as a multiple of ``optimizer.lr``.
        fused: it takes a step as one operation, which is faster and rounds in another way.
    """
    parameters = [
        {"params": list(weights), "lr": multiple * config.lr}
        for multiple, weights in learning_rates
    ]
    if isinstance(config, SGDConfig):
        return torch.optim.SGD(
            parameters,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
            fused=fused or None,
        )
    assert isinstance(config, AdamConfig)
    adam = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return adam(
        parameters,
        lr=config.lr,
        betas=(config.betas[0], config.betas[1]),
        weight_decay=config.weight_decay,
        fused=fused or None,
    )


def learning_rate_factor(config: ScheduleConfig, step: int, total_steps: int | None) -> float:
    r"""What the learning rate is multiplied with at ``step``.

    A pure function of the step, so that a resumed run needs no state of the schedule.

    Args:
        config: the ``schedule`` group.
        step: steps done so far, from 0.
        total_steps: steps of the whole run; ``None`` where only the time limits it, in which case
            the rate stays constant.

    Returns:
        During warm-up, which rises linearly over the first ``warmup`` of the run, the step's share
        of it. Then for ``step`` gamma to the number of milestones passed, and for ``cosine``
        :math:`c + (1 - c)(1 + \cos \pi p) / 2` with ``p`` the share of the rest that is done.
    """
    if isinstance(config, ConstantConfig) or total_steps is None:
        return 1.0
    warmup_steps = round(config.warmup * total_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if isinstance(config, StepConfig):
        passed = sum(step >= round(milestone * total_steps) for milestone in config.milestones)
        return config.gamma**passed
    share = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return config.final + (1.0 - config.final) * (1.0 + math.cos(math.pi * share)) / 2.0
