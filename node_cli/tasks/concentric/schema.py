"""The settings of concentric spheres, and of the models that are only for points."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from node_cli.schema.base import AsTuple, Count, Positive, listed_as_yaml
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.schema.vector_field import Activation, SecondOrderConfig, Widths


class SpheresConfig(DataSchema):
    """A ball inside of a shell, in ``dimensions`` dimensions.

    Attributes:
        dimensions: d.
        inner: radius of the ball.
        shell: inner and outer radius of the shell around it.
        points: for training; a third of them are of the ball.
        validation: points, likewise.
        test: points, likewise.
    """

    name: Literal["spheres"]
    dimensions: Count
    inner: Positive
    shell: Annotated[tuple[Positive, Positive], AsTuple, "two numbers > 0, such as [1.0,1.5]"]
    points: Count
    validation: Count
    test: Count

    @model_validator(mode="after")
    def _lie_one_inside_the_other(self) -> SpheresConfig:
        near, far = self.shell
        if not self.inner < near < far:
            raise ValueError(
                f"data.inner={self.inner:g} data.shell={listed_as_yaml(self.shell)}: the ball must"
                " lie inside of the shell, data.inner < data.shell[0] < data.shell[1]."
            )
        return self


class SecondOrderOfPointsConfig(SecondOrderConfig):
    """A perceptron as the acceleration of points, whose velocity nobody has observed."""

    @model_validator(mode="after")
    def _velocity_is_not_observed(self) -> SecondOrderOfPointsConfig:
        if self.velocity == "observed":
            raise ValueError(
                "model.velocity=observed: points have no velocity that could be observed; use"
                " model.velocity=learned or model.velocity=zero."
            )
        return self


class MlpResNetConfig(ModelSchema):
    """Residual blocks in the place of the ODE, each with a perceptron of its own.

    Attributes:
        hidden: widths of the hidden layers of each.
        activation: after each of them.
        blocks: how many.
    """

    name: Literal["mlp-resnet"]
    hidden: Widths
    activation: Activation
    blocks: Count
