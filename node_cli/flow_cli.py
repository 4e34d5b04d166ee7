"""``node-flow``: uses a trained flow; draws samples and evaluates the log-density of points."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from node_cli.config.solving import METHODS
from node_cli.errors import CheckpointError, ConfigError, DataError, RunError
from node_cli.sentence_parser import SentenceParser

if TYPE_CHECKING:
    from node_cli.config.run import RunConfig
    from node_cli.models.normalizing_flow import NormalizingFlow

_CHUNK = 10_000
_FARTHEST = 1e6
_FORMATS = (".csv", ".npy")


def main() -> None:
    """Run the command line of this process and exit: 0 when all went well."""
    sys.exit(node_flow(sys.argv[1:]))


def node_flow(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 where something failed; 2 for a command line that is not possible.
    """
    traced = "--debug" in arguments
    try:
        options = _parser().parse_args(arguments)
        options.run_command(options)
    except RunError as error:
        if traced:
            raise
        print(f"node-flow: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if traced:
            raise
        print(f"node-flow: {error.filename}: {str(error.strerror).lower()}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


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
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
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

    model = _load(options.run, options.tolerance)
    generator = torch.Generator().manual_seed(options.seed)
    parts = []
    with torch.no_grad():
        for start in range(0, options.count, _CHUNK):
            count = min(_CHUNK, options.count - start)
            parts.append(model.sample(count, generator).cpu())
    _write(options.output, torch.cat(parts).numpy(), model.columns)
    print(f"{options.count} samples in {options.output}")


def _log_density(options: argparse.Namespace) -> None:
    import torch

    from node_cli.data.table import read_table

    model = _load(options.run, options.tolerance)
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
    if options.output.suffix == ".npy":
        np.save(options.output, found.numpy())
    else:
        _write(options.output, found.unsqueeze(1).numpy(), ["log_density"])
    mean = float(found.double().mean())
    bits = -mean / (model.dimensions * math.log(2))
    print(
        f"{len(found)} points: NLL {-mean:.4f} nats, {bits:.4f} bits per dimension;"
        f" {options.output}"
    )


def _load(folder: Path, tolerance: float | None) -> NormalizingFlow:
    """The flow of a run, with the weights of its best epoch, solved as in the run's evaluation."""
    import torch

    from node_cli.config.flow import FlowConfig
    from node_cli.config.run import validate
    from node_cli.models.normalizing_flow import dimensions_of
    from node_cli.studies.subject import solving_modules
    from node_cli.tasks.base_density import build_flow
    from node_cli.training.checkpoint import checkpoint_paths, read_checkpoint

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _, path = checkpoint_paths(folder)
    content = read_checkpoint(path, option="RUN")
    config = validate(content["config"])
    if not isinstance(config.model, FlowConfig):
        raise CheckpointError(
            f"{folder} is a run of task={config.task.name}, whose model has no density; give a run"
            " of task=cnf-2d or task=cnf-tabular."
        )
    _refuse_a_tolerance_in_vain(config, tolerance)
    model = build_flow(config, dimensions_of(content["model"]))
    model.load_state_dict(content["model"])
    for module in solving_modules(model):
        spec = module.spec.evaluated_as(config)  # type: ignore[union-attr,operator]
        module.spec = spec if tolerance is None else spec.at_tolerance(tolerance)
    return model.to(device).eval()


def _write(path: Path, values: NDArray[np.floating], columns: Sequence[str]) -> None:
    if path.suffix == ".npy":
        np.save(path, values)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([f"{value:.12g}" for value in row] for row in values.tolist())


def _refuse_a_tolerance_in_vain(config: RunConfig, tolerance: float | None) -> None:
    solver = config.evaluation.solver or config.solver.name
    if tolerance is not None and METHODS[solver].kind == "fixed":
        raise ConfigError(
            f"--tolerance {tolerance:g}: the run is solved by {solver}, which takes fixed steps and"
            " heeds no tolerance; leave it out."
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
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} must be an integer >= 1")
    return number


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a finite number > 0")
    return number
