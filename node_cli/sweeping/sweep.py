"""A sweep, from its command line to its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, RangeSweep
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from node_cli.command_line.overrides import parse, quoted
from node_cli.command_line.resumption import resume_command
from node_cli.command_line.swept_values import number_of_cells
from node_cli.console import line_console
from node_cli.errors import ConfigError, Interrupted
from node_cli.plain_text import one_line
from node_cli.plugins.in_use import plugins_in_use
from node_cli.report.cell_table import cell_name, cell_table
from node_cli.report.record import Record, read_record, run_folders
from node_cli.run_folder.folder_lock import FolderLock, holds_nothing
from node_cli.run_folder.writing import remove_leftovers
from node_cli.schema.catalogue import Catalogue
from node_cli.sweeping.cell import Cell
from node_cli.sweeping.plan import SweepPlan, is_sweep, is_the_same_sweep, own_files_of
from node_cli.sweeping.stopping import Stopping
from node_cli.sweeping.watch import Watch

_NAMES = {"error": "validation error"}  # of objectives
_ROWS = 60  # of the table at the end; a larger sweep is better read in a report


def fixed_order(overrides: Sequence[str], catalogue: Catalogue) -> list[str]:
    """The overrides with globs and shuffles written out, so that cell n is always the same cell.

    Raises:
        ConfigError: a glob that matches nothing.
    """
    written = []
    for override in parse(overrides):
        word, key = override.input_line or "", override.get_key_element()
        value: object = override.value()
        if isinstance(value, Glob):
            members = value.filter(sorted(catalogue.groups.get(key, {})))
            if not members:
                raise ConfigError(f"{word}: no member of {key} matches.")
            word = f"{key}={','.join(members)}"
        elif isinstance(value, ChoiceSweep | RangeSweep) and value.shuffle:
            word = f"{key}={','.join(override.sweep_string_iterator())}"
        written.append(word)
    return written


def planned(
    overrides: Sequence[str], config: DictConfig, config_dir: Path | None, traced: bool = False
) -> SweepPlan:
    """The plan of a sweep.

    Args:
        overrides: of the command line.
        config: that they compose without those that are swept over, with Hydra's own part.
        config_dir: the user's own config folder.
        traced: whether errors are shown with their tracebacks.

    Raises:
        ConfigError: a range that only a search can fill, or the folder holds something else.
        OSError: the folder cannot be made.
    """
    hydra = config.hydra
    choices = hydra["runtime"]["choices"]
    launcher = choices["hydra/launcher"].rpartition("/")[2]
    # A file of the user's own may have another name for it.
    searches = "optuna" in hydra["sweeper"]["_target_"]
    cells = int(hydra["sweeper"]["n_trials"]) if searches else _number_of_cells(overrides)
    OmegaConf.clear_cache(config)  # a folder's name that was only looked at may be taken by now
    folder = Path(hydra["sweep"]["dir"])
    _refuse_another(folder, overrides)
    return SweepPlan(
        folder.absolute(),
        tuple(overrides),
        cells,
        launcher,
        searches,
        tuple(config.objectives),
        config_dir,
        traced,
        tuple(plugin.record for plugin in plugins_in_use() if plugin.path is not None),
    )


def _number_of_cells(overrides: Sequence[str]) -> int:
    parsed = parse(overrides)
    for override in parsed:
        if isinstance(override.value(), IntervalSweep):
            raise ConfigError(
                f"{override.input_line}: only a search can choose from an interval; add"
                " hydra/sweeper=optuna, or give a list of values."
            )
    return number_of_cells(parsed)


def _refuse_another(folder: Path, overrides: Sequence[str]) -> None:
    """Refuse a folder that is not empty, unless it holds this very sweep, which then goes on."""
    if not folder.is_dir() or holds_nothing(folder):
        return
    if not is_sweep(folder):
        raise ConfigError(
            f"hydra.sweep.dir={folder}: there is something else in it; give a new folder."
        )
    if not is_the_same_sweep(folder, overrides):
        raise ConfigError(
            f"hydra.sweep.dir={folder}: another sweep is in it. Give a new folder, or go on with"
            f" that one: {resume_command(folder, own_files_of(folder))}"
        )


def shared_names(plan: SweepPlan) -> list[str]:
    """The settings that all cells share, which are no part of the names of their folders."""
    return [o.get_key_element() for o in parse(plan.overrides) if not o.is_sweep_override()]


def overrides_for_hydra(plan: SweepPlan) -> list[str]:
    """What Hydra is told beside the overrides of the user."""
    shared = ",".join(map(quoted, shared_names(plan)))
    told = [
        # Written out, because it is resolved anew in the processes of other launchers.
        f"hydra.sweep.dir={quoted(str(plan.folder))}",
        f"hydra.job.config.override_dirname.exclude_keys=[{shared}]",
    ]
    if plan.searches:
        directions = ["minimize"] * len(plan.objectives)
        shown = directions[0] if len(directions) == 1 else f"[{','.join(directions)}]"
        told.append(f"hydra.sweeper.direction={shown}")
    return told


def run_sweep(plan: SweepPlan, hand_over: Callable[[Cell], None]) -> int:
    """Run a sweep to its end and show its table.

    Args:
        plan: of the sweep.
        hand_over: has Hydra call the cell with each config.

    Returns:
        0 if every cell finished, 1 otherwise.

    Raises:
        Interrupted: a signal came; the message says how to continue.
        ConfigError: another process runs this sweep.
        OSError: the folder, or the plan in it, cannot be written.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(plan.folder):
        remove_leftovers(plan.folder)
        plan.write()
        return _run_cells(plan, hand_over)


