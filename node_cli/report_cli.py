"""``node-report``: tables, figures and a page of finished runs, partial ones among them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from node_cli import __version__
from node_cli.command import ABOUT_DEBUG, DEBUG, run_command
from node_cli.command_line.sentence_parser import SentenceParser
from node_cli.console import line_console
from node_cli.errors import ConfigError
from node_cli.plain_text import one_line, plain_text, shortened
from node_cli.run_folder.folder_lock import holds_nothing
from node_cli.run_folder.writing import subfolder, write_text, write_whole

if TYPE_CHECKING:
    from node_cli.report.charts import Chart
    from node_cli.report.comparison import Comparison
    from node_cli.report.record import Record
    from node_cli.report.table import TextTable

_ROWS = 60  # of the table on the terminal; the files hold all

_EXAMPLES = """\
examples:
  node-report outputs/mnist-odenet/multirun/DATE_TIME
  node-report outputs --x rtol --y nfe_backward --by adjoint.mode
  node-report SWEEP --where solver=dopri5 --y kl --output figures-of-the-paper
"""


def node_report(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 for a report that could not be made; 2 for a command line that is not
        possible.
    """
    return run_command("node-report", lambda words: _report(_parser().parse_args(words)), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog="node-report",
        description="Tables, figures and a page of any number of runs and sweeps.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths", metavar="PATH", type=Path, nargs="+", help="a run, a sweep, or a folder of them"
    )
    parser.add_argument(
        "--x",
        metavar="COLUMN",
        help="across (default: the tolerance, or another number that differs)",
    )
    parser.add_argument("--y", metavar="COLUMN", help="up (default: error, of the test set)")
    parser.add_argument(
        "--by",
        metavar="COLUMN",
        help="a line for each of its values (default: the solver, or another name that differs)",
    )
    parser.add_argument(
        "--where",
        metavar="COLUMN=VALUE",
        action="append",
        default=[],
        help="only these runs; can be repeated",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        help="where to write (default: report, in the first PATH)",
    )
    parser.add_argument(DEBUG, action="store_true", help=ABOUT_DEBUG)
    parser.add_argument("--version", action="version", version=f"node-cli {__version__}")
    return parser


def _report(flags: argparse.Namespace) -> None:
    from node_cli.report.comparison import Comparison
    from node_cli.report.markdown import markdown
    from node_cli.report.page import page
    from node_cli.report.spreadsheet import csv_text
    from node_cli.report.table import group_table, run_table

    output = _output(flags)
    comparison = Comparison(_chosen(_read(flags.paths), flags.where))
    drawn, y = _drawn(comparison, flags)
    groups = group_table(comparison, y)
    title = plain_text(f"node-report {' '.join(map(str, flags.paths))}")
    means = comparison.groups()
    means.columns = [f"{name[1:]} std" if name[0] == "±" else name for name in means.columns]
    html = page(title, comparison, groups, run_table(comparison), drawn)
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "report.html", html)  # first: it shows what the folder is
    figures = subfolder(output, "figures")
    for chart in drawn:
        write_whole(figures / f"{chart.name}.png", partial(chart.figure.savefig, format="png"))
        write_whole(figures / f"{chart.name}.svg", partial(_put, chart.svg))
    write_text(output / "runs.csv", csv_text(comparison.runs))
    write_text(output / "groups.csv", csv_text(means))
    write_text(output / "report.md", markdown(title, comparison, groups, drawn))
    _show(comparison, groups, y, output)


def _put(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _output(flags: argparse.Namespace) -> Path:
    """The folder to write to, which must not hold anything but a report."""
    from node_cli.report.record import is_run_folder

    output: Path = flags.output or flags.paths[0] / "report"
    again = "; choose another folder with --output FOLDER."
    if flags.output is None and output.is_symlink():
        raise ConfigError(f"{output} is a link to elsewhere{again}")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output} is a file{again}")
    if is_run_folder(output):
        raise ConfigError(f"{output} is the folder of a run{again}")
    part = is_run_folder(output.parent) and output.is_dir() and not holds_nothing(output)
    if part and not (output / "report.html").exists():
        raise ConfigError(f"{output} is a part of a run{again}")
    return output


