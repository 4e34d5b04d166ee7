"""The groups ``trace`` and ``regularization``, and the models that are continuous flows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.config.matrix import is_covariance
from node_cli.config.schema import (
    AsTuple,
    Count,
    NonNegative,
    Positive,
    Schema,
    listed_as_yaml,
)

TraceName = Literal["closed-form", "exact", "hutchinson"]
NoiseName = Literal["rademacher", "gaussian"]
PenaltyName = Literal[
    "kinetic_energy",
    "jacobian_norm",
    "directional_derivative",
    "jacobian_diagonal",
    "jacobian_off_diagonal",
]


class TraceConfig(Schema):
    """How the trace of a flow's Jacobian is computed.

    Attributes:
        name: in training; ``none`` for tasks that need no trace.
        noise: of ``hutchinson``.
        evaluation: in validation, test and figures; ``exact`` uses the closed form where there
            is one.
    """

    name: TraceName | Literal["none"]
    noise: NoiseName
    evaluation: Literal["exact", "hutchinson"]


class RegularizationConfig(Schema):
    """Weights of the integrals along the flow that are added to the loss; 0 leaves one out."""

    kinetic_energy: NonNegative
    jacobian_norm: NonNegative
    directional_derivative: NonNegative
    jacobian_diagonal: NonNegative
    jacobian_off_diagonal: NonNegative

    @property
    def weights(self) -> dict[PenaltyName, float]:
        """Those that are not 0."""
        names: dict[PenaltyName, float] = {
            "kinetic_energy": self.kinetic_energy,
            "jacobian_norm": self.jacobian_norm,
            "directional_derivative": self.directional_derivative,
            "jacobian_diagonal": self.jacobian_diagonal,
            "jacobian_off_diagonal": self.jacobian_off_diagonal,
        }
        return {name: weight for name, weight in names.items() if weight > 0}


Row = Annotated[tuple[float, ...], AsTuple, "a list of numbers"]
Covariance = Annotated[
    float | Row | Annotated[tuple[Row, ...], AsTuple],
    "a number > 0, a list of them, or a symmetric positive definite matrix as a list of rows",
]


class FlowConfig(Schema):
    """What all continuous flows share.

    Attributes:
        flows: number of flows, one after another, each with a field and a time of its own.
        T: each flow runs over a time of this length.
        learn_time: T is a parameter of each flow and starts at the value given.
        reverse: false: the base is at t = 0 and the data at T, as in the 2018 paper; true: the
            other way round, as in FFJORD.
        batch_norm: moving batch normalisation before the first flow and after each.
        base_covariance: of the Gaussian base.
    """

    flows: Count
    T: Positive
    learn_time: bool
    reverse: bool
    batch_norm: bool
    base_covariance: Covariance

    @model_validator(mode="after")
    def _base_is_a_gaussian(self) -> FlowConfig:
        given = self.base_covariance
        if isinstance(given, float):
            right = given > 0
        else:
            rows = [row for row in given if isinstance(row, tuple)]
            variances = [number for number in given if isinstance(number, float)]
            right = is_covariance(rows) if rows else min(variances, default=0) > 0
        if not right:
            raise ValueError(
                f"model.base_covariance={listed_as_yaml(given)}: must be a number > 0, a list of"
                " them (a variance for each dimension), or a symmetric positive definite matrix as"
                " a list of rows, such as [[1.0,0.2],[0.2,0.5]]."
            )
        return self

    @property
    def hidden_layers(self) -> int:
        """Of the field."""
        raise NotImplementedError


class HypernetworkConfig(FlowConfig):
    """The field of the CNF of Chen et al. 2018: ``width`` hidden units, given by a network of time.

    Attributes:
        width: hidden units.
        hidden: width of the network of time.
    """

    name: Literal["hypernetwork"]
    width: Count
    hidden: Count

    @property
    def hidden_layers(self) -> int:
        """One."""
        return 1


class LayeredFlowConfig(FlowConfig):
    """A field of FFJORD's layers.

    Attributes:
        hidden: widths of the hidden layers.
        activation: between the layers.
        spectral_norm: divide each weight by its largest singular value.
    """

    name: Literal["concat", "concat-squash", "concat-coeff"]
    hidden: Annotated[
        tuple[Count, ...], AsTuple, Field(min_length=1), "a list of integers >= 1, such as [64,64]"
    ]
    activation: Literal["tanh", "softplus"]
    spectral_norm: bool

    @property
    def hidden_layers(self) -> int:
        """As many as are listed."""
        return len(self.hidden)
