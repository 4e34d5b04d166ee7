"""What a run shows while it goes: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SHOWN = {
    "loss/train": ("loss", "{:.4f}"),
    "accuracy/train": ("acc", "{:.1%}"),
    "nfe/forward": ("NFE-F", "{:.1f}"),
    "nfe/backward": ("NFE-B", "{:.1f}"),
}


def in_words(values: Mapping[str, float]) -> str:
    """The scalars that a reader follows, with their names, in one line."""
    return "  ".join(
        f"{name} {form.format(values[tag])}"
        for tag, (name, form) in _SHOWN.items()
        if tag in values
    )


class Terminal:
    """Shows the run's progress and its lines.

    Args:
        mode: ``bar``, ``lines``, ``off``, or ``auto`` for a bar exactly where the output is a
            terminal.
    """

    def __init__(self, mode: str) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
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
            self._task = self._bar.add_task("train", total=None, scalars="", rate="")

    def __enter__(self) -> Terminal:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        if not self._quiet:
            self.console.print(text, markup=False)

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
                description=f"epoch {epoch + 1}",
                scalars=in_words(values),
                rate=f"{1.0 / max(seconds, 1e-9):.1f} it/s",
            )

    def phase(self, name: str) -> None:
        """Show what is done instead of training steps, such as ``validating``."""
        if self._bar is not None:
            self._bar.update(self._task, description=name)
