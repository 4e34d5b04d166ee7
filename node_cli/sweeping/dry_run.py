"""What a command line would run, shown before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, flag_override
from rich.table import Table
from rich.text import Text

from node_cli.command_line.composition import validate_composed
from node_cli.command_line.overrides import cells, split
from node_cli.console import line_console
from node_cli.errors import ConfigError, DisagreementError
from node_cli.sweeping.plan import SweepPlan
from node_cli.sweeping.sweep import shared_names

CELLS_SHOWN = 100  # of a larger sweep


def show_run(config: DictConfig) -> None:
    """Show what a single run would be.

    Args:
        config: with Hydra's own part.

    Raises:
        ConfigError: it is not possible.
    """
    validated = validate_composed(config)
    console = line_console()
    console.print(f"1 run of {validated.task.name}, which is possible")
    console.print(f"run folder     {Path(config.hydra.run.dir).absolute()}")
    console.print("settings       the same command with --cfg job instead of --dry-run")


def show_sweep(plan: SweepPlan, composed: Callable[[Sequence[str]], DictConfig]) -> None:
    """Show the cells of a sweep, or what a search would try.

    Args:
        plan: of the sweep.
        composed: gives the config of a cell's overrides, with Hydra's own part.

    Raises:
        ConfigError: a cell has a setting that cannot be, or no cell is possible.
    """
    fixed, swept = split(plan.overrides)
    console = line_console()
    if plan.searches:
        validate_composed(composed(fixed))
        console.print(f"a search of {plan.cells} cells for the least {', '.join(plan.objectives)}")
        for word in swept:
            console.print(f"it chooses     {word}")
        console.print(f"sweep folder   {plan.folder}")
        return
    table = Table("cell", "what differs", "folder", box=None, pad_edge=False)
    problems: list[ConfigError] = []
    for number, job in enumerate(cells(plan.overrides, CELLS_SHOWN)):
        differs = Text(" ".join(word for word in job if word not in fixed))
        folder = ""
        try:
            config = composed(job)
            folder = _folder_name(config, number, plan)
            validate_composed(config)
        except ConfigError as error:
            problems.append(error)
            differs.append(f"\nimpossible: {error}", style="red")
        table.add_row(str(number + 1), differs, Text(folder))
    console.print(table)
    if plan.cells > CELLS_SHOWN:
        console.print(f"... and {plan.cells - CELLS_SHOWN} more")
    impossible = f", {len(problems)} of them impossible" if problems else ""
    console.print(f"\n{plan.cells} cells{impossible} · launcher {plan.launcher}", style="bold")
    console.print(f"sweep folder   {plan.folder}")
    # A corner of a grid may be impossible; a setting that no run can have may not.
    wrong = [problem for problem in problems if not isinstance(problem, DisagreementError)]
    if wrong or len(problems) == plan.cells:
        raise (wrong or problems)[0]


def _folder_name(config: DictConfig, number: int, plan: SweepPlan) -> str:
    with flag_override(config.hydra, ["struct", "readonly"], [False, False]):
        config.hydra.job.num = number
        config.hydra.job.config.override_dirname.exclude_keys = shared_names(plan)
    return str(OmegaConf.select(config, "hydra.sweep.subdir"))
