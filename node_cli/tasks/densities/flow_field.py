"""What a continuous flow asks of a vector field, and a field of the user's own that answers it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from node_cli.solving.field_result import refuse_misfit

# A scalar time, or what ``of_times`` gives for it.
Moment = Tensor | tuple[Tensor, ...]


class FlowField(nn.Module, ABC):
    r"""A field :math:`f(t, z)` of points, with its derivatives at each of them.

    Attributes:
        splits_time: ``of_times`` is there, see ``node_cli.solving.pure_field``.
    """

    splits_time: bool = False

    def of_times(self, t: Tensor) -> tuple[Tensor, ...]:
        """What depends on times ``[S]`` alone, in one call; tensors ``[S, ...]``."""
        raise NotImplementedError

    @abstractmethod
    def forward(self, t: Moment, z: Tensor) -> Tensor:
        """The derivative ``dz/dt`` at points ``[N, d]``; ``t`` is a scalar."""

    @abstractmethod
    def jvp(self, t: Moment, z: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        r"""The derivative and :math:`\frac{\partial f}{\partial z} v`.

        Args:
            t: a scalar.
            z: points ``[N, d]``.
            tangents: ``v``, ``[N, d]``.

        Returns:
            ``[N, d]`` each.
        """

    @abstractmethod
    def jacobian(self, t: Moment, z: Tensor) -> tuple[Tensor, Tensor]:
        r"""The derivative and the whole Jacobian.

        Returns:
            ``[N, d]`` and ``[d, N, d]``, where ``[i, n, j]`` is :math:`\partial f_j / \partial
            z_i` at point ``n``.
        """

    @abstractmethod
    def exact_trace(self, t: Moment, z: Tensor) -> tuple[Tensor, Tensor]:
        r"""The derivative ``[N, d]`` and :math:`\mathrm{tr}\, \partial f / \partial z`, ``[N]``."""

    @property
    def has_closed_form(self) -> bool:
        """Whether ``closed_form_trace`` is there."""
        return False

    def closed_form_trace(self, t: Moment, z: Tensor) -> tuple[Tensor, Tensor]:
        """As ``exact_trace``, in the time of one evaluation."""
        raise NotImplementedError


class DifferentiatedField(FlowField):
    """A module of the user's own, whose derivatives are computed by automatic differentiation.

    They are themselves differentiable. The derivative at a point has to depend on that point alone:
    the Jacobians of all points are then had from sums over the points (Grathwohl et al. 2019).

    Args:
        module: called as ``module(t, z)``; gives ``[N, d]``.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, t: Moment, z: Tensor) -> Tensor:
        """The derivative ``dz/dt`` at points ``[N, d]``.

        Raises:
            FieldError: it is not of the shape and dtype of ``z``.
        """
        derivative: Tensor = self.module(t, z)
        refuse_misfit(self.module, derivative, z)
        return derivative

    def jvp(self, t: Moment, z: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        r"""The derivative and :math:`J v`, by reverse mode twice.

        :math:`g(u) = J^\top u` is linear, so that :math:`J v` is the gradient of
        :math:`g(u) \cdot v` by :math:`u`.
        """
        with _points(z) as (points, kept):
            derivative = self(t, points)
            u = torch.zeros_like(derivative, requires_grad=True)
            product = _gradient(derivative, points, u, create_graph=True)
            along = _gradient(product, u, tangents, create_graph=kept)
        return _as_outside(kept, derivative, along)

    def jacobian(self, t: Moment, z: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative and the Jacobian, a reverse pass for each dimension."""
        with _points(z) as (points, kept):
            derivative = self(t, points)
            rows = self._rows(derivative, points, kept)
            jacobian = torch.stack(list(rows), dim=-1).transpose(0, 1)
        return _as_outside(kept, derivative, jacobian)

    def exact_trace(self, t: Moment, z: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative and the trace, a reverse pass for each dimension."""
        with _points(z) as (points, kept):
            derivative = self(t, points)
            rows = self._rows(derivative, points, kept)
            diagonal = [row[:, number] for number, row in enumerate(rows)]
            trace = torch.stack(diagonal).sum(dim=0)
        return _as_outside(kept, derivative, trace)

    @staticmethod
    def _rows(derivative: Tensor, points: Tensor, kept: bool) -> Iterator[Tensor]:
        r""":math:`\partial f_j / \partial z`, ``[N, d]``, for each j."""
        for number in range(derivative.shape[1]):
            chosen = torch.zeros_like(derivative)
            chosen[:, number] = 1.0
            yield _gradient(derivative, points, chosen, create_graph=kept, retain_graph=True)


@contextmanager
def _points(z: Tensor) -> Iterator[tuple[Tensor, bool]]:
    """Points by which can be differentiated, and whether what is found is differentiated too."""
    kept = torch.is_grad_enabled()
    with torch.enable_grad():
        yield (z if kept and z.requires_grad else z.detach().requires_grad_()), kept


def _gradient(
    of: Tensor, by: Tensor, along: Tensor, create_graph: bool, retain_graph: bool | None = None
) -> Tensor:
    if not of.requires_grad:  # a constant
        return torch.zeros_like(by)
    (found,) = torch.autograd.grad(
        of, by, along, retain_graph=retain_graph, create_graph=create_graph, allow_unused=True
    )
    return torch.zeros_like(by) if found is None else found


def _as_outside(kept: bool, *found: Tensor) -> tuple[Tensor, Tensor]:
    first, second = found if kept else (one.detach() for one in found)
    return first, second
