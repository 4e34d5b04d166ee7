"""What is known of a task before torch is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from node_cli.config.data import DataSchema
from node_cli.config.model import ModelSchema

MemberGroup = Literal["model", "data"]


@dataclass(frozen=True)
class TaskEntry:
    """A task, as its family's ``entry.py`` lists it in ``TASKS``.

    Attributes:
        name: on the command line.
        task: its class, as ``module:Class``; imported when a run is certain.
        models: the schemas of the models that it trains.
        data: the schemas of the data that it trains on.
        ode_model: the model to advise where one is needed that solves an ODE; None: it has none.
    """

    name: str
    task: str
    models: Sequence[type[ModelSchema]]
    data: Sequence[type[DataSchema]]
    ode_model: str | None

    def members(self, group: MemberGroup) -> tuple[str, ...]:
        """The names of its models or of its data, as their schemas have them."""
        schemas = self.models if group == "model" else self.data
        return tuple(
            name for schema in schemas for name in get_args(schema.model_fields["name"].annotation)
        )
