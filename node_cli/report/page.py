"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from node_cli.report.charts import Chart
from node_cli.report.comparison import Comparison
from node_cli.report.table import MEANS, TextTable


def page(
    title: str,
    comparison: Comparison,
    groups: TextTable,
    runs: TextTable,
    charts: Sequence[Chart],
) -> str:
    """The page; pictures, style and script are in it.

    Args:
        title: of the report.
        comparison: of the runs.
        groups: the table of means.
        runs: the table of runs.
        charts: to show.
    """
    statuses = comparison.runs["status"].value_counts()
    # Each picture is a document of its own, so that the names inside of one do not meet another's.
    pictures: list[dict[str, Any]] = [
        {
            "caption": chart.caption,
            "name": chart.name,
            "svg": base64.b64encode(chart.svg).decode(),
        }
        for chart in charts
    ]
    return _template().render(
        title=title,
        statuses=[f"{count} {status}" for status, count in statuses.items()],
        tables=[
            {"id": "groups", "title": "Means over seeds", "about": f"{MEANS}. ", "table": groups},
            {"id": "runs", "title": "All runs", "about": "", "table": runs},
        ],
        pictures=pictures,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("node_cli.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")
