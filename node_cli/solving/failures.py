"""What is said where a solve cannot go on: what happened and where, why, and what to do.

The solver knows what happened. Which advice is of use depends on who called it: whoever trains a
model adds with ``tell`` what training alone can change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch

from node_cli.errors import SolverError
from node_cli.solving.told_time import at_time, told_length


class Training(NamedTuple):
    """The settings of a training run that decide whether its solves succeed.

    Attributes:
        learning_rate: the optimizer's.
        clip_norm: at which gradients are clipped; None: they are not.
        batch_size: examples in a training batch.
        modes: adjoint modes that the run could have instead of its own.
    """

    learning_rate: float
    clip_norm: float | None
    batch_size: int
    modes: Collection[str]


class UnfinishedSolveError(SolverError, ABC):
    """A solve that ended early.

    Args:
        happened: what and where, in words that a full stop can follow.
    """

    def __init__(self, happened: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.tell(None)

    def tell(self, training: Training | None) -> None:
        """Word the message anew, for a model in training or for whoever only solves."""
        self.args = (f"{self.happened}. {self.advice(training)}",)

    @abstractmethod
    def advice(self, training: Training | None) -> str:
        """Likely causes and ways out, in whole sentences."""


class StepsError(UnfinishedSolveError):
    """Steps became too many or too small.

    Args:
        happened: what and where.
        dtype: of the state.
        remedy: what else may be tried, in words that a full stop can follow.
    """

    def __init__(self, happened: str, dtype: torch.dtype, remedy: str) -> None:
        self._dtype, self._remedy = dtype, remedy
        super().__init__(happened)

    def advice(self, training: Training | None) -> str:
        """The likely causes, in order."""
        causes = []
        if training is not None:
            causes.append(f"a learning rate that is too large (optimizer.lr={_number(training)})")
        precision = (
            f"{str(self._dtype).removeprefix('torch.')} ({torch.finfo(self._dtype).eps:.0e})"
        )
        causes += [
            "a stiff field",
            f"a tolerance below the precision of {precision}",
            "a unit of time in which the field is steep",
        ]
        return f"Likely causes, in this order: {_listed(causes)}. Else {self._remedy}."


class NotFiniteError(UnfinishedSolveError):
    """The state or the field has a value that is not finite.

    Args:
        happened: what and where.
        fixed: whether the steps are given, and can be given smaller.
    """

    def __init__(self, happened: str, fixed: bool = False) -> None:
        self._fixed = fixed
        super().__init__(happened)

    def advice(self, training: Training | None) -> str:
        """What to try."""
        ways = ["a smaller step"] if self._fixed else []
        if training is None:
            ways.append("a look at what the field gives there")
        else:
            clip = "1" if training.clip_norm is None else f"below {training.clip_norm:g}"
            ways.append(f"a smaller learning rate (optimizer.lr={_number(training)})")
            ways.append(f"gradient clipping (trainer.clip_norm {clip})")
        return f"Please try {_listed(ways)}."


class IterationError(NotFiniteError):
    """The equation of an implicit step could not be solved.

    Args:
        method: the solver's name.
        t: where the step starts.
        length: of the step.
    """

    def __init__(self, method: str, t: float, length: float) -> None:
        super().__init__(
            f"{method} stopped at {at_time(t)}: the iteration that solves the equation"
            f" of a step does not converge, with a step of {told_length(length)}",
            fixed=True,
        )


class MemoryShortageError(UnfinishedSolveError):
    """There is no memory for what a solve keeps, or less than is wise.

    Args:
        happened: what and where.
        modes: adjoint modes that keep less and go with the solver.
        keeps: whether something is kept for a backward pass.
        limit: the ``max_saved_bytes`` that was passed; None: none was given.
    """

    def __init__(
        self,
        happened: str,
        modes: Sequence[str] = (),
        keeps: bool = True,
        limit: int | None = None,
    ) -> None:
        self._modes, self._keeps, self._limit = modes, keeps, limit
        super().__init__(happened)

    def advice(self, training: Training | None) -> str:
        """The ways out, those that keep the problem as it is first."""
        modes = [m for m in self._modes if training is None or m in training.modes]
        ways = []
        if modes:
            names = _listed([f"adjoint={mode}" for mode in modes])
            ways.append(f"{names}, which need{'s' if len(modes) == 1 else ''} far less memory")
        if training is None:
            ways.append("a smaller batch")
        elif self._keeps:
            ways.append(f"a smaller optimizer.lr (now {_number(training)})")
            if training.batch_size > 1:
                ways.append(f"a smaller data.batch_size (now {training.batch_size})")
        else:
            ways.append("a smaller data.eval_batch_size")
        if self._limit is not None:
            ways.append("a higher solver.max_saved_bytes")
        return f"Ways out: {'; '.join(ways)}."


def _number(training: Training) -> str:
    return f"{training.learning_rate:g}"


def _listed(things: Sequence[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} or {things[-1]}"
