"""Command lines of all kinds: each is answered, in a sentence, and leaves nothing behind.

300 of them, always the same, are tried with the other tests. Any other number, new ones each time:
``NODE_CLI_FUZZ=20000 pytest tests/cli/test_fuzz.py -n0``.
"""

import contextlib
import importlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from node_cli.cli import node_train
from node_cli.command_line.flags import flag_parser
from node_cli.command_line.hydra_settings import SETTINGS
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir

COUNT = int(os.environ.get("NODE_CLI_FUZZ", "0"))
CATALOGUE = Catalogue([conf_dir()])
FLAGS = sorted({name for action in flag_parser()._actions for name in action.option_strings})

# No command line can hold a NUL.
text = st.text(st.characters(exclude_characters="\0"), max_size=12)
numbers = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.floats().map(repr),
    st.sampled_from(
        [
            "0",
            "-1",
            "1",
            "2",
            "1e-300",
            "1e308",
            "1e400",
            "-0.0",
            ".5",
            "1.",
            "0x10",
            "1_000",
            "9223372036854775807",
            "9223372036854775808",
            "99999999999999999999",
            "inf",
            "-inf",
            "nan",
        ]
    ),
)
odd = st.sampled_from(
    [
        "true",
        "false",
        "null",
        "None",
        "''",
        '""',
        "'",
        '"',
        "[",
        "]",
        "{}",
        "{a:1}",
        "[]",
        "[1,2]",
        "[[1,2],[3,4]]",
        "a,b",
        ",",
        "=",
        "==",
        "a=b",
        "\\",
        "$",
        "${",
        "${}",
        "${..}",
        "${x}",
        "${seed}",
        "${tolerance}",
        "${tolerance.rtol}",
        "${a:b}",
        "${fresh_folder:x}",
        "${oc.env:HOME}",
        "${now:%Y}",
        "${${x}}",
        "\\${x}",
        "%",
        "%s",
        "*",
        "?",
        "~",
        "@",
        ":",
        "/",
        "..",
        ".",
        "../x",
        "/dev/null",
        "???",
        "é",
        "日本",
        "\u202e",
        "�",
        "!!python/object:x",
        "<<:a",
        "#",
        "range(3)",
        "range(0)",
        "range(1,2,0)",
        "range(0,1,1e-9)",
        "range(0,inf)",
        "range(3,0)",
        "choice(1,2)",
        "choice()",
        "interval(0,1)",
        "interval(1,0)",
        "glob(*)",
        "glob(a*,exclude=*)",
        "shuffle(1,2)",
        "shuffle(range(9))",
        "sort(3,1)",
        "sort(b,1)",
        "tag(log,interval(1e-3,1))",
        "int(1.5)",
        "int(a)",
        "float(x)",
        "str([1,2])",
        "json_str([1])",
        "bool(no)",
        "extend_list(1)",
        "cast(1)",
    ]
)
values = st.one_of(text, numbers, odd, st.tuples(odd, odd).map(",".join))

groups = st.sampled_from(sorted(CATALOGUE.groups))
members = groups.flatmap(
    lambda group: st.lists(
        st.sampled_from(sorted(CATALOGUE.groups[group])), min_size=1, max_size=3
    ).map(lambda chosen: f"{group}={','.join(chosen)}")
)
names = st.one_of(
    st.sampled_from(sorted({*CATALOGUE.keys(), *SETTINGS})),
    st.sampled_from(
        [
            "hydra.mode",
            "hydra.searchpath",
            "hydra.job.name",
            "hydra.output_subdir",
            "hydra.callbacks.a",
            "hydra/job_logging",
            "hydra",
            "@x",
            "a@b",
            "seed@x",
            "..",
            ".a",
            "a.",
            "1",
            "a-b",
            "a/b",
            "trainer",
            "trainer.resume",
        ]
    ),
    text,
)
words = st.one_of(
    members,
    st.builds("{}{}={}".format, st.sampled_from(("", "", "", "", "+", "++", "~")), names, values),
    names.map("~{}".format),
    text,
)
flags = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(
        [
            "-m",
            "-m",
            "-m",
            "--dry-run",
            "--cfg=job",
            "-c=all",
            "-cd=.",
            "-sc",
            "--info=config",
            "--x",
            "-1",
        ]
    ),
    st.builds("{}={}".format, st.sampled_from(FLAGS), values),
)
VALID = (
    "solver=rk4 solver.num_steps=4",
    "-m seed=range(3) tolerance.rtol=1e-2,1e-3",
    "task=cnf-2d data=pinwheel",
    "-m hydra/sweeper=optuna optimizer.lr=interval(1e-3,1e-1)",
    "-m solver=glob(*uler) solver.step_size=0.5 --dry-run",
    "task=latent-spirals --cfg job --resolve",
    "-sc query=bash",
)


@st.composite
def mutated(draw):
    """A command line that is right, with one character of it changed."""
    line = draw(st.sampled_from(VALID))
    place = draw(st.integers(0, len(line)))
    dropped = draw(st.integers(0, 3))
    return (line[:place] + draw(values | st.just("")) + line[place + dropped :]).split()


command_lines = st.one_of(
    mutated(),
    st.lists(words, max_size=4),
    st.tuples(st.lists(flags, max_size=2), st.lists(words, max_size=4)).map(
        lambda pair: pair[0] + pair[1]
    ),
)


@contextlib.contextmanager
def no_training():
    """Replaces what trains, a run or the cells of a sweep, wherever it is looked up."""
    with contextlib.ExitStack() as replaced:
        for module in ("node_cli.cli", "node_cli.training.run", "node_cli.sweeping.sweep"):
            loaded = importlib.import_module(module)
            for name, result in (("run", {}), ("run_sweep", 0)):
                if hasattr(loaded, name):
                    replaced.enter_context(mock.patch.object(loaded, name, return_value=result))
        yield


def answer(command_line):
    """The exit code, what is said on standard error, and what is left on disk."""
    before, folder = Path.cwd(), tempfile.mkdtemp()
    said = io.StringIO()
    os.environ["COMP_LINE"] = "node-train solver=rk4 tol"
    try:
        os.chdir(folder)
        with (
            no_training(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
        ):
            code = node_train(command_line)
        left = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
    finally:
        os.chdir(before)
        shutil.rmtree(folder)
    return code, said.getvalue(), left


@settings(
    max_examples=COUNT or 300,
    derandomize=not COUNT,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@example(["@x=1"])
@example(["-m", "seed=range(1,2,0)"])
@example(["-m", "seed=range(0,1,1e-9)"])
@example(["-m", "seed=range(0)"])
@example(["-m", "seed=0,1", "seed=2,3"])
@example(["-m", "hydra.run.dir=a,b"])
@example(["trainer.x=${fresh_folder:x}"])
@example(["hydra.run.dir="])
@example(["hydra.verbose=[1]"])
@example(["-sc"])
@example(["-sc", "install=nope"])
@example(["data=pinwheel", "task=cnf-2d", "data.test=99999999999999999999"])
@example(["optimizer.lr=${..}"])
@example(["seed=null,choice(1,2)"])
@example(["~adjoint=0"])
@given(command_lines)
def test_every_command_line_is_answered(command_line):
    code, said, left = answer(command_line)
    assert code in (0, 1, 2)
    assert "unexpected" not in said
    if not any(word.lstrip("-").startswith("debug") for word in command_line):
        assert "Traceback" not in said
        assert len(said.splitlines()) <= 20
        assert (code == 0) or said.startswith("node-train: ")
    if code == 2:
        assert left == []
