"""What the settings of a user's own models and data have in common; torch is not needed for them.

A setting is written with its type and its default, and a docstring under it describes it.
"""

from __future__ import annotations

from typing import Any, ClassVar, get_origin

from pydantic import ConfigDict, model_validator

from node_cli.schema.base import Count, Schema
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema


class _Lists(Schema):
    """Settings in which a list is taken where a tuple is meant: YAML knows lists only."""

    @model_validator(mode="before")
    @classmethod
    def _as_tuples(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            name: tuple(value)
            if isinstance(value, list)
            and name in cls.model_fields
            and get_origin(cls.model_fields[name].annotation) is tuple
            else value
            for name, value in given.items()
        }


class ModelSettings(_Lists, ModelSchema):
    """The settings of a model that solves an ODE.

    The first line of the docstring is its description. ``name`` is what the command line calls it,
    as in ``name: Literal["my-net"] = "my-net"``; every setting has a default.
    """

    model_config = ConfigDict(defer_build=True)  # those that families promise are seldom used

    @property
    def solves_an_ode(self) -> bool:
        """Whether the groups ``solver`` and ``adjoint`` decide about it."""
        return True


class BaselineSettings(ModelSettings):
    """The settings of a model without an ODE, which others are compared with."""

    @property
    def solves_an_ode(self) -> bool:
        """It does not."""
        return False


class DataSettings(_Lists, DataSchema):
    """The settings of data; described, named and with defaults as those of models.

    Attributes:
        batch_size: examples in a training batch.
        eval_batch_size: examples in a batch of validation or test.
    """

    batch_size: Count = 64
    eval_batch_size: Count = 500


class OwnField(ModelSettings):
    """A model of a task that is there, with a vector field of the user's own.

    Attributes:
        tasks: the names of the tasks that it is for; the family that promises the class says so.
    """

    tasks: ClassVar[tuple[str, ...]] = ()
