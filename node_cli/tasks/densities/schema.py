"""The settings of densities, in the plane or of a table, and of the flows that learn them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from node_cli.schema.base import (
    AsTuple,
    BetweenZeroAndOne,
    Count,
    NonNegative,
    Positive,
    Text,
    listed_as_yaml,
)
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.tasks.densities.covariance import is_covariance
from node_cli.tasks.own_settings import OwnField

if TYPE_CHECKING:
    from torch import nn

    from node_cli.schema.run import RunConfig

Row = Annotated[tuple[float, ...], AsTuple, "a list of numbers"]
Covariance = Annotated[
    float | Row | Annotated[tuple[Row, ...], AsTuple],
    "a number > 0, a list of them, or a symmetric positive definite matrix as a list of rows",
]


class FlowConfig(ModelSchema):
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
    def interval(self) -> float:
        """The length of each flow."""
        return self.T

    @property
    def has_trace(self) -> bool:
        """A density needs it."""
        return True

    def of_a_density(self, config: RunConfig) -> Iterator[str]:
        """What a density needs of the trace and of the precision."""
        if config.trace.name == "none":
            yield (
                f"model={self.name} trace=none: a flow needs the trace of its Jacobian; use"
                " trace=closed-form, trace=exact or trace=hutchinson."
            )
        if config.trainer.precision != "fp32":
            yield (
                f"model={self.name} trainer.precision={config.trainer.precision}: a density needs"
                " single precision; use trainer.precision=fp32."
            )
        if self.batch_norm and config.data.batch_size == 1:
            yield (
                "model.batch_norm=true data.batch_size=1: one point has no variance to normalise"
                " by; use a data.batch_size of 2 or more, or model.batch_norm=false."
            )


class PerceptronFlowConfig(FlowConfig):
    """A flow whose field is a perceptron of ours, with derivatives that we have written out."""

    @property
    def hidden_layers(self) -> int:
        """Of the field."""
        raise NotImplementedError

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """As of every density; and only one hidden layer has a closed form of the trace."""
        name = self.name
        yield from self.of_a_density(config)
        if config.trace.name == "closed-form" and self.hidden_layers != 1:
            yield (
                f"model={name} trace=closed-form: only a field with one hidden layer has a closed"
                f" form, and this one has {self.hidden_layers}; use trace=exact or"
                " trace=hutchinson, or model.hidden=[64]."
            )


class HypernetworkConfig(PerceptronFlowConfig):
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
        """The field has one hidden layer."""
        return 1


class LayeredFlowConfig(PerceptronFlowConfig):
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
        """One for each width in ``hidden``."""
        return len(self.hidden)


class FlowModel(FlowConfig, OwnField):
    """The settings of a flow with a vector field of the user's own, for cnf-2d and cnf-tabular.

    A subclass has a ``name``, settings of its own and ``field``.
    """

    tasks: ClassVar[tuple[str, ...]] = ("cnf-2d", "cnf-tabular")

    flows: Count = 1
    """One after another, each with a field and a time of its own."""
    T: Positive = 1.0
    """The length of each flow."""
    learn_time: bool = False
    """T is a parameter and starts at the value given."""
    reverse: bool = False
    """Base at t = 0 and data at T; true: the other way round."""
    batch_norm: bool = False
    """Moving batch normalisation around each flow."""
    base_covariance: Covariance = 1.0
    """A variance, a list of variances, or a matrix."""

    @abstractmethod
    def field(self, dimensions: int) -> nn.Module:
        """The vector field.

        Args:
            dimensions: d.

        Returns:
            A module: called as ``field(t, z)`` with ``t`` a scalar tensor and points ``z``
            ``[N, d]``, it gives dz/dt, ``[N, d]``. The derivative at a point must depend on that
            point alone.
        """

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """As of every flow, but that nobody knows a closed form of its trace."""
        if config.trace.name == "closed-form":
            yield (
                f"model={self.name} trace=closed-form: no closed form is known of a field of your"
                " own; use trace=exact or trace=hutchinson."
            )
        yield from self.of_a_density(config)


class DensityConfig(DataSchema):
    """Points of a density in the plane: fresh ones in each step, fixed ones for evaluation.

    Attributes:
        batch_size: points in a training batch.
        batches: training batches in an epoch.
        eval_batch_size: points in a batch of validation or test.
        validation: points for validation.
        test: points for the test.
        scale: multiplies the coordinates; at 1 they fill about the square from -1 to 1.
    """

    batches: Count
    validation: Count
    test: Count
    scale: Positive


class ShapeConfig(DensityConfig):
    """A shape with noise; ``noise`` is its standard deviation before ``scale``."""

    name: Literal[
        "circles", "rings", "moons", "two-spirals", "pinwheel", "8-gaussians", "swiss-roll"
    ]
    noise: NonNegative

    @model_validator(mode="after")
    def _gaussians_have_a_width(self) -> ShapeConfig:
        if self.name == "8-gaussians" and self.noise == 0:
            raise ValueError(
                "data.noise=0: is the standard deviation of the eight Gaussians; must be > 0."
            )
        return self


class CheckerboardConfig(DensityConfig):
    """Eight uniform squares."""

    name: Literal["checkerboard"]


Numbers = Annotated[tuple[float, ...], AsTuple, "a list of numbers"]
Rows = Annotated[tuple[Numbers, ...], AsTuple, "a list of lists of numbers"]


class MixtureConfig(DensityConfig):
    """A mixture of Gaussians, whose density is known.

    Attributes:
        weights: of the components; they need not sum to 1.
        means: ``[x, y]`` of each.
        covariances: a symmetric positive definite matrix of each, as two rows.
    """

    name: Literal["gaussian-mixture"]
    weights: Annotated[
        tuple[Positive, ...], AsTuple, Field(min_length=1), "a list of finite numbers > 0"
    ]
    means: Annotated[Rows, "a list of [x,y]"]
    covariances: Annotated[
        tuple[Rows, ...], AsTuple, "a list of [[a,b],[b,c]], symmetric and positive definite"
    ]

    @model_validator(mode="after")
    def _is_a_mixture(self) -> MixtureConfig:
        count = len(self.weights)
        if len(self.means) != count or any(len(mean) != 2 for mean in self.means):
            raise ValueError(f"data.means: must be {count} pairs [x,y], one for each weight.")
        if len(self.covariances) != count or not all(
            len(rows) == 2 and is_covariance(rows) for rows in self.covariances
        ):
            raise ValueError(
                f"data.covariances: must be {count} matrices [[a,b],[b,c]], one for each weight,"
                " symmetric and positive definite."
            )
        return self


class PictureConfig(DensityConfig):
    """Points of a picture, as likely as its pixels are bright.

    Attributes:
        path: of the picture.
        invert: dark pixels are likely, instead of bright ones.
    """

    name: Literal["image"]
    path: Text | None
    invert: bool

    @model_validator(mode="after")
    def _has_a_file(self) -> PictureConfig:
        if self.path is None:
            raise ValueError("data=image needs a picture: give data.path=FILE.")
        return self


class TableConfig(DataSchema):
    """Rows of numbers from a file, shuffled, split and standardised.

    Attributes:
        path: of a text file with cells or of a .npy file.
        header: whether the first line of a text file names the columns; null: found out.
        dequantize: uniform noise is added to columns of a few values, which have no density; null:
            such columns are refused; false: they are taken as they are.
        batch_size: rows in a training batch.
        eval_batch_size: rows in a batch of validation or test.
        validation: share of the rows for validation.
        test: share of the rows for the test.
    """

    name: Literal["table"]
    path: Text | None
    header: bool | None = None  # runs from before it have none
    dequantize: bool | None = False  # runs from before it took all columns as they are
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne

    @model_validator(mode="after")
    def _has_a_file_and_three_parts(self) -> TableConfig:
        if self.path is None:
            raise ValueError("data=table needs a file: give data.path=FILE, a .csv or a .npy.")
        if self.validation + self.test >= 1:
            raise ValueError(
                f"data.validation={self.validation:g} data.test={self.test:g}: together they must"
                " be below 1, so that rows are left for training."
            )
        return self


PlaneConfig = ShapeConfig | CheckerboardConfig | MixtureConfig | PictureConfig
