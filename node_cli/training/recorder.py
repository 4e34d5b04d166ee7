"""What a run writes while it goes: TensorBoard events and ``metrics.jsonl``."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from node_cli.config.settings import Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The charts of TensorBoard's custom-scalars tab: what a run costs beside what it reaches. Each is
# a list of expressions that tags are matched with; a tag that a run does not have is left out.
_LAYOUT = {
    "NFE, memory and loss": {
        "loss": ["Multiline", ["^loss/(train|val)$"]],
        "NFE per step": ["Multiline", ["^nfe/(forward|backward|forward_val)$"]],
        "bytes kept for the backward pass": ["Multiline", ["^memory/saved_bytes$"]],
        "peak memory in bytes": ["Multiline", ["^memory/(rss|device)_peak_bytes$"]],
        "steps of the solver": ["Multiline", ["^solver/steps_(accepted|rejected)$"]],
        "seconds per step": ["Multiline", ["^time/step_seconds$"]],
    }
}


class Recorder:
    """Writes the same scalars, under the same names, to TensorBoard and to ``metrics.jsonl``.

    A line of ``metrics.jsonl`` is an object with ``step``, ``epoch`` (as a real number) and the
    scalars of that step.

    Args:
        folder: the run folder.
        resumed_at: the step of the checkpoint that the run goes on from. What was logged after it
            is dropped, because the steps will be taken again.
    """

    def __init__(self, folder: Path, resumed_at: int | None = None) -> None:
        self._figures = folder / "figures"
        lines = folder / "metrics.jsonl"
        if resumed_at is not None and lines.exists():
            _drop_lines_after(lines, resumed_at)
        self._lines = lines.open("a", encoding="utf-8")
        purge = None if resumed_at is None else resumed_at + 1
        self._events = SummaryWriter(str(folder), purge_step=purge)

    def scalars(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Log scalars by tag at a global step."""
        for tag, value in values.items():
            self._events.add_scalar(tag, value, step)
        json.dump({"step": step, "epoch": round(epoch, 6), **values}, self._lines)
        self._lines.write("\n")
        self._lines.flush()

    def figures(self, step: int, figures: Mapping[str, Figure]) -> None:
        """Log figures by name, and keep the newest of each as ``figures/<name>.png``."""
        self._figures.mkdir(exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(self._figures / f"{name}.png")
            self._events.add_figure(name, figure, step)

    def animations(self, step: int, animations: Mapping[str, bytes]) -> None:
        """Log GIF files by name, which TensorBoard plays, and keep ``figures/<name>.gif``."""
        if not animations:
            return
        self._figures.mkdir(exist_ok=True)
        for name, gif in animations.items():
            (self._figures / f"{name}.gif").write_bytes(gif)
            width, height = struct.unpack("<HH", gif[6:10])
            image = Summary.Image(
                height=height, width=width, colorspace=3, encoded_image_string=gif
            )
            summary = Summary(value=[Summary.Value(tag=name, image=image)])
            self._events._get_file_writer().add_summary(summary, step)

    def text(self, tag: str, text: str) -> None:
        """Log a text, shown as it is in TensorBoard's text tab."""
        self._events.add_text(tag, f"```\n{text}\n```")

    def opening(self, settings: Mapping[str, Setting]) -> None:
        """Log the settings for TensorBoard's hparams tab, and the layout of its custom scalars.

        Written into the run's own event file; ``add_hparams`` would make a second run of it. The
        list of all settings and metrics, which torch writes too, is left out: TensorBoard takes it
        from whichever run it finds first, and otherwise gathers it from all of them, those that
        differ first. The tab takes each metric from the last scalar logged under its tag.
        """
        self._events.add_custom_scalars(_LAYOUT)
        _, start, _ = hparams(dict(settings), {})
        self._events._get_file_writer().add_summary(start)

    def ending(self) -> None:
        """Tell the hparams tab that the run came to its end."""
        _, _, end = hparams({}, {})
        self._events._get_file_writer().add_summary(end)

    def flush(self) -> None:
        """Make what was logged visible to readers."""
        self._events.flush()

    def close(self) -> None:
        """Write out everything and close the files."""
        self._lines.close()
        self._events.close()


def _drop_lines_after(path: Path, step: int) -> None:
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            logged = json.loads(line)["step"]
        except (ValueError, KeyError):
            # A run that was killed may have left half a line.
            continue
        if logged <= step:
            kept.append(line)
    shortened = path.with_suffix(".tmp")
    shortened.write_text("".join(kept), encoding="utf-8")
    shortened.replace(path)
