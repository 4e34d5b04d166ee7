"""``node-predict``: uses a trained run on the user's own file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from node_cli.command import run_command
from node_cli.command_line.number_arguments import count, positive, seed, share
from node_cli.command_line.output_file import (
    output_file,
    refuse_a_file_of_a_run,
    refuse_an_impossible_output,
)
from node_cli.command_line.run_arguments import run_arguments
from node_cli.command_line.sentence_parser import SentenceParser
from node_cli.command_line.times import times
from node_cli.plain_text import plain_text

if TYPE_CHECKING:
    from node_cli.tasks.prediction import Question

_STANDARD_OUTPUT = Path("-")
_ABOUT_OUTPUT = "a .csv or .npy file, or - for standard output"
_EXAMPLES = """\
examples:
  node-predict RUN series.csv -o curves.csv --times 0:10:0.1 --samples 100
  node-predict RUN images.npy -o classes.csv
  node-predict RUN folder-of-png-files -o -
  node-predict RUN points.csv -o log-densities.npy
  node-predict RUN -o new-points.csv --samples 1000

INPUT is what the task of the run predicts from: series or trajectories (.csv), images (IDX, .npy,
.png, or a folder of .png files), points or rows (.csv, .npy), times of a ball (.csv, .npy).
docs/predicting.md has the columns of each.
"""


def node_predict(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 where something failed; 2 for a command line that is not possible.
    """
    return run_command("node-predict", _carry_out, arguments)


def _carry_out(arguments: Sequence[str]) -> None:
    # Mixed, so that INPUT may stand behind flags too.
    options = _parser().parse_intermixed_args(_with_negative_times(arguments))
    shown = options.output == _STANDARD_OUTPUT
    if not shown:
        refuse_an_impossible_output(options.output, options.input, options.times_file)
        refuse_a_file_of_a_run(options.output)
    _answer(options, shown)


def _answer(options: argparse.Namespace, shown: bool) -> None:
    from node_cli.plugins.in_use import check_recorded, use_plugins
    from node_cli.training.predicting import answer
    from node_cli.training.trained import trained_run

    use_plugins(options.plugin)
    check_recorded(options.run, "RUN")
    run = trained_run(options.run, options.checkpoint, options.device)
    table = answer(run, _question(options), options.batch_size)
    if shown:
        table.write_csv(sys.stdout)
    else:
        table.write(options.output)
        print(f"{len(table)} rows in {plain_text(str(options.output))}")
    first, count = table.not_finite()
    if count:
        print(
            f"{count} of {len(table)} rows have no finite number, the first of them row {first}"
            " (from 0): -inf or inf where it is beyond all numbers, nan where no solver came.",
            file=sys.stderr,
        )


def _question(options: argparse.Namespace) -> Question:
    from node_cli.data.times_file import read_times
    from node_cli.tasks.prediction import Question

    asked = options.times
    if options.times_file is not None:
        asked = read_times(options.times_file, "--times-file")
    return Question(
        options.input, asked, options.horizon, options.samples, options.seed, options.band
    )


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog="node-predict",
        description="Predict with a run that node-train has trained.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[run_arguments(_output, _ABOUT_OUTPUT, "the code")],
        allow_abbrev=False,
    )
    parser.add_argument(
        "input", type=Path, metavar="INPUT", nargs="?", help="the file or folder to predict from"
    )
    at = parser.add_argument_group("when, for series, trajectories and the ball")
    when = at.add_mutually_exclusive_group()
    when.add_argument(
        "--times",
        type=times,
        metavar="TIMES",
        help="START:STOP:STEP or a list such as 0,2.5,10, in the units of INPUT; default: evenly"
        " over each series and beyond",
    )
    when.add_argument(
        "--times-file",
        type=Path,
        metavar="FILE",
        help="a .csv with a column of times, or with the columns of ids and times",
    )
    when.add_argument(
        "--horizon",
        type=positive,
        metavar="H",
        help="how far beyond each series the default goes; half of its length",
    )
    drawn = parser.add_argument_group("what is drawn, for latent series, SDEs and flows")
    drawn.add_argument("--samples", type=count, metavar="N", help="default: as in the evaluation")
    drawn.add_argument("--seed", type=seed, default=0, metavar="SEED", help="default: 0")
    drawn.add_argument(
        "--band",
        type=share,
        default=0.9,
        metavar="SHARE",
        help="of the samples that lies between the bounds; default: 0.9",
    )
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="default: best"
    )
    parser.add_argument(
        "--batch-size", type=count, metavar="B", help="default: that of the run's evaluation"
    )
    parser.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda or cuda:N; default: auto"
    )
    return parser


def _with_negative_times(arguments: Sequence[str]) -> list[str]:
    """``--times -1:5:0.5`` as one word: what begins with a minus would be taken for a flag."""
    words: list[str] = []
    for word in arguments:
        if words and words[-1] == "--times" and word[:1] == "-" and word[1:2] in "0123456789.":
            words[-1] = f"--times={word}"
        else:
            words.append(word)
    return words


def _output(text: str) -> Path:
    return _STANDARD_OUTPUT if text == "-" else output_file(text)


def _device(text: str) -> str:
    from node_cli.schema.trainer import is_device

    if not is_device(text):
        raise argparse.ArgumentTypeError(f"{text} must be one of auto, cpu, cuda, cuda:N")
    return text
