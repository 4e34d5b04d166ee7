"""The report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from node_cli.plain_text import one_line, plain_text
from node_cli.report.charts import Chart
from node_cli.report.comparison import Comparison
from node_cli.report.table import MEANS, TextTable

# An underscore inside a word, as in max_steps, is text.
_MARKS = re.compile(r"[\\`*\[\]<>&|~$#]|(?<!\w)_|_(?!\w)")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def markdown(title: str, comparison: Comparison, table: TextTable, charts: Sequence[Chart]) -> str:
    """The table of groups, what did not finish, the figures and the commands.

    Args:
        title: of the report.
        comparison: of the runs.
        table: of the groups.
        charts: whose files lie in ``figures``.
    """
    parts = [f"# {_escaped(title)}", _table(table), _escaped(f"{MEANS}.")]
    others = comparison.runs[comparison.runs["status"] != "finished"]
    if len(others):
        lines = [
            f"- {_escaped(r['folder'])}: {_escaped(r['status'])}: {_escaped(r['cause'])}"
            for r in others.to_dict("records")
        ]
        parts += ["## Not finished", "\n".join(lines)]
    for chart in charts:
        caption = _escaped(chart.caption)
        parts += [f"![{caption}](figures/{chart.name}.png)", caption]
    parts += ["## Commands", _code([command for command in comparison.runs["command"] if command])]
    return "\n\n".join(parts) + "\n"


def _code(lines: Sequence[str]) -> str:
    """Lines as they are, between marks that are longer than any in them."""
    plain = list(dict.fromkeys(map(plain_text, lines)))
    longest = max((len(mark) for line in plain for mark in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *plain, fence])


def _table(table: TextTable) -> str:
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [table.titles, rule, *([entry.text for entry in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(_escaped(text) for text in row)} |" for row in rows)


def _escaped(text: str) -> str:
    """Text in one line, without anything that Markdown or HTML takes for more than text."""
    return _MARKS.sub(_escape, one_line(text))


def _escape(mark: re.Match[str]) -> str:
    return _ENTITIES.get(mark[0], f"\\{mark[0]}")