def _drawn(comparison: Comparison, flags: argparse.Namespace) -> tuple[list[Chart], str]:
    """The figures, for each task apart, and the column that is up."""
    from node_cli.report.charts import charts, default_axes

    known = {
        "x": [*comparison.settings, *comparison.values],
        "y": comparison.values,
        "by": comparison.settings,
    }
    asked = {flag: getattr(flags, flag) for flag in known}
    found = {
        flag: None if name is None else comparison.column(name, f"--{flag}", known[flag])
        for flag, name in asked.items()
    }
    drawn: list[Chart] = []
    for name, part in comparison.by_task().items():
        axes = default_axes(
            part, **{flag: c if c in part.runs else None for flag, c in found.items()}
        )
        for chart in charts(part, axes):
            if name:
                file = _free_name(f"{_file_name(name)}_{chart.name}", [d.name for d in drawn])
                caption = f"{shortened(one_line(name), 60)}: {chart.caption}"
                chart = replace(chart, name=file, caption=caption)
            drawn.append(chart)
    return drawn, found["y"] or "error"


def _file_name(text: str) -> str:
    """A text as a part of a file's name, which leads nowhere else."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("._-")[:60]


def _free_name(name: str, taken: Sequence[str]) -> str:
    """The name, with a number behind it where another has it; some file systems know no case."""
    used = {other.lower() for other in taken}
    names = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(free for free in names if free.lower() not in used)


def _read(paths: Sequence[Path]) -> list[Record]:
    from node_cli.report.record import read_record, run_folders

    for path in paths:
        if not path.is_dir():
            what = "this is no folder" if path.exists() else "there is no such folder"
            raise ConfigError(
                f"{path}: {what}. Give the folder of a run or of a sweep, such as"
                " outputs/TASK/multirun/DATE_TIME."
            )
    # However a folder is named, each run counts once.
    resolved = dict.fromkeys(path.resolve() for path in paths)
    folders = dict.fromkeys(folder for path in resolved for folder in run_folders(path))
    if not folders:
        raise ConfigError(
            f"{' '.join(map(str, paths))}: no runs in there. Give the folder of a run or of a"
            " sweep, such as outputs/TASK/multirun/DATE_TIME."
        )
    return [read_record(folder) for folder in folders]


def _chosen(records: list[Record], conditions: Sequence[str]) -> list[Record]:
    """The records of which all conditions hold."""
    from node_cli.report.comparison import Comparison

    for condition in conditions:
        name, equals, wanted = condition.partition("=")
        if not equals:
            raise ConfigError(f"--where {condition}: write COLUMN=VALUE, such as solver=dopri5.")
        comparison = Comparison(records)
        known = [*comparison.settings, *comparison.values]
        column = comparison.column(name, "--where", known)
        records = [
            record
            for record in records
            if _is(record.settings.get(column, record.values.get(column)), wanted)
        ]
        if not records:
            raise ConfigError(f"--where {condition}: there is no such run.")
    return records


def _is(value: object, wanted: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    # A list is written without spaces on a command line, and with them where it is recorded.
    return str(value).lower().replace(" ", "") == wanted.lower().replace(" ", "")


def _show(comparison: Comparison, groups: TextTable, y: str, output: Path) -> None:
    from node_cli.report.columns import column
    from node_cli.report.table import MEANS

    console = line_console()
    place = plain_text(str(output))
    # A terminal has room for the settings, what was asked for and the main costs.
    left_out = ("resident MB", "ms a step")
    shown = [
        i
        for i, title in enumerate(groups.titles)
        if title not in left_out and (not title.endswith("/test") or title == y)
    ]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for i in shown:
        justify: JustifyMethod = "right" if groups.numeric[i] else "left"
        table.add_column(Text(groups.titles[i]), justify=justify)
    for row in groups.rows[:_ROWS]:
        table.add_row(*(Text(row[i].text) for i in shown))
    console.print(table)
    if len(groups.rows) > _ROWS:
        console.print(f"... and {len(groups.rows) - _ROWS} more rows in {place}/groups.csv")
    others = comparison.runs[comparison.runs["status"] != "finished"]
    if len(others):
        counts = others["status"].value_counts()
        told_counts = ", ".join(f"{count} {status}" for status, count in counts.items())
        console.print(f"\nnot finished: {told_counts}; the page says why", style="red")
    error = column("error", comparison.metrics).axis
    console.print(f"\n{error}. {MEANS}")
    console.print(f"page      {place}/report.html")
    console.print(f"figures   {place}/figures")
    console.print(f"tables    {place}/groups.csv, runs.csv, report.md")
