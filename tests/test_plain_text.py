from pathlib import Path

import pytest

from node_cli.plain_text import one_line, plain_lines, plain_text, shortened
from node_cli.report.cell_table import cell_name, cell_table
from node_cli.report.record import Record


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtol=0.1 · é 日本\u3000語", "rtol=0.1 · é 日本\u3000語"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("\udcff\0\r\n\t", "\\udcff\\x00\\r\\n\\t"),
        ("\u2028", "\\u2028"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text, shown):
    assert plain_text(text) == shown


def test_lines_and_lengths():
    assert plain_lines("a\x1b\nb") == "a\\x1b\nb"
    assert one_line(" a \n\t b\x07") == "a b\\x07"
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abcde", 4) == "abc…"


def test_the_end_of_a_sweep_obeys_nothing():
    folder = Path("3_a=\x1b]0;x\x07,b=[red]")
    assert cell_name(folder) == ("4", "a=\\x1b]0;x\\x07 b=[red]")
    table = cell_table([Record(folder, "finished")])
    assert "[red]" in str(next(iter(table.columns[1].cells)))
