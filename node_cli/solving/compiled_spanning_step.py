"""Backward steps of the adjoint over several output times whose computation is compiled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from node_cli.solving.bound_graphs import BoundGraphs, named
from node_cli.solving.compilation import System
from node_cli.solving.compiled_runge_kutta import compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.host_numbers import slice_of, tensor_of
from node_cli.solving.runge_kutta import RungeKutta, dense_rows
from node_cli.solving.spanning_graph import SpanningSystem, spanning_step, spanning_times
from node_cli.solving.spanning_step import Span, SpanningStep
from node_cli.solving.state import Layout
from node_cli.solving.step_control import StepControl
from node_cli.solving.step_graph import StepSystem, clock_of


class CompiledSpanningStep(SpanningStep):
    """Takes the steps of ``SpanningStep``, each as one call of a compiled graph.

    What depends on how many outputs are inside is computed before.

    Args:
        field: the vector field.
        stepper: a method with dense output.
        control: accepts and sizes steps, by the norm of the augmented state.
        parameters: that get gradients.
        layout: of state, adjoint and gradients of the parameters as one state.
        seminorm: the errors of the gradients do not count.
    """

    def __init__(
        self,
        field: CountedField,
        stepper: RungeKutta,
        control: StepControl,
        parameters: Sequence[Tensor],
        layout: Layout,
        seminorm: bool,
    ) -> None:
        super().__init__(field, stepper, control, parameters, layout, seminorm)
        tableau = stepper.tableau
        step = StepSystem(field.pure(), tableau, control.norm, self._parameters)
        system = System(SpanningSystem(step, seminorm), field.original, None, tableau)
        counting = field.layout.counting
        setting = (tableau, "over outputs", seminorm, counting, *named(self._parameters))
        self._graphs = BoundGraphs(system, setting, or_plain=True, forward=field.graphs)

    def taken(
        self, span: Span, of_parameters: Sequence[Tensor]
    ) -> tuple[float, Tensor, list[Tensor]]:
        """As of ``SpanningStep``."""
        outputs, (t0, t1), tableau = span.outputs, span.ends, self._stepper.tableau
        y0, inside = outputs.values[span.first], span.inside
        of_inside, passed = outputs.gradients[slice_of(inside)], [outputs.times[k] for k in inside]
        rows = tensor_of(dense_rows(t0, t1, passed, () if tableau.middle is None else (1.0,)), y0)
        of_terms = rows.t() @ of_inside.reshape(len(rows), -1)
        times = spanning_times(tableau, t0, t1)
        at_end = () if tableau.first_same_as_last else (t1,)
        self._field.evaluated([*times[:-1], *at_end, times[-1]])
        clock = clock_of((self._control.rtol, self._control.atol), t1 - t0, times, y0)
        ratio, of_y, *found = self._graphs(
            compiled(spanning_step, "a step of the adjoint over outputs"),
            clock,
            torch.stack((y0, outputs.values[span.last])),
            span.adjoint,
            torch.stack((span.of_end, of_inside.sum(0))),
            of_terms.reshape(len(of_terms), *y0.shape),
            *of_parameters,
        )
        return float(ratio), of_y, found