def _run_cells(plan: SweepPlan, hand_over: Callable[[Cell], None]) -> int:
    console = line_console()
    stopping = Stopping(plan)
    try:
        with stopping, Watch(plan):
            hand_over(Cell(plan))
    except KeyboardInterrupt as interruption:
        number = interruption.exit_code - 128 if isinstance(interruption, Interrupted) else 2
        raise _interrupted(plan, number) from interruption
    except Exception as error:
        # Optuna's way to say that no cell of a search has finished.
        nothing_found = plan.searches and "No trials are completed" in str(error)
        if stopping.signal_number is None and not nothing_found:
            raise
    if stopping.signal_number is not None:
        raise _interrupted(plan, stopping.signal_number)
    records = _records(plan)
    console.print()
    console.print(cell_table(records[:_ROWS]))
    if len(records) > _ROWS:
        console.print(f"... and {len(records) - _ROWS} more")
    return _tell_the_end(plan, records, console)


def _interrupted(plan: SweepPlan, signal_number: int) -> Interrupted:
    finished = _finished(_records(plan))
    return Interrupted(
        f"the sweep was stopped; {finished} of {plan.cells} cells are finished. Go on with:"
        f" {resume_command(plan.folder, plan.own)}",
        signal_number,
    )


def _tell_the_end(plan: SweepPlan, records: Sequence[Record], console: Console) -> int:
    others = [record for record in records if record.status != "finished"]
    finished = len(records) - len(others)
    console.print()
    console.print(f"{finished} of {plan.cells} cells finished", style="bold")
    for record in others:
        cause = one_line(record.cause)
        name = " ".join(cell_name(record.folder)).strip()
        console.print(f"cell {name}: {record.status}: {cause}", style="red")
    if plan.searches:
        _tell_what_was_found(plan, console)
    console.print(f"sweep folder   {plan.folder}")
    console.print(f"figures        node-report {plan.folder}")
    console.print(f"look at it     tensorboard --logdir {plan.folder}")
    if others:
        console.print(f"try again      {resume_command(plan.folder, plan.own)}")
    return 0 if finished >= plan.cells and not others else 1


def _tell_what_was_found(plan: SweepPlan, console: Console) -> None:
    path = plan.folder / "optimization_results.yaml"
    if not path.exists():
        return
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    solutions = found.get("solutions") or [
        {"params": found["best_params"], "values": [found["best_value"]]}
    ]
    console.print("best" if len(solutions) == 1 else "best trade-offs", style="bold")
    for solution in solutions:
        settings = " ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in solution["params"].items()
        )
        values = ", ".join(
            f"{_NAMES.get(name, name)} {value:.4g}"
            for name, value in zip(plan.objectives, solution["values"], strict=True)
        )
        console.print(f"  {values} · {settings}")


def _finished(records: Sequence[Record]) -> int:
    return sum(record.status == "finished" for record in records)


def _records(plan: SweepPlan) -> list[Record]:
    return [read_record(folder) for folder in run_folders(plan.folder)]
