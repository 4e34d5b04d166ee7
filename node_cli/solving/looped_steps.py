"""Whole solves of small fields in one call of a graph: the loop over the steps is compiled too.

What Python does between, it does in arrays of numpy, whose operations take a third of torch's time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

import node_cli.solving.compilation as compilation
from node_cli.methods.tableau import Tableau
from node_cli.solving.attempt_graph import attempt_forward, begin_forward
from node_cli.solving.compilation import kind_of
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta, compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.graph_loops import GraphLoop, NotOneKernelError, series, whole
from node_cli.solving.host_numbers import tensor_of
from node_cli.solving.runge_kutta import dense_factors
from node_cli.solving.small_products import are_short
from node_cli.solving.step_control import ROUNDING, StepControl

Taken = TypeVar("Taken")

# Numbers in a state of which the steps take no longer than Python does between them.
_LARGEST = 2**14
_EXACT = (torch.float32, torch.float64)
# Attempts in one call at most, and bytes of the states at their starts.
_ATTEMPTS, _BYTES = 64, 2**20
# Whether a field may be one kernel: by what it is, and by the sizes of its state and weights, for
# which graphs of their own are compiled; so not for many.
_suits: dict[Hashable, dict[Hashable, bool]] = {}
_MOST_SIZES = 4
# What a solve keeps in all; one that needs more is left to who watches the memory.
MOST_BYTES = 2**26
_OF_EACH = 200  # bytes of an attempt beside its states


class Outputs(NamedTuple):
    """Where output times lie in the steps of a solve.

    Attributes:
        steps: the step that each is in, ``[T]``.
        bases: the state that its value starts from: at the start of the step, or at its end.
        weights: of jump, both slopes and, where there is one, the middle, ``[T, 3 or 4]``.
    """

    steps: np.ndarray
    bases: np.ndarray
    weights: np.ndarray


class Course(NamedTuple):
    """The steps that a solve has kept.

    Attributes:
        ends: where each starts and ends, ``[S, 2]``.
        states: at their starts, and at the end of the last one, ``[S + 1, *y0.shape]``.
        slopes: the field there.
        middles: of dense output, ``[S, *y0.shape]``; None: the method has none.
        outputs: where the output times lie in them.
    """

    ends: np.ndarray
    states: np.ndarray
    slopes: np.ndarray
    middles: np.ndarray | None
    outputs: Outputs

    @property
    def known(self) -> Sequence[Tensor]:
        """The states, and the field there."""
        return torch.from_numpy(self.states), torch.from_numpy(self.slopes)

    def values(self) -> Tensor:
        """The states at the output times, ``[T, *y0.shape]``."""
        steps, (states, slopes) = self.outputs.steps, (self.states, self.slopes)
        shape = (-1, *[1] * (states.ndim - 1))
        jump, first, last, *middle = (column.reshape(shape) for column in self.outputs.weights.T)
        start, end = states[steps], states[steps + 1]
        values = states[self.outputs.bases]
        values += jump * (end - start)
        values += first * slopes[steps]
        values += last * slopes[steps + 1]
        if self.middles is not None:
            values += middle[0] * self.middles[steps]
        return torch.from_numpy(values)


class _Attempts(NamedTuple):
    """Attempts in a row, of which some were kept.

    Attributes:
        places: of each, and of the one to come, ``[A + 1, 3]``.
        states: at their starts, and at that of the one to come.
        slopes: the field there.
        ratios: the error ratios, ``[A]``.
        middles: as of ``Course``.
    """

    places: np.ndarray
    states: np.ndarray
    slopes: np.ndarray
    ratios: np.ndarray
    middles: np.ndarray | None

    def first(self, count: int) -> _Attempts:
        """The first ones."""
        after, middles = count + 1, None if self.middles is None else self.middles[:count]
        return _Attempts(
            self.places[:after],
            self.states[:after],
            self.slopes[:after],
            self.ratios[:count],
            middles,
        )


def in_a_loop(
    field: CountedField, tableau: Tableau, y0: Tensor, take: Callable[[], Taken]
) -> Taken | None:
    """What is taken so; None: not for this field, which from the second time on is known before."""
    small = y0.numel() <= _LARGEST and y0.device.type == "cpu" and y0.dtype in _EXACT
    if not small or compilation.BACKEND != "inductor":
        return None
    sizes = (y0.dtype, *field.layout.shapes, *(weight.shape for weight in field.weights))
    suits = _suits.setdefault((kind_of(field.original), tableau), {})
    if sizes not in suits:
        rows = max(shape[:-1].numel() for shape in field.layout.shapes)
        suits[sizes] = are_short(field.weights, rows) and sum(suits.values()) < _MOST_SIZES
    if not suits[sizes]:
        return None
    try:
        return take()
    except NotOneKernelError:
        suits[sizes] = False
        return None


def course_of(
    field: CountedField,
    stepper: CompiledRungeKutta,
    control: StepControl,
    y0: Tensor,
    times: Sequence[float],
) -> Course | None:
    """The steps from the first of the times to the last; None: they are to be taken one by one.

    That is so where something is to be told of, as a step that is too small: it is found again,
    and told, on the way there.

    Args:
        field: the vector field.
        stepper: an adaptive method.
        control: accepts and sizes the steps.
        y0: the packed state at the first time.
        times: in the one order or the other.

    Raises:
        NotOneKernelError: a graph is more than one kernel.
    """
    if not (stepper.tableau.first_same_as_last and stepper.dense):
        return None
    graphs, start, end = stepper.graphs(field), times[0], times[-1]
    tolerances = tensor_of(stepper.tolerances, y0)
    attempt = compiled(attempt_forward, "a step", in_loops=True)
    begin = compiled(begin_forward, "the start of a solve", in_loops=True)
    bounds = torch.from_numpy(np.array([start, end, control.min_step or 0.0]))
    slope, place, known = graphs(begin, tolerances, bounds, y0)
    if not known:
        return None
    loop = graphs.loop(attempt, tolerances, place, y0, slope)
    if loop is None:
        return None
    attempts, has_middle = 0, stepper.tableau.middle is not None
    here = (place.numpy(), y0.numpy(), slope.numpy())
    parts: list[_Attempts] = []
    over = False
    while not over:
        part, over = _in_a_row(loop, tolerances, here, has_middle)
        attempts += len(part.ratios)
        if not _is_ordinary(control, part, attempts, abs(end - start)):
            return None
        here = (part.places[-1], part.states[-1], part.slopes[-1])
        parts.append(part)
        evaluations = 2 + attempts * len(stepper.tableau.nodes)
        if not field.allows(evaluations) or attempts * (4 * y0.nbytes + _OF_EACH) > MOST_BYTES:
            return None
    course = _kept(parts, times)
    kept = len(course.ends)
    field.went(end, evaluations, kept, attempts - kept)
    return course


def _in_a_row(
    loop: GraphLoop, tolerances: Tensor, start: Sequence[np.ndarray], has_middle: bool
) -> tuple[_Attempts, bool]:
    """Attempts from a place, a state and the field there; and whether the solve is over."""
    y0 = start[1]
    count = max(1, min(_ATTEMPTS, _BYTES // max(1, y0.nbytes)))
    ratios, over = np.empty(count), np.empty(1)
    places, states, slopes = rows = [
        np.empty((count + 1, *part.shape), part.dtype) for part in start
    ]
    for row, part in zip(rows, start, strict=True):
        row[0] = part
    middles = np.empty((count, *y0.shape), y0.dtype) if has_middle else None
    tensors = [torch.from_numpy(row) for row in rows]
    results = [whole(torch.from_numpy(over)), *(series(x, 1) for x in tensors)]
    results += [series(torch.from_numpy(x)) for x in (ratios, middles) if x is not None]
    made = loop(count, [whole(tolerances), *map(series, tensors)], results, ending=0)
    attempts = _Attempts(places, states, slopes, ratios, middles)
    return attempts.first(made), bool(over[0])


def _is_ordinary(control: StepControl, part: _Attempts, attempts: int, span: float) -> bool:
    """Whether there is nothing to be told of these attempts, which make so many in all."""
    if control.max_steps is not None and attempts > control.max_steps:
        return False
    starts = part.places[:-1, 0]
    lengths = np.abs(part.places[:-1, 1] - starts)
    farthest = max(abs(starts[0]), abs(starts[-1]), span)
    smallest = max(ROUNDING * farthest, control.min_step or 0.0)
    return bool(lengths.min() > smallest) and bool(np.isfinite(part.ratios).all())


def _kept(parts: Sequence[_Attempts], times: Sequence[float]) -> Course:
    """The attempts that were kept, one after the other."""
    last = parts[-1]
    chosen = [np.append(part.ratios <= 1.0, part is last) for part in parts]
    pairs = list(zip(parts, chosen, strict=True))
    places = np.concatenate([part.places[which] for part, which in pairs])
    states = np.concatenate([part.states[which] for part, which in pairs])
    slopes = np.concatenate([part.slopes[which] for part, which in pairs])
    middles = [part.middles[which[:-1]] for part, which in pairs if part.middles is not None]
    together = np.concatenate(middles) if middles else None
    ends = places[:-1, :2]
    outputs = _outputs_of(ends, times, together is not None, states.dtype)
    return Course(ends, states, slopes, together, outputs)


def _outputs_of(
    ends: np.ndarray, times: Sequence[float], has_middle: bool, dtype: np.dtype
) -> Outputs:
    """Where the times lie; those at the end of a step have the state there itself."""
    at, (first, last) = np.array(times), ends.T
    backwards = at[-1] < at[0]
    steps = np.searchsorted(-last, -at) if backwards else np.searchsorted(last, at)
    first, last = first[steps], last[steps]
    h = last - first
    factors = dense_factors(h, (at - first) / h, has_middle)
    weights = np.array(factors if has_middle else factors[:3]).T
    at_end = at == last
    weights[at_end] = 0.0
    return Outputs(steps, steps + at_end, weights.astype(dtype))
