"""What a run shows while it goes: a bar on a terminal, lines elsewhere and in the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node_cli.console import line_console
from node_cli.training.report_lines import step_scalars

log = logging.getLogger(__name__)


class Terminal:
    """Shows the run's progress and its lines.

    Args:
        mode: ``bar``, ``lines``, ``off``, or ``auto`` for a bar exactly where the output is a
            terminal.
        label: what stands before the epoch on the bar, such as the cell of a sweep.
    """

    def __init__(self, mode: str, label: str = "") -> None:
        self._label = label
        self.console = line_console()
        if mode == "auto":
            mode = "bar" if self.console.is_terminal else "lines"
        self._quiet = mode == "off"
        self._bar: Progress | None = None
        if mode == "bar":
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[scalars]}"),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task(f"{label}starting", total=None, scalars="", rate="")

    def __enter__(self) -> Terminal:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def line(self, text: str, style: str | None = None) -> None:
        """Print a line that stays, and write it to the log of the run."""
        log.info("%s", text)
        if not self._quiet:
            self.console.print(text, style=style)

    def expect(self, total_steps: int | None, done: int) -> None:
        """Say how many steps the run has, if that is known, and how many are done."""
        if self._bar is not None:
            self._bar.update(self._task, total=total_steps, completed=done)

    def step(self, epoch: int, done: int, values: Mapping[str, float], seconds: float) -> None:
        """Show a step's scalars; ``seconds`` is what it took."""
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=done,
                description=f"{self._label}epoch {epoch + 1}",
                scalars=step_scalars(values),
                rate=f"{1.0 / max(seconds, 1e-9):.1f} it/s",
            )

    def phase(self, name: str) -> None:
        """Show what is done instead of training steps, such as ``validating``."""
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self._label}{name}")
