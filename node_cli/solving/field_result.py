"""What a vector field gives, held against what it has to give."""

from __future__ import annotations

import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.source_place import place_of


class FieldError(SolverError):
    """A vector field gave something that is no derivative of the state."""


def refuse_misfit(field: object, derivative: object, y: Tensor, autocast: bool = False) -> None:
    """Refuse what is not of the shape of the state, or has less precision than it.

    A derivative of more precision loses nothing when it is brought to that of the state.

    Args:
        field: that gave it, for the message.
        derivative: what it gave.
        y: the state, or a part of it.
        autocast: whether the field is evaluated in the precision that autocast chooses.

    Raises:
        FieldError: says what was given and where the field is written.
    """
    if isinstance(derivative, Tensor):
        enough = derivative.dtype == torch.promote_types(derivative.dtype, y.dtype)
        fits = derivative.is_floating_point() and (autocast or enough)
        if derivative.shape == y.shape and fits:
            return
        given = f"a tensor of shape {list(derivative.shape)} and {_dtype(derivative)}"
    else:
        given = f"an object of type {type(derivative).__name__}"
    name = getattr(field, "__qualname__", type(field).__name__)
    where = place_of(field)
    raise FieldError(
        f"{where + ': ' if where else ''}the vector field {name} gave {given}, where the state has"
        f" shape {list(y.shape)} and {_dtype(y)}; it must give dy/dt, of the shape and dtype of y."
    )


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
