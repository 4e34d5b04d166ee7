"""What plugins bring, as the help page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints

from node_cli.plugins.contents import default_values, description_of
from node_cli.plugins.plugin import Plugin
from node_cli.schema.base import allowed
from node_cli.schema.explanation import show
from node_cli.source_place import attribute_docstrings
from node_cli.tasks.entry import names_of


def help_tables(plugin: Plugin) -> Iterator[dict[str, str]]:
    """Its tasks with their descriptions; then each member with its settings and their ranges."""
    if plugin.tasks:
        yield {f"task={task.name}": task.description for task in plugin.tasks}
    for group, schema in dict.fromkeys(plugin.schemas()):
        kinds, texts = get_type_hints(schema, include_extras=True), attribute_docstrings(schema)
        rows = {f"{group}={'|'.join(names_of(schema))}": description_of(schema)}
        for setting, value in default_values(schema).items():
            if setting != "name":
                what = [texts.get(setting, "").rstrip("."), allowed(kinds[setting])]
                rows[f"  {group}.{setting}={show(value)}"] = "; ".join(filter(None, what))
        yield rows
