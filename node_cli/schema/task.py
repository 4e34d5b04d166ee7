"""The group ``task``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from node_cli.schema.base import AsTuple, Schema, Text

Names = Annotated[tuple[Text, ...], AsTuple, Field(min_length=1), "a list of names"]


class TaskConfig(Schema):
    """The task, by a name that is looked up among those that there are.

    Attributes:
        name: of the task.
        models: members of the group ``model`` that it trains; a YAML file may name fewer of them.
        data: members of the group ``data`` that it trains on, likewise.
    """

    name: Text
    models: Names
    data: Names
