"""What a run shows while it goes: a bar on a terminal, lines elsewhere and in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from node_cli.console import line_console
from node_cli.training.report_lines import packed, step_scalars

log = logging.getLogger(__name__)

_WIDTH = 100  # of lines, where the terminal has room for them
_BAR = 12
_TIME_LEFT = 7


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
                BarColumn(bar_width=_BAR),
                TextColumn("{task.fields[facts]}"),
                TimeRemainingColumn(compact=True),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, facts="")
            self.phase("starting")

    def __enter__(self) -> Terminal:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def width(self) -> int:
        """Characters of a line."""
        return min(_WIDTH, self.console.width)

    def line(self, text: str, style: str | None = None) -> None:
        """Print a line that stays, and write it to the log of the run."""
        self.note(text)
        self.show(text, style)

    def parts(self, parts: Iterable[str], between: str, style: str | None = None) -> None:
        """Print parts of a text in as few lines as the terminal has room for; log it as one."""
        parts = list(parts)
        self.note(between.join(parts))
        for line in packed(parts, between, self.width):
            self.show(line, style)

    def show(self, text: str, style: str | None = None) -> None:
        """Print a line that stays."""
        if not self._quiet:
            self.console.print(text, style=style)

    def note(self, text: str) -> None:
        """Write a line to the log of the run."""
        log.info("%s", text)

    def expect(self, total_steps: int | None, done: int) -> None:
        """Say how many steps the run has, if that is known, and how many are done."""
        if self._bar is not None:
            self._bar.update(self._task, total=total_steps, completed=done)

    def step(self, epoch: int, done: int, values: Mapping[str, float], seconds: float) -> None:
        """Show a step's scalars; ``seconds`` is what it took."""
        if self._bar is not None:
            total = self._bar.tasks[self._task].total
            count = f"{done}" if total is None else f"{done}/{total:.0f}"
            rate = f"{1.0 / max(seconds, 1e-9):.1f} it/s"
            self._tell(f"epoch {epoch + 1}", [count, *step_scalars(values), rate])
            self._bar.update(self._task, completed=done)

    def phase(self, name: str) -> None:
        """Show on the bar what is done instead of training steps, such as ``validating``."""
        if self._bar is not None:
            self._tell(name, [])

    def announce(self, name: str) -> None:
        """Show what is done for a while after the training: on the bar, else as a line."""
        if self._bar is None:
            self.show(f"{name} ...")
        else:
            self.phase(name)

    def _tell(self, doing: str, facts: Iterable[str]) -> None:
        """Change the bar's text; facts that the terminal has no room for are left out."""
        assert self._bar is not None
        room = self.console.width - _BAR - _TIME_LEFT - 3
        label = self._label
        if len(label) + len(doing) > room // 2:
            label = f"{label[: max(0, room // 2 - len(doing) - 2)]}… " if label else ""
        description = f"{label}{doing}"[: max(1, room)]
        shown = packed(facts, "  ", max(0, room - len(description)))
        fits = bool(shown) and len(shown[0]) <= room - len(description)
        self._bar.update(self._task, description=description, facts=shown[0] if fits else "")
