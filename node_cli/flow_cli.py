"""``node-flow``: uses a trained flow; draws samples and evaluates the log-density of points."""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from node_cli.command import ABOUT_DEBUG, DEBUG, run_command
from node_cli.command_line.sentence_parser import SentenceParser
from node_cli.errors import CheckpointError, ConfigError, DataError
from node_cli.methods import METHODS
from node_cli.plain_text import plain_text, shortened
from node_cli.run_folder.writing import write_whole

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig
    from node_cli.tasks.densities.normalizing_flow import NormalizingFlow

_CHUNK = 10_000
_FARTHEST = 1e6
_FORMATS = (".csv", ".npy")


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
    shared = SentenceParser(add_help=False)
    shared.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    shared.add_argument(
        "-o", "--output", type=_output, required=True, metavar="FILE", help="a .csv or .npy file"
    )
    shared.add_argument(
        "--tolerance", type=_positive, metavar="TOL", help="rtol and atol; default: the run's own"
    )
    shared.add_argument(
        "--plugin",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="your Python file with the vector field of the run",
    )
    shared.add_argument(DEBUG, action="store_true", help=ABOUT_DEBUG)
    sample = commands.add_parser("sample", parents=[shared], help="draw samples")
    sample.add_argument(
        "-n", "--count", type=_count, required=True, metavar="N", help="number of samples"
    )
    sample.add_argument("--seed", type=_seed, default=0, help="default: 0")
    sample.set_defaults(run_command=_sample)
    density = commands.add_parser(
        "log-density", parents=[shared], help="log-density of points, in nats"
    )
    density.add_argument("points", type=Path, metavar="POINTS", help="a .csv or .npy file")
    density.set_defaults(run_command=_log_density)
    return parser


def _sample(options: argparse.Namespace) -> None:
    import torch

    _refuse_an_impossible_output(options.output)
    model = _load(options)
    _refuse_what_does_not_fit(options.count, model.dimensions * model.shift.element_size())
    generator = torch.Generator().manual_seed(options.seed)
    drawn = torch.empty(options.count, model.dimensions, dtype=model.shift.dtype)
    with torch.no_grad():
        for part in drawn.split(_CHUNK):
            part.copy_(model.sample(len(part), generator))
    _write(options.output, drawn.numpy(), model.columns)
    print(f"{options.count} samples in {plain_text(str(options.output))}")


def _log_density(options: argparse.Namespace) -> None:
    import torch

    from node_cli.tasks.densities.rows import read_table

    _refuse_an_impossible_output(options.output)
    if options.output.resolve() == options.points.resolve():
        raise ConfigError(
            f"--output {options.output}: this is the file of the points; name another."
        )
    model = _load(options)
    table = read_table(options.points, "POINTS")
    if len(table.columns) != model.dimensions:
        raise DataError(
            f"{options.points} has {len(table.columns)} columns; the run's data have"
            f" {model.dimensions}."
        )
    if table.named and table.columns != model.columns:
        raise DataError(
            f"{options.points} has the columns {', '.join(table.columns)}; the run's data have"
            f" {', '.join(model.columns)}, in this order."
        )
    points = torch.from_numpy(table.values).to(model.shift)
    far = ((points - model.shift) / model.scale).abs().max(dim=1).values > _FARTHEST
    if bool(far.any()):
        raise DataError(
            f"{options.points}: row {int(far.nonzero()[0])} (from 0) is more than {_FARTHEST:g}"
            " standard deviations from the data; no density can be computed there."
        )
    with torch.no_grad():
        found = torch.cat([model(chunk).log_density.cpu() for chunk in points.split(_CHUNK)])
    values = found.numpy()
    _write(options.output, values if _is_npy(options.output) else values[:, None], ["log_density"])
    mean = float(found.double().mean())
    bits = -mean / (model.dimensions * math.log(2))
    print(
        f"{len(found)} points: NLL {-mean:.4f} nats, {bits:.4f} bits per dimension;"
        f" {plain_text(str(options.output))}"
    )


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


def _write(path: Path, values: NDArray[np.floating], columns: Sequence[str]) -> None:
    def write(file: BinaryIO) -> None:
        if _is_npy(path):
            np.save(file, values)
            return
        text = io.TextIOWrapper(file, newline="", encoding="utf-8")
        writer = csv.writer(text)
        writer.writerow(map(plain_text, columns))
        writer.writerows([f"{value:.12g}" for value in row.tolist()] for row in values)
        text.flush()
        text.detach()

    write_whole(path, write)


def _is_npy(path: Path) -> bool:
    return path.suffix == ".npy"


def _refuse_an_impossible_output(path: Path) -> None:
    """Before anything is computed; what else can go wrong is seen when the file is written."""
    if path.is_dir():
        raise ConfigError(f"--output {path}: this is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise ConfigError(f"--output {path}: there is no folder {path.parent}; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"--output {path}: {path.parent} cannot be written to; name another.")


def _refuse_what_does_not_fit(count: int, bytes_each: int) -> None:
    import torch

    from node_cli.free_memory import free_bytes

    needed, free = count * bytes_each, free_bytes(torch.device("cpu"))
    if needed > (sys.maxsize if free is None else free):
        room = "" if free is None else f" and {free / 1e9:.1f} GB are free"
        raise ConfigError(
            f"--count {count}: so many samples need {needed / 1e9:.1f} GB of memory{room}; draw"
            " fewer at a time, with another --seed each time."
        )


def _refuse_a_tolerance_for_fixed_steps(config: RunConfig, tolerance: float | None) -> None:
    solver = config.evaluation.solver or config.solver.name
    if tolerance is not None and METHODS[solver].kind == "fixed":
        raise ConfigError(
            f"--tolerance {tolerance:g}: the run is solved by {solver}, which takes fixed steps and"
            " has no tolerance; leave it out."
        )


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text} must be an integer from 0 to 9223372036854775807")
    return int(text)


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix not in _FORMATS:
        raise argparse.ArgumentTypeError(f"{text} must end in {' or '.join(_FORMATS)}")
    return path


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{shortened(text, 40)} must be an integer >= 1")
    return number


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a finite number > 0")
    return number
