"""The settings of vector fields that several families take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from node_cli.schema.base import AsTuple, Count
from node_cli.schema.model import ModelSchema

Activation = Literal["tanh", "relu", "softplus", "elu"]
Widths = Annotated[
    tuple[Count, ...], AsTuple, Field(min_length=1), "a list of integers >= 1, such as [64,64]"
]


class PerceptronConfig(ModelSchema):
    """What fields have in common that are made of a perceptron.

    Attributes:
        hidden: widths of the hidden layers.
        activation: after each of them.
        time: t is an input too.
    """

    hidden: Widths
    activation: Activation
    time: bool

    @property
    def solves_an_ode(self) -> bool:
        """It does."""
        return True


class MlpFieldConfig(PerceptronConfig):
    """A perceptron as the vector field."""

    name: Literal["mlp-field"]


class AugmentedConfig(PerceptronConfig):
    """A perceptron as the vector field of a larger state (Dupont et al. 2019).

    Attributes:
        augment_dim: values that are added to the state; they start at 0.
    """

    name: Literal["augmented"]
    augment_dim: Count


class SecondOrderConfig(PerceptronConfig):
    """A perceptron as the acceleration (Norcliffe et al. 2020).

    Attributes:
        velocity: the initial one: ``learned`` from the initial values by a perceptron, ``zero``,
            or ``observed``, as the second half of the values.
    """

    name: Literal["second-order"]
    velocity: Literal["learned", "zero", "observed"]
