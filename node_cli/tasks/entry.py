"""What is known of a task before torch is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeGuard, get_args

from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema

MemberGroup = Literal["model", "data"]
MEMBER_GROUPS: tuple[MemberGroup, ...] = get_args(MemberGroup)
MemberSchema = type[ModelSchema] | type[DataSchema]


@dataclass(frozen=True)
class TaskEntry:
    """A task, as its family's ``entry.py``, or a package of the user's own, lists it in ``TASKS``.

    Attributes:
        name: on the command line.
        task: its class, as ``module:Class``, or a function that makes one of the config of a run;
            imported when a run is certain.
        models: the schemas of the models that it trains.
        data: the schemas of the data that it trains on.
        ode_model: the model to advise where one is needed that solves an ODE; None: it has none.
        description: one line; that of a task of ours stands in its YAML file.
        defaults: what it sets of other groups, such as ``{"optimizer": "adam", "optimizer.lr":
            0.01}``; of a task of ours likewise.
        refused: why it does not take what one may expect of it: a reason for each member, such as
            ``model=augmented``, or setting, such as ``model.augment_dim``, of ``model`` and
            ``data``.
    """

    name: str
    task: str
    models: Sequence[type[ModelSchema]]
    data: Sequence[type[DataSchema]]
    ode_model: str | None
    description: str = ""
    defaults: Mapping[str, object] = field(default_factory=dict, hash=False)
    refused: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for group in ("models", "data"):  # a package may list them
            object.__setattr__(self, group, tuple(getattr(self, group)))

    def schemas(self, group: MemberGroup) -> Sequence[MemberSchema]:
        """Those of its models or of its data."""
        return self.models if group == "model" else self.data

    def members(self, group: MemberGroup) -> tuple[str, ...]:
        """The names of its models or of its data, as their schemas have them."""
        return tuple(name for schema in self.schemas(group) for name in names_of(schema))


def is_name(text: object) -> TypeGuard[str]:
    """Whether a task or a member can be called so."""
    return isinstance(text, str) and re.fullmatch("[A-Za-z][A-Za-z0-9_-]*", text) is not None


def names_of(schema: MemberSchema) -> tuple[str, ...]:
    """The members of a group whose settings a schema is, as its ``name`` lists them."""
    return get_args(schema.model_fields["name"].annotation)
