"""The error of a gradient, against one that is as good as exact."""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from node_cli.models.ode_solve import solved_as, solving_modules
from node_cli.solving import SolveSpec
from node_cli.studies.subject import frozen_statistics, same_randomness
from node_cli.tasks.base import Batch, Task

_REFERENCE = SolveSpec(method="dopri5", rtol=1e-10, atol=1e-10, adjoint="checkpointed")


def gradient_check(
    task: Task[Any],
    model: nn.Module,
    batch: Batch,
    gradient: Tensor,
    randomness: Tensor | None = None,
) -> float:
    """The relative error of a model's gradient on a batch, against ``reference_gradient``.

    Args:
        task: gives the loss.
        model: with the parameters at which the gradient was computed.
        batch: the one it was computed on.
        gradient: what is checked, as ``flat_gradient`` gives it.
        randomness: the state of the CPU's generator before the loss was computed; None: that of
            ``Subject.loss``.

    Raises:
        SolverError: the reference cannot be solved.
        ValueError: the model solves no ODE.
    """
    return relative_error(gradient, reference_gradient(task, model, batch, randomness))


def relative_error(found: Tensor, truth: Tensor) -> float:
    r""":math:`\|x - x^*\| / \|x^*\|` of two vectors, in the precision of the truth."""
    difference = found.to(truth) - truth
    return float(torch.linalg.vector_norm(difference) / torch.linalg.vector_norm(truth))


def reference_gradient(
    task: Task[Any], model: nn.Module, batch: Batch, randomness: Tensor | None = None
) -> Tensor:
    """The gradient in float64 at tolerance 1e-10, backpropagated through the discrete solve.

    It is computed by replaying dopri5's steps, which gives what direct backpropagation gives up to
    rounding and needs the memory of one step. Where the field has kinks, as with ReLU, it takes
    thousands of evaluations. The model and the random generators are left as they were. Noise in
    the loss is drawn from ``randomness``, and running statistics count as they are.

    Raises:
        SolverError: the reference cannot be solved.
        ValueError: the model solves no ODE.
    """
    if not solving_modules(model):
        raise ValueError("the model solves no ODE")
    exact = copy.deepcopy(model).double()
    exact.zero_grad()
    device = next(exact.parameters()).device
    with (
        same_randomness(device, randomness),
        frozen_statistics(exact),
        solved_as(exact, lambda _: _REFERENCE),
        torch.enable_grad(),
    ):
        loss, _ = task.loss(exact, _in_double(batch))
        loss.backward()
    return flat_gradient(exact)


def flat_gradient(model: nn.Module) -> Tensor:
    """The gradients of all parameters as one vector; zeros where there is none."""
    return torch.cat(
        [
            (torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1)
            for p in model.parameters()
        ]
    )


def _in_double(batch: Any) -> Any:
    if isinstance(batch, Tensor):
        return batch.double() if batch.is_floating_point() else batch
    if isinstance(batch, tuple | list):
        parts = [_in_double(part) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{f.name: _in_double(getattr(batch, f.name)) for f in fields(batch)})
    if isinstance(batch, dict):
        return {name: _in_double(part) for name, part in batch.items()}
    return batch
