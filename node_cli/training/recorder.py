"""What a run writes while it goes: TensorBoard events and ``metrics.jsonl``."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import custom_scalars, hparams, scalar, text

from node_cli.run_folder.writing import open_to_append, subfolder, write_whole
from node_cli.schema.settings import Setting
from node_cli.training.event_file import EventFile, event_files
from node_cli.training.log_position import LogPosition, bring_back, drop_lines_after

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The charts of TensorBoard's custom-scalars tab: what a run costs beside what it reaches. Each is
# a list of expressions that tags are matched with; a tag that a run does not have is left out.
_LAYOUT = {
    "NFE, memory and loss": {
        "loss": ["Multiline", ["^loss/(train|val)$"]],
        "NFE per step": ["Multiline", ["^nfe/(forward|backward|forward_val)$"]],
        "NFE of drift and diffusion": ["Multiline", ["^nfe/(drift|diffusion)(_backward)?$"]],
        "bytes kept for the backward pass": ["Multiline", ["^memory/saved_bytes$"]],
        "peak memory in bytes": ["Multiline", ["^memory/(rss|device)_peak_bytes$"]],
        "steps of the solver": ["Multiline", ["^solver/steps_(accepted|rejected)$"]],
        "seconds per step": ["Multiline", ["^time/step_seconds$"]],
    }
}


class Recorder:
    """Writes the same scalars, under the same names, to TensorBoard and to ``metrics.jsonl``.

    A line of ``metrics.jsonl`` is an object with ``step``, ``epoch`` (as a real number) and the
    scalars of that step. Nothing is touched before ``begin`` or ``resume``.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._metrics = folder / "metrics.jsonl"
        self._lines: BufferedWriter | None = None
        self._events: EventFile | None = None

    def begin(self) -> None:
        """Open the log of a run that begins.

        Raises:
            WritingError: a link is in the place of a file.
            OSError: a file cannot be made.
        """
        self._lines = open_to_append(self._metrics)
        # TensorBoard follows what a resumed run lets it forget only if it saw a start before.
        self._events = EventFile(self._folder, purge_step=0)

    def resume(self, position: LogPosition | None, step: int) -> None:
        """Bring the log back to where a checkpoint was written, and open it.

        Args:
            position: of that checkpoint; None where an older version wrote it. Then what was
                logged after the checkpoint's step is dropped, and what was logged at it may be
                there twice.
            step: of the checkpoint.

        Raises:
            WritingError: a link is in the place of a file.
            OSError: a file cannot be shortened or made.
        """
        if position is None:
            drop_lines_after(self._metrics, step)
        else:
            bring_back(self._folder, self._metrics, position)
        self._lines = open_to_append(self._metrics)
        self._events = EventFile(self._folder, purge_step=step + 1)

    def position(self) -> LogPosition:
        """What the log holds now, safe on the disk.

        Raises:
            OSError: it cannot be written.
        """
        lines, events = self._opened()
        lines.flush()
        os.fsync(lines.fileno())
        events.sync()
        sizes = {path.name: path.stat().st_size for path in event_files(self._folder)}
        filled = {name: size for name, size in sizes.items() if size > 0}
        return LogPosition(os.fstat(lines.fileno()).st_size, filled)

    def scalars(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Log scalars by tag at a global step."""
        lines, events = self._opened()
        for tag, value in values.items():
            events.add(scalar(tag, value), step)
        line = {"step": step, "epoch": round(epoch, 6), **values}
        lines.write(json.dumps(line).encode() + b"\n")
        lines.flush()

    def figures(self, step: int, figures: Mapping[str, Figure]) -> None:
        """Log figures by name, and keep the newest of each as ``figures/<name>.png``."""
        for name, figure in figures.items():
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png")
            png = drawn.getvalue()
            width, height = struct.unpack(">II", png[16:24])
            self._picture(step, name, "png", png, (width, height))

    def animations(self, step: int, animations: Mapping[str, bytes]) -> None:
        """Log GIF files by name, which TensorBoard plays, and keep ``figures/<name>.gif``."""
        for name, gif in animations.items():
            width, height = struct.unpack("<HH", gif[6:10])
            self._picture(step, name, "gif", gif, (width, height))

    def text(self, tag: str, content: str) -> None:
        """Log a text, shown as it is in TensorBoard's text tab."""
        _, events = self._opened()
        events.add(text(tag, f"```\n{content}\n```"))

    def opening(self, settings: Mapping[str, Setting]) -> None:
        """Log the settings for TensorBoard's hparams tab, and the layout of its custom scalars.

        Written into the run's own event file; ``add_hparams`` would make a second run of it. The
        list of all settings and metrics, which torch writes too, is left out: TensorBoard takes it
        from whichever run it finds first, and otherwise gathers it from all of them, those that
        differ first. The tab takes each metric from the last scalar logged under its tag.
        """
        _, events = self._opened()
        events.add(custom_scalars(_LAYOUT))
        _, start, _ = hparams(dict(settings), {})
        events.add(start)

    def ending(self) -> None:
        """Tell the hparams tab that the run came to its end."""
        _, events = self._opened()
        _, _, end = hparams({}, {})
        events.add(end)

    def flush(self) -> None:
        """Make what was logged visible to readers."""
        _, events = self._opened()
        events.flush()

    def close(self) -> None:
        """Write out everything and close the files; what has no room was told before."""
        if self._events is not None:
            self._events.close()
        if self._lines is not None:
            with suppress(OSError):
                self._lines.flush()
            self._lines.raw.close()

    def _opened(self) -> tuple[BufferedWriter, EventFile]:
        assert self._lines is not None
        assert self._events is not None
        return self._lines, self._events

    def _picture(
        self, step: int, name: str, kind: str, content: bytes, size: tuple[int, int]
    ) -> None:
        _, events = self._opened()
        path = subfolder(self._folder, "figures") / f"{name}.{kind}"
        write_whole(path, lambda file: file.write(content))
        width, height = size
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=content
        )
        events.add(Summary(value=[Summary.Value(tag=name, image=image)]), step)
