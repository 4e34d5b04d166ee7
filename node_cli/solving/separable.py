"""Separable Hamiltonian systems, whose fields are evaluated by halves."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from node_cli.solving.field_result import FieldError, name_of
from node_cli.solving.state import State
from node_cli.source_place import at_place, place_of


@runtime_checkable
class SeparableField(Protocol):
    r"""The field of :math:`H(t, q, p) = T(t, p) + V(t, q)`.

    A state is a tensor ``[..., 2n]``: first the positions :math:`q`, then the momenta :math:`p`.
    """

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        """Both halves side by side, ``[..., 2n]``, for solvers that want the whole."""
        ...

    def velocity(self, t: Tensor, p: Tensor) -> Tensor:
        r""":math:`dq/dt = \partial T / \partial p` at momenta ``[..., n]``, of their shape."""
        ...

    def force(self, t: Tensor, q: Tensor) -> Tensor:
        r""":math:`dp/dt = -\partial V / \partial q` at positions ``[..., n]``, of their shape."""
        ...


def refuse_inseparable(field: object, y0: State, method: str) -> None:
    """Refuse what a splitting method cannot solve.

    Raises:
        FieldError: the field cannot be evaluated by halves, or the state has no halves.
    """
    if not isinstance(field, SeparableField):
        raise FieldError(
            at_place(
                place_of(field),
                f"{method} evaluates a separable field by halves, and the vector field"
                f" {name_of(field)} gives only the whole; add methods velocity(t, p) and"
                " force(t, q) for dq/dt and dp/dt, or use a solver such as implicit_midpoint or"
                " rk4.",
            )
        )
    if not isinstance(y0, Tensor):
        raise FieldError(
            f"{method} needs positions and momenta side by side in one tensor [..., 2n], and the"
            f" state is a tuple of {len(y0)}; put them together, or use a solver such as rk4."
        )
    if y0.ndim == 0 or y0.shape[-1] % 2:
        raise FieldError(
            f"{method} needs as many momenta as positions, side by side in a tensor [..., 2n], and"
            f" the state has shape {list(y0.shape)}; give both, or use a solver such as rk4."
        )
