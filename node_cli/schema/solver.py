"""The groups ``solver`` and ``backend``."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import model_validator

from node_cli.methods import METHODS, SOLVERS, Method, SdeMethod, SolverFamily, SolverKind
from node_cli.schema.base import Count, Positive, Schema
from node_cli.schema.spelling import no_such

Backend = Literal["native", "torchdiffeq"]


BACKENDS: tuple[Backend, ...] = get_args(Backend)


class SolverConfig(Schema):
    """A solver and its steps.

    Attributes:
        name: one of ``SOLVERS``, which says ``kind``, ``family`` and ``order``; they are recorded
            with the settings of a run.
        kind: ``adaptive`` steps follow the error, ``fixed`` are given, ``scipy`` are SciPy's; a
            setting for solvers of SDEs, which have both.
        family: of the method.
        order: of the method; a setting for Adams methods, which exist in any order.
        step_size: step of a fixed-step solver, in units of ``t``; the first one of an adaptive
            solver of SDEs.
        num_steps: the longest step is the whole interval divided by it; replaces ``step_size``.
            Every output time is met, so that between two of them there is at least one step.
        max_steps: attempts, rejected ones included, that an adaptive solver may make in one solve.
        max_nfe: evaluations that one solve may take, forward and backward each.
        max_saved_bytes: what one solve may keep for the backward pass, counted exactly, which takes
            time; null: a share of the memory that is free.
        min_step: an adaptive solve that needs a smaller step ends with an error.
    """

    name: str
    kind: SolverKind
    family: SolverFamily
    order: Count | None
    step_size: Positive | None
    num_steps: Count | None
    max_steps: Count | None
    max_nfe: Count | None
    max_saved_bytes: Count | None = None  # runs from before it have none
    min_step: Positive | None

    @property
    def is_one_step(self) -> bool:
        """Whether its steps can be replayed one by one, in torch."""
        method = METHODS.get(self.name)
        return method is not None and method.one_step

    @model_validator(mode="before")
    @classmethod
    def _as_its_method_says(cls, given: Any) -> Any:
        name = given.get("name") if isinstance(given, dict) else None
        if not isinstance(name, str):
            return given
        method = SOLVERS.get(name)
        if method is None:
            raise ValueError(no_such("solver", "solver.name", name, sorted(SOLVERS)))
        said = {"kind": method.kind, "family": method.family, "order": method.order}
        return given | {key: said[key] for key in said if given.get(key) is None}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> SolverConfig:
        method = SOLVERS[self.name]
        for key, given, right in (
            ("kind", self.kind, method.kinds),
            ("family", self.family, (method.family,)),
        ):
            if given not in right:
                raise ValueError(
                    f"solver.{key}={given}: {self.name} is {' or '.join(right)}. Choose another"
                    " solver with solver=NAME instead."
                )
        self._check_order(method)
        self._check_steps(stochastic=isinstance(method, SdeMethod))
        return self

    def _check_order(self, method: Method | SdeMethod) -> None:
        if method.orders:
            if self.order not in method.orders:
                raise ValueError(
                    f"solver.order={_null(self.order)}: must be an integer from"
                    f" {method.orders[0]} to {method.orders[-1]} for {self.name}."
                )
        elif self.order != method.order:
            raise ValueError(
                f"solver.order={_null(self.order)}: the order of {self.name} is"
                f" {_null(method.order)} and cannot be chosen. Leave solver.order out."
            )

    def _check_steps(self, stochastic: bool) -> None:
        if self.kind == "fixed" or stochastic:  # an adaptive solver of SDEs begins with it
            if self.step_size is None and self.num_steps is None:
                raise ValueError(
                    f"solver={self.name} needs a step: give solver.step_size (for example 0.1) or"
                    " solver.num_steps (for example 10)."
                )
        else:
            for key in ("step_size", "num_steps"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"solver.{key}={getattr(self, key)}: {self.name} chooses its own steps."
                        f" Leave solver.{key} out, or use a fixed-step solver such as solver=rk4."
                    )
        for key in ("max_steps", "min_step"):
            if self.kind != "adaptive" and getattr(self, key) is not None:
                other = (
                    "adaptive steps (solver.kind=adaptive)"
                    if stochastic
                    else "adaptive solvers such as solver=dopri5"
                )
                raise ValueError(
                    f"solver.{key}={getattr(self, key)}: {self.name} has no such limit; it is for"
                    f" {other}."
                )


class BackendConfig(Schema):
    """Whose solvers: our own (``native``), or ``torchdiffeq`` as the reference for them."""

    name: Backend


def _null(value: object) -> str:
    return "null" if value is None else str(value)
