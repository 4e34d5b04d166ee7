"""A model in evaluation: its mode, precision and randomness, solved as the run's settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from node_cli.models.ode_solve import solved_as
from node_cli.schema.run import RunConfig
from node_cli.solving import SolveSpec
from node_cli.studies.subject import same_randomness

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def in_its_precision(config: RunConfig, device: torch.device) -> AbstractContextManager[object]:
    """Autocast where the run's ``trainer.precision`` is half; fp16 is for CUDA devices alone."""
    precision = config.trainer.precision
    if precision not in _AUTOCAST or (precision == "fp16" and device.type != "cuda"):
        return nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST[precision])


@contextmanager
def evaluating(
    model: nn.Module,
    config: RunConfig,
    device: torch.device,
    as_trained: bool = False,
    seed: int = 0,
) -> Iterator[None]:
    """Inside the ``with`` block a model is evaluated, the same way each time.

    Args:
        model: on ``device``; afterwards it is in training mode.
        config: of its run.
        device: where it is.
        as_trained: solve as in training, and not as the ``evaluation`` group says.
        seed: of what the evaluation draws; that of a run is 0.
    """

    def change(spec: SolveSpec) -> SolveSpec:
        return spec if as_trained else spec.evaluated_as(config)

    model.eval()
    with (
        torch.no_grad(),
        # Noise in the evaluation is the same each time, and training does not notice it.
        same_randomness(device, seed=seed),
        in_its_precision(config, device),
        solved_as(model, change),
    ):
        yield
    model.train()
