"""Where a model solves its ODE: with the run's solver, over an interval that may be learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from node_cli.solving import EventSolution, SolveSpec, solve, solve_with_events
from node_cli.solving.counted_field import VectorField
from node_cli.solving.event_function import EventCallable
from node_cli.solving.events import Jump
from node_cli.solving.field_result import FieldError
from node_cli.solving.separable import SeparableField
from node_cli.solving.state import State
from node_cli.source_place import at_place, place_of


class OdeSolve(nn.Module):
    r"""Solves :math:`dy/dt = f(t, y)` as the run's settings say.

    All ODEs of a model are solved by modules of this class: evaluation and studies look for them,
    and have them solve in another way (``solved_as``).

    Times are given in units of T, so that they go from 0 to 1 where a model has one interval; T is
    1 where the data have times of their own. With ``learn_time``, ``T = exp(log_time)`` is a
    parameter. The problem is then solved in :math:`s = t / T`, where :math:`dy/ds = T f(T s, y)`,
    so that the gradient of T is that of any other parameter, in every adjoint mode and with every
    solver. A fixed step stretches along: it stays the same fraction of T.

    Args:
        spec: solver, tolerances and adjoint mode; ``Task.spec`` is that of the run.
        end_time: T, in units of ``t``.
        learn_time: T is a parameter and starts at the value given.
    """

    def __init__(self, spec: SolveSpec, end_time: float = 1.0, learn_time: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self._end_time = end_time
        self.log_time = nn.Parameter(torch.tensor(math.log(end_time))) if learn_time else None

    @property
    def end_time(self) -> float:
        """T, as it is now."""
        return self._end_time if self.log_time is None else float(self.log_time.detach().exp())

    def forward(
        self,
        field: VectorField,
        y0: State,
        times: Tensor | Sequence[float],
        parameters: Iterable[Tensor] | None = None,
        outside_norm: int = 0,
    ) -> Any:
        """The state at all times, in single precision or better.

        Under autocast the layers before give half precision, in which a solver's sums of small
        increments would be lost.

        Args:
            field: ``f(t, y)``, with ``t`` a scalar tensor; returns the shape of ``y``.
            y0: the state at the first time: a tensor or a tuple of tensors.
            times: in units of T and in order, of which the first is the initial one.
            parameters: tensors of the field that get gradients in every adjoint mode; by default
                those of ``field`` where it is a module.
            outside_norm: see ``node_cli.solving.solve``.

        Returns:
            ``[len(times), *y0.shape]``, or a tuple of such tensors.

        Raises:
            SolverError: the solve failed.
            FieldError: the field's weights are not known, and the adjoint mode needs them.
        """
        asked = self._asked(field, y0, times, parameters)
        return solve(
            asked.field, asked.y0, asked.times, asked.spec, asked.parameters, outside_norm
        ).values

    def with_events(
        self,
        field: VectorField,
        y0: State,
        times: Tensor | Sequence[float],
        event: EventCallable,
        jump: Jump | None = None,
        parameters: Iterable[Tensor] | None = None,
        outside_norm: int = 0,
        max_events: int = 1000,
    ) -> EventSolution:
        """The same up to an event, or with a jump of the state at each event.

        Args:
            field: as above, like ``y0``, ``times``, ``parameters`` and ``outside_norm``.
            y0: the state at the first time, of one solve: each has its own event times.
            times: in units of T.
            event: ``g(t, y)``, see ``node_cli.solving.solve_with_events``.
            jump: ``h(t, y)``, the state after an event; None: the solve ends there.
            parameters: of the field; the tensors that ``event`` and ``jump`` use get gradients in
                every mode as they are.
            outside_norm: see ``node_cli.solving.solve``.
            max_events: more of them are an error.

        Returns:
            Values and events; the times of events are in the units of ``t``, as ``event`` sees it.

        Raises:
            SolverError: the solve failed.
            FieldError: the field's weights are not known, and the adjoint mode needs them.
            ValueError: T is learned, or the solver knows no events.
        """
        if self.log_time is not None:
            raise ValueError("events have times of their own: they do not go with a learned T")
        a = self._asked(field, y0, times, parameters)
        return solve_with_events(
            a.field, a.y0, a.times, a.spec, event, jump, a.parameters, outside_norm, max_events
        )

    def _asked(
        self,
        field: VectorField,
        y0: State,
        times: Tensor | Sequence[float],
        parameters: Iterable[Tensor] | None,
    ) -> _Asked:
        """The problem in the units in which it is solved, in single precision or better."""
        y0 = _at_least_single(y0) if isinstance(y0, Tensor) else tuple(map(_at_least_single, y0))
        first = y0 if isinstance(y0, Tensor) else y0[0]
        if parameters is None:
            parameters = self._weights(field)
        if self.log_time is None:
            if not isinstance(times, Tensor):
                times = first.new_tensor([self._end_time * time for time in times])
            elif self._end_time != 1.0:
                times = self._end_time * times
            return _Asked(field, y0, times, self.spec, parameters)
        if not isinstance(times, Tensor):
            times = first.new_tensor(times)
        scaled = _in_units_of_time(field, self.log_time)
        spec = self.spec.in_units_of(self._end_time)
        return _Asked(scaled, y0, times, spec, (*parameters, self.log_time))

    def _weights(self, field: VectorField) -> Iterable[Tensor]:
        """What gets gradients where nothing else is said: the weights of a module."""
        module = getattr(field, "__self__", field)  # of one of its methods too
        if isinstance(module, nn.Module):
            return module.parameters()
        if torch.is_grad_enabled() and self.spec.adjoint != "direct":
            raise FieldError(
                at_place(
                    place_of(field),
                    "the vector field is no module, so that its weights are not known and get no"
                    f" gradient with adjoint={self.spec.adjoint}. Give the module itself, or"
                    " parameters=..., which are () where it has none.",
                )
            )
        return ()


class ODEBlock(nn.Module):
    """A layer that maps ``y(0)`` to ``y(T)`` with ``dy/dt = f(t, y)``.

    Args:
        field: ``f``, a module.
        spec: how it is solved.
        end_time: T.
        learn_time: T is a parameter.
    """

    def __init__(
        self, field: nn.Module, spec: SolveSpec, end_time: float = 1.0, learn_time: bool = False
    ) -> None:
        super().__init__()
        self.field = field
        self.solve = OdeSolve(spec, end_time, learn_time)

    def forward(self, y: Tensor) -> Tensor:
        """The state at ``T``; of the shape of ``y``, in single precision or better."""
        final: Tensor = self.solve(self.field, y, (0.0, 1.0))[-1]
        return final


def _at_least_single(y: Tensor) -> Tensor:
    return y.to(torch.promote_types(y.dtype, torch.float32))


class _Asked(NamedTuple):
    """What a solve is asked."""

    field: VectorField
    y0: State
    times: Tensor
    spec: SolveSpec
    parameters: Iterable[Tensor]


class _TimeScaled:
    """``T f(T s, y)``: a field in units of a learned T."""

    def __init__(self, field: VectorField, log_time: Tensor) -> None:
        self._field, self._log_time = field, log_time
        self.__wrapped__ = field  # by whose name messages call it

    def __call__(self, s: Tensor, y: State) -> State:
        # Anew in each evaluation: an adjoint differentiates evaluations one by one.
        end_time = self._log_time.exp()
        derivative = self._field(end_time * s, y)
        if isinstance(derivative, Tensor):
            return end_time * derivative
        return tuple(end_time * part for part in derivative)


class _SeparableTimeScaled(_TimeScaled):
    """The same of a field with halves, by halves."""

    _field: SeparableField

    def velocity(self, s: Tensor, p: Tensor) -> Tensor:
        end_time = self._log_time.exp()
        return end_time * self._field.velocity(end_time * s, p)

    def force(self, s: Tensor, q: Tensor) -> Tensor:
        end_time = self._log_time.exp()
        return end_time * self._field.force(end_time * s, q)


def _in_units_of_time(field: VectorField, log_time: Tensor) -> _TimeScaled:
    separable = isinstance(field, SeparableField)
    return _SeparableTimeScaled(field, log_time) if separable else _TimeScaled(field, log_time)


def solving_modules(model: nn.Module) -> list[OdeSolve]:
    """The parts of a model that solve its ODEs."""
    return [module for module in model.modules() if isinstance(module, OdeSolve)]


def solve_as(model: nn.Module, change: Callable[[SolveSpec], SolveSpec]) -> None:
    """From now on the model solves by the specs that ``change`` makes of its own."""
    for module in solving_modules(model):
        module.spec = change(module.spec)


@contextmanager
def solved_as(model: nn.Module, change: Callable[[SolveSpec], SolveSpec]) -> Iterator[None]:
    """Inside the ``with`` block, the model solves by the specs that ``change`` makes of its own."""
    modules = solving_modules(model)
    specs = [module.spec for module in modules]
    try:
        solve_as(model, change)
        yield
    finally:
        for module, spec in zip(modules, specs, strict=True):
            module.spec = spec
