"""``node-flow``: uses a trained flow; draws samples and evaluates the log-density of points."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from node_cli.command import run_command
from node_cli.command_line.number_arguments import count, positive, seed
from node_cli.command_line.output_file import output_file, refuse_an_impossible_output
from node_cli.command_line.run_arguments import run_arguments
from node_cli.command_line.sentence_parser import SentenceParser
from node_cli.data.result_table import ResultTable
from node_cli.errors import CheckpointError, ConfigError
from node_cli.methods import METHODS
from node_cli.plain_text import plain_text

if TYPE_CHECKING:
    from torch import Tensor

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.densities.normalizing_flow import NormalizingFlow

_CHUNK = 10_000
_DIGITS = 12  # of a number in a CSV file


def node_flow(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 where something failed; 2 for a command line that is not possible.
    """
    return run_command("node-flow", _carry_out, arguments)


def _carry_out(arguments: Sequence[str]) -> None:
    options = _parser().parse_args(arguments)
    options.run_command(options)


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(prog="node-flow", description="Use a flow that node-train has trained.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=SentenceParser)
    shared = run_arguments(output_file, "a .csv or .npy file", "the vector field")
    shared.add_argument(
        "--tolerance", type=positive, metavar="TOL", help="rtol and atol; default: the run's own"
    )
    sample = commands.add_parser("sample", parents=[shared], help="draw samples")
    sample.add_argument(
        "-n", "--count", type=count, required=True, metavar="N", help="number of samples"
    )
    sample.add_argument("--seed", type=seed, default=0, help="default: 0")
    sample.set_defaults(run_command=_sample)
    density = commands.add_parser(
        "log-density", parents=[shared], help="log-density of points, in nats"
    )
    density.add_argument("points", type=Path, metavar="POINTS", help="a .csv or .npy file")
    density.set_defaults(run_command=_log_density)
    return parser


def _sample(options: argparse.Namespace) -> None:
    import torch

    from node_cli.tasks.densities.own_points import refuse_too_many_samples

    refuse_an_impossible_output(options.output)
    model = _load(options)
    refuse_too_many_samples(model, options.count, "--count")
    generator = torch.Generator().manual_seed(options.seed)
    drawn = torch.empty(options.count, model.dimensions, dtype=model.shift.dtype)
    with torch.no_grad():
        filled = 0
        for base in model.draw_base_in_parts(options.count, generator):
            drawn[filled : filled + len(base)] = model.inverse(base)
            filled += len(base)
    ResultTable(model.columns, drawn.numpy(), digits=_DIGITS).write(options.output)
    print(f"{options.count} samples in {plain_text(str(options.output))}")


def _log_density(options: argparse.Namespace) -> None:
    import torch

    from node_cli.data.number_table import read_table
    from node_cli.tasks.densities.own_points import check_columns, log_densities

    refuse_an_impossible_output(options.output, options.points)
    model = _load(options)
    table = read_table(options.points, "POINTS")
    check_columns(model, table, str(options.points))
    points = torch.from_numpy(table.values).to(model.shift)
    with torch.no_grad():
        found = torch.cat([log_densities(model, chunk).cpu() for chunk in points.split(_CHUNK)])
    ResultTable(["log_density"], found.numpy(), digits=_DIGITS).write(options.output)
    scored = found[found.isfinite()].double()
    mean = float(scored.mean()) if len(scored) else math.nan
    bits = -mean / (model.dimensions * math.log(2))
    print(
        f"{len(scored)} points: NLL {-mean:.4f} nats, {bits:.4f} bits per dimension;"
        f" {plain_text(str(options.output))}"
    )
    if len(scored) < len(found):
        print(_about_the_rest(found))


def _about_the_rest(found: Tensor) -> str:
    """A line about points whose log-density is no finite number."""
    far, unsolved = found.isneginf(), found.isnan()
    said = [
        f"{int(rows.sum())} {what} ({value}), the first in row {int(rows.nonzero()[0])} (from 0)"
        for rows, what, value in (
            (far, "of density 0, too far from the data", "-inf"),
            (unsolved, "that the solver could not follow", "nan"),
        )
        if bool(rows.any())
    ]
    return f"left out of these: {'; '.join(said)}"


def _load(options: argparse.Namespace) -> NormalizingFlow:
    """The flow of a run, with the weights of its best epoch, solved as in the run's evaluation."""
    import torch

    from node_cli.models.ode_solve import solve_as
    from node_cli.plugins.in_use import check_recorded, use_plugins
    from node_cli.tasks.densities.density_task import build_flow
    from node_cli.tasks.densities.normalizing_flow import dimensions_of
    from node_cli.tasks.densities.schema import FlowConfig
    from node_cli.training.checkpoint import checkpoint_paths, config_of, read_checkpoint

    folder, tolerance = options.run, options.tolerance
    use_plugins(options.plugin)
    check_recorded(folder, "RUN")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _, path = checkpoint_paths(folder)
    content = read_checkpoint(path, option="RUN")
    config = config_of(path, content)
    if not isinstance(config.model, FlowConfig):
        raise CheckpointError(
            f"{folder} is a run of task={config.task.name}, whose model has no density; give a run"
            " of task=cnf-2d or task=cnf-tabular."
        )
    _refuse_a_tolerance_for_fixed_steps(config, tolerance)
    try:
        model = build_flow(config, dimensions_of(content["model"]))
        model.load_state_dict(content["model"])
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: its weights do not fit the model of its settings; give another run."
        ) from error
    names = model.columns
    if len(names) != model.dimensions or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{path}: it names no column for each dimension; give another run.")
    solve_as(model, lambda spec: spec.evaluated_as(config))
    if tolerance is not None:
        solve_as(model, lambda spec: spec.at_tolerance(tolerance))
    return model.to(device).eval()


def _refuse_a_tolerance_for_fixed_steps(config: RunConfig, tolerance: float | None) -> None:
    solver = config.evaluation.solver or config.solver.name
    if tolerance is not None and METHODS[solver].kind == "fixed":
        raise ConfigError(
            f"--tolerance {tolerance:g}: the run is solved by {solver}, which takes fixed steps and"
            " has no tolerance; leave it out."
        )
