"""A vector field that counts its evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NoReturn, Protocol, cast

import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.solving.bound_graphs import BoundGraphs
from node_cli.solving.field_result import FieldError, refuse_misfit, refuse_transforms
from node_cli.solving.pure_field import PlainField
from node_cli.solving.saved_bytes_guard import SavedBytesGuard
from node_cli.solving.separable import SeparableField
from node_cli.solving.state import Layout, State
from node_cli.solving.stats import SolveStats
from node_cli.solving.told_time import at_time
from node_cli.solving.turned_layout import TurnedLayout

VectorField = Callable[[Tensor, Any], Any]


class SolvableField(Protocol):
    """A field as the solvers call it, with numbers as times and packed states.

    Attributes:
        resolution: the relative distance of the numbers in which it is evaluated.
        original: what is evaluated, as the caller of the solve gave it.
        graphs: of the forward pass, where that is compiled.
        weights: parameters of it, as far as they are known.
    """

    resolution: float
    original: VectorField
    graphs: BoundGraphs | None
    weights: Sequence[Tensor]

    def at(self, t: float, y: Tensor) -> Tensor:
        """Evaluate; the result has the shape and dtype of ``y``."""
        ...

    def pure(self) -> Any:
        """The same without counts and checks: a ``PureField`` or a ``PureAugmentedField``."""
        ...

    def evaluated(self, times: Sequence[float]) -> None:
        """Count evaluations that a graph makes, at these times."""
        ...

    def accepted(self) -> None:
        """Count a step that was kept."""
        ...

    def rejected(self) -> None:
        """Count a step that was thrown away for its error."""
        ...


class CountedField:
    """The vector field as one solve sees it.

    Counts evaluations and steps as forward until ``backward_begins`` is called and as backward
    from then on. Every solve wraps its field anew, so a field that is solved twice keeps two counts
    apart. The two halves of a separable field are one evaluation together: that of the force is
    counted.

    The adjoint evaluates the field again while gradients are computed, outside of the autocast
    region of the forward pass: the region is entered again here, so that both passes evaluate the
    same function. The result is always of the state's dtype, so that the solver's own arithmetic
    keeps its precision.

    Args:
        field: ``f(t, y)``.
        y0: a state, for its shapes, its dtype and its device.
        max_nfe: evaluations that each of the two passes may take; None: no limit.
        outside_norm: last parts of the state that do not count in the error norm.
        stats: where to count; None: anew.
        guard: looks at what the forward solve keeps.

    Attributes:
        weights: parameters of the field, as far as they are known.
    """

    def __init__(
        self,
        field: VectorField,
        y0: State,
        max_nfe: int | None = None,
        outside_norm: int = 0,
        stats: SolveStats | None = None,
        guard: SavedBytesGuard | None = None,
    ) -> None:
        self.stats = SolveStats() if stats is None else stats
        self._guard = guard
        self.layout = self._plain_layout = Layout(y0, outside_norm)
        self._outside_norm = outside_norm
        self._last_time: Tensor | float | None = None
        self.original = self._field = field
        self.graphs: BoundGraphs | None = None
        self.weights: Sequence[Tensor] = ()
        self._max_nfe = max_nfe
        self._forward = True
        self._used = 0  # evaluations of this pass
        part = y0 if isinstance(y0, Tensor) else y0[0]
        self.dtype, self._device = part.dtype, part.device
        self._autocast = (
            torch.autocast(kind, dtype=torch.get_autocast_dtype(kind))
            if torch.is_autocast_enabled(kind := self._device.type)
            else None
        )
        used = self.dtype if self._autocast is None else self._autocast.fast_dtype
        self.resolution = torch.finfo(used).eps

    @property
    def last_time(self) -> float | None:
        """Where the field was last evaluated."""
        return None if self._last_time is None else float(self._last_time)

    @property
    def in_fp16(self) -> bool:
        """Whether it is evaluated in numbers that end at 65,504."""
        return self._autocast is not None and self._autocast.fast_dtype == torch.float16

    def keeps(self, state: Tensor) -> None:
        """Tell the guard of a state that is kept for the backward pass."""
        if self._guard is not None:
            self._guard.keep(state)

    def begins_in_graphs(self, y0: State) -> None:
        """From now on, states, such as the first one, lie as it suits graphs of whole steps."""
        self.layout = TurnedLayout(y0, self._outside_norm)

    def begins_again(self) -> None:
        """Forget what was counted: the forward solve is done once more, without graphs."""
        vars(self.stats).update(vars(SolveStats()))
        self._used = 0
        self.layout = self._plain_layout
        self.graphs = None

    def backward_begins(self) -> None:
        """From now on, evaluations and steps belong to a backward pass."""
        self._forward = False
        self._used = 0

    def at(self, t: float, y: Tensor) -> Tensor:
        """Evaluate at a time that is a number and a packed state; the result is packed too."""
        time = torch.full((), t, dtype=y.dtype, device=y.device)
        return self.layout.pack(self(time, self.layout.unpack(y)))

    def velocity(self, t: float, p: Tensor) -> Tensor:
        """``dq/dt`` of a separable field at momenta ``[..., n]``, as ``at`` gives the whole."""
        time = torch.full((), t, dtype=p.dtype, device=p.device)
        half = cast(SeparableField, self._field).velocity
        return self._of_a_half(half, time, p, ("momenta have", "dq/dt", "p"))

    def force(self, t: float, q: Tensor) -> Tensor:
        """``dp/dt`` of a separable field at positions ``[..., n]``; counts as one evaluation."""
        time = torch.full((), t, dtype=q.dtype, device=q.device)
        half = cast(SeparableField, self._field).force
        self._count(time)
        return self._of_a_half(half, time, q, ("positions have", "dp/dt", "q"))

    def _of_a_half(
        self,
        half: Callable[[Tensor, Tensor], Tensor],
        t: Tensor,
        y: Tensor,
        words: tuple[str, str, str],
    ) -> Tensor:
        derivative = self._given(half, t, y)
        return refuse_misfit(half, derivative, y, self._autocast is not None, words).to(y.dtype)

    def __call__(self, t: Tensor, y: State) -> State:
        """Evaluate ``f(t, y)``; of the shape and dtype of ``y``.

        Raises:
            SolverError: this would be one evaluation more than ``max_nfe``, or too much is kept.
            FieldError: the field gave something else.
        """
        self._count(t)
        dydt = self._given(self._field, t, y)
        if isinstance(y, Tensor):
            return self._of_the_state(dydt, y)
        if not isinstance(dydt, tuple | list) or len(dydt) != len(y):
            raise FieldError(
                f"the vector field gave no tuple of {len(y)} parts, as the state has; it must give"
                " dy/dt of each."
            )
        return tuple(self._of_the_state(part, state) for part, state in zip(dydt, y, strict=True))

    def _given(self, function: VectorField, t: Tensor, y: State) -> Any:
        """What the field, or a half of it, gives in the forward pass's precision."""
        try:
            with self._autocast or nullcontext():
                return function(t, y)
        except RuntimeError as error:
            refuse_transforms(function, error)
            raise

    def _of_the_state(self, derivative: object, y: Tensor) -> Tensor:
        """A derivative of the shape of a part of the state, in its dtype."""
        return refuse_misfit(self._field, derivative, y, self._autocast is not None).to(y.dtype)

    def pure(self) -> PlainField:
        """The same field without counts and checks, for graphs of whole steps."""
        region = self._autocast
        autocast = None if region is None else (region.device, region.fast_dtype)
        return PlainField(self._field, self.layout, autocast)

    def evaluated(self, times: Sequence[float]) -> None:
        """Count evaluations that a graph makes, at these times."""
        if times:
            self._count(*times)

    def allows(self, evaluations: int) -> bool:
        """Whether so many more stay within ``max_nfe``."""
        return self._max_nfe is None or self._used + evaluations <= self._max_nfe

    def went(self, t: float, evaluations: int, accepted: int, rejected: int) -> None:
        """Count a part of a solve, whose last evaluation was at ``t``."""
        self._count(*[t] * evaluations)
        self._add_steps(accepted, rejected)

    def accepted(self, *_: object) -> None:
        """Count a step that was kept."""
        self._add_steps(1, 0)

    def rejected(self, *_: object) -> None:
        """Count a step that was thrown away for its error."""
        self._add_steps(0, 1)

    def _add_steps(self, accepted: int, rejected: int) -> None:
        if self._forward:
            self.stats.steps_accepted += accepted
            self.stats.steps_rejected += rejected
        else:
            self.stats.backward_steps_accepted += accepted
            self.stats.backward_steps_rejected += rejected

    def _count(self, *times: Tensor | float) -> None:
        """Count evaluations, with one look at limits for all of them."""
        self._last_time, count = times[-1], len(times)
        if self._forward:
            if self._guard is not None:
                self._guard.look(times[-1], count)
            self.stats.nfe_forward += count
        else:
            self.stats.nfe_backward += count
        self._used += count
        if self._max_nfe is not None and self._used > self._max_nfe:
            self._stop(times)

    def _stop(self, times: Sequence[Tensor | float]) -> NoReturn:
        """At the first of the evaluations that is too many."""
        assert self._max_nfe is not None
        beyond = self._used - self._max_nfe
        t = self._last_time = times[-beyond]
        name = "nfe_forward" if self._forward else "nfe_backward"
        setattr(self.stats, name, getattr(self.stats, name) - (beyond - 1))
        raise SolverError(
            f"the {'forward' if self._forward else 'backward'} solve stopped at"
            f" {at_time(float(t))}: it takes more evaluations of the vector field than"
            f" solver.max_nfe={self._max_nfe} allows; raise that limit, loosen the tolerance"
            " or take larger steps."
        )
