"""The tables of a report as CSV, which spreadsheets open."""

from __future__ import annotations

import pandas as pd

from node_cli.plain_text import plain_text

_FORMULA = ("=", "+", "-", "@")


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV; what a spreadsheet would take for a formula has a ``'`` before it.

    Args:
        table: its numbers stay as they are.
    """
    harmless = {name: _harmless(table[name]) for name in table.columns}
    return str(pd.DataFrame(harmless, index=table.index).to_csv(index=False))


def _harmless(column: pd.Series[object]) -> pd.Series[object]:
    if pd.api.types.is_numeric_dtype(column):
        return column
    return column.map(lambda value: _cell(value) if isinstance(value, str) else value)


def _cell(text: str) -> str:
    text = plain_text(text)  # tabs and line breaks among them
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
