"""What a vector field gives, held against what it has to give."""

from __future__ import annotations

import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.source_place import at_place, place_of, unwrapped


class FieldError(SolverError):
    """A vector field gave something that is no derivative of the state."""


def refuse_misfit(
    field: object,
    derivative: object,
    y: Tensor,
    autocast: bool = False,
    words: tuple[str, str, str] = ("state has", "dy/dt", "y"),
) -> Tensor:
    """Refuse what is not of the shape of the state, or has less precision than it.

    A derivative of more precision loses nothing when it is brought to that of the state.

    Args:
        field: that gave it, for the message.
        derivative: what it gave.
        y: the state, or a part of it.
        autocast: whether the field is evaluated in the precision that autocast chooses.
        words: what ``y`` is, what it is to give and how ``y`` is called, for the message.

    Returns:
        The derivative as it was given.

    Raises:
        FieldError: says what was given and where the field is written.
    """
    if isinstance(derivative, Tensor) and derivative.shape == y.shape:
        given = derivative.dtype
        enough = given == y.dtype or autocast or given == torch.promote_types(given, y.dtype)
        if given.is_floating_point and enough:
            return derivative
    what, wanted, called = words
    raise FieldError(
        at_place(
            place_of(field),
            f"the vector field {name_of(field)} gave {described(derivative)}, where the {what}"
            f" {_shape_and_dtype(y)}; it must give {wanted}, of the shape and dtype of {called}.",
        )
    )


def refuse_transforms(field: object, error: RuntimeError) -> None:
    """Explain an error of a vector field that uses what torch cannot count.

    Args:
        field: that raised it, for the message.
        error: as it came.

    Raises:
        FieldError: it used reverse-mode transforms of torch.func while saved tensors are counted.
    """
    if "saved tensor hooks" in str(error):
        raise FieldError(
            at_place(
                place_of(field),
                "the vector field uses torch.func.grad, vjp, jacrev or hessian, which torch does"
                " not allow while the bytes that are kept for the backward pass are counted; use"
                " torch.autograd.grad(..., create_graph=True), or jvp and jacfwd of torch.func.",
            )
        ) from error


def name_of(field: object) -> str:
    """What a field is called, in messages: its own name, or that of its class."""
    own = unwrapped(field)
    return getattr(own, "__qualname__", type(own).__name__)


def described(thing: object) -> str:
    """What somebody gave, for a message: ``a tensor of shape [2, 3] and float32``."""
    if isinstance(thing, Tensor):
        return f"a tensor of {_shape_and_dtype(thing)}"
    return f"an object of type {type(thing).__name__}"


def _shape_and_dtype(tensor: Tensor) -> str:
    return f"shape {list(tensor.shape)} and {str(tensor.dtype).removeprefix('torch.')}"
