"""Gradients by replaying each accepted step: exact for the discrete solve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from node_cli.solving.counted_field import CountedField
from node_cli.solving.host_numbers import slice_of
from node_cli.solving.integration import Integrator
from node_cli.solving.stepper import Stepper
from node_cli.solving.trajectory import AcceptedStep


def solve_checkpointed(
    field: CountedField,
    stepper: Stepper[Any],
    integrate: Integrator,
    y0: Tensor,
    times: Sequence[float],
    parameters: Sequence[Tensor],
) -> Tensor:
    """Values at the times, or up to an event; only the states at accepted steps are kept.

    The backward pass goes through the steps in reverse order and computes each again, this time
    with a graph, so that the graph of one step is in memory at a time. Rejected steps are not
    computed again, and the lengths of steps count as given, as they do in direct backpropagation:
    the gradients are the same, up to rounding.
    """
    values: Tensor = _Checkpointed.apply(field, stepper, integrate, times, y0, *parameters)
    return values


class _Checkpointed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        field: CountedField,
        stepper: Stepper[Any],
        integrate: Integrator,
        times: Sequence[float],
        y0: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        steps: list[AcceptedStep] = []

        def observe(step: AcceptedStep) -> None:
            steps.append(step)
            field.keeps(step.y0)

        trajectory = integrate(field, y0, times, observe=observe)
        ctx.field, ctx.stepper, ctx.times = field, stepper, trajectory.times
        ctx.steps = [(step.start, step.end, step.outputs) for step in steps]
        ctx.save_for_backward(*(step.y0 for step in steps), *parameters)
        return torch.stack(trajectory.values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        states = ctx.saved_tensors[: len(ctx.steps)]
        parameters = ctx.saved_tensors[len(ctx.steps) :]
        (gradient,) = gradients
        ctx.field.backward_begins()
        adjoint = torch.zeros_like(gradient[0])
        of_parameters: list[Tensor | None] = [None] * len(parameters)
        for (start, end, outputs), y0 in zip(reversed(ctx.steps), reversed(states), strict=True):
            inside = [i for i in outputs if ctx.times[i] != end]
            for i in outputs:
                if ctx.times[i] == end:
                    adjoint = adjoint + gradient[i]
            with torch.enable_grad():
                y = y0.detach().requires_grad_()
                memory = ctx.stepper.init(ctx.field, start, y)
                step = ctx.stepper.step(ctx.field, start, end, y, memory)
                found, gradients_of = [step.y1], [adjoint]
                if inside:
                    found.append(step.values([ctx.times[i] for i in inside]))
                    gradients_of.append(gradient[slice_of(inside)])
            adjoint, *changes = torch.autograd.grad(
                found, (y, *parameters), gradients_of, allow_unused=True
            )
            of_parameters = [
                old if new is None else new if old is None else old + new
                for old, new in zip(of_parameters, changes, strict=True)
            ]
        for i, t in enumerate(ctx.times):
            if t == ctx.times[0]:
                adjoint = adjoint + gradient[i]
        return None, None, None, None, adjoint, *of_parameters
