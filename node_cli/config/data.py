"""What the settings of all data have in common; each family of tasks brings its own."""

from __future__ import annotations

from node_cli.config.schema import Count, Schema


class DataSchema(Schema):
    """The base of the members of the group ``data``.

    Attributes:
        name: of the member; each schema says which names are its own by a ``Literal``.
        batch_size: of the training.
        eval_batch_size: of validation and test.
    """

    name: str
    batch_size: Count
    eval_batch_size: Count
