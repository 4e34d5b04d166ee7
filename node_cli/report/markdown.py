"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from node_cli.report.charts import Chart
from node_cli.report.comparison import Comparison
from node_cli.report.table import TextTable


def markdown(title: str, comparison: Comparison, table: TextTable, charts: Sequence[Chart]) -> str:
    """The table of groups, what did not finish, the figures and the commands.

    Args:
        title: of the report.
        comparison: of the runs.
        table: of the groups.
        charts: whose files lie in ``figures``.
    """
    parts = [f"# {title}", _table(table)]
    others = comparison.runs[comparison.runs["status"] != "finished"]
    if len(others):
        rows = others.to_dict("records")
        lines = [f"- `{r['folder']}`: {r['status']}: {_one_line(r['cause'])}" for r in rows]
        parts += ["## Not finished", "\n".join(lines)]
    for chart in charts:
        parts += [f"![{chart.caption}](figures/{chart.name}.png)", chart.caption]
    commands = dict.fromkeys(command for command in comparison.runs["command"] if command)
    parts += ["## Commands", "\n".join(["```", *commands, "```"])]
    return "\n\n".join(parts) + "\n"


def _table(table: TextTable) -> str:
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [table.titles, rule, *([entry.text for entry in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(_escaped(text) for text in row)} |" for row in rows)


def _escaped(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())
