"""What a solver of SDEs declares of itself, before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from node_cli.methods.method import SolverFamily, SolverKind

Calculus = Literal["ito", "stratonovich"]
# How the diffusion acts: each value of the state has noise of its own; it does not depend on the
# state; all values share one channel; a matrix that depends on the state.
Noise = Literal["diagonal", "additive", "scalar", "general"]


class Stochastic(NamedTuple):
    """The kind of an SDE.

    Attributes:
        calculus: in which its integral is meant.
        noise: how its diffusion acts.
    """

    calculus: Calculus
    noise: Noise


@dataclass(frozen=True)
class SdeMethod:
    """A solver of SDEs; torchsde takes its steps.

    Attributes:
        name: on the command line.
        calculus: in which it reads an SDE.
        scheme: its name in torchsde.
        family: of the method.
        strong_orders: of the error of a path, by the kinds of noise that it takes.
        weak_order: of the error of means over paths.
        levy_areas: whether a step needs the integral of its Brownian motion over time too.
        backward: the solver of the continuous adjoint where none is chosen, by the kind of noise
            of the SDE; empty: it has an adjoint of its own.
        solves_backward: the kinds of noise of the SDEs whose adjoint it solves; none: none.
    """

    name: str
    calculus: Calculus
    scheme: str
    family: SolverFamily
    strong_orders: Mapping[Noise, float]
    weak_order: float
    levy_areas: bool
    backward: Mapping[Noise, str]
    solves_backward: tuple[Noise, ...]

    kind: SolverKind = "fixed"
    kinds: tuple[SolverKind, ...] = ("fixed", "adaptive")
    order: None = None
    orders: range = range(0)

    @property
    def noises(self) -> tuple[Noise, ...]:
        """The kinds of noise that it takes."""
        return tuple(self.strong_orders)
