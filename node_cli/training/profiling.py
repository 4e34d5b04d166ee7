"""Where the time of training steps goes: a trace of some of them by torch's profiler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from node_cli.run_folder.writing import write_text
from node_cli.training.terminal import Terminal

# Steps that are left out as the first ones are slower, and steps that are recorded.
LEFT_OUT, RECORDED = 4, 10
_ROWS = 40  # of the table of operations


@contextmanager
def profiled(
    wanted: bool, folder: Path, step: int, terminal: Terminal
) -> Iterator[Callable[[], None]]:
    """Record some training steps in ``folder``.

    Args:
        wanted: else nothing is recorded.
        folder: gets the trace, a compressed JSON file of events in microseconds, and a table of
            operations.
        step: training steps before those to come, for the files' names.
        terminal: is told where the trace is.

    Yields:
        What is to be called after each training step.
    """
    if not wanted:
        yield lambda: None
        return
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)

    written = False

    def write(found: profile) -> None:
        nonlocal written
        written = True
        folder.mkdir(parents=True, exist_ok=True)
        name = f"after_step_{step}"
        trace = folder / f"{name}.json.gz"
        found.export_chrome_trace(str(trace))
        operations = found.key_averages().table(sort_by="self_cpu_time_total", row_limit=_ROWS)
        write_text(folder / f"{name}.txt", operations)
        terminal.line(f"profile      {trace}  (for https://ui.perfetto.dev or chrome://tracing)")

    when = schedule(wait=LEFT_OUT - 1, warmup=1, active=RECORDED, repeat=1)
    with profile(activities=activities, schedule=when, on_trace_ready=write) as running:
        yield running.step
    if not written:
        terminal.line(
            f"nothing was profiled: the first {LEFT_OUT} steps are left out, and there were no more"
        )
