"""What the settings of all data have in common; each family of tasks brings its own."""

from __future__ import annotations

from pathlib import Path

from node_cli.schema.base import Count, Schema


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

    @property
    def own_file(self) -> Path | None:
        """The user's own file or folder, which a member with the setting ``path`` reads."""
        path = getattr(self, "path", None)
        return None if path is None else Path(path)
