"""``node-new``: writes a file with a task, or a vector field for a task of ours, to begin with."""

from __future__ import annotations

import argparse
import ast
import keyword
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import yaml

from node_cli.command import ABOUT_DEBUG, DEBUG, run_command
from node_cli.command_line.sentence_parser import SentenceParser
from node_cli.errors import ConfigError
from node_cli.run_folder.writing import write_text
from node_cli.schema.spelling import no_such
from node_cli.tasks.entry import is_name
from node_cli.tasks.registry import family_entries, family_modules


def node_new(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 where the file cannot be written; 2 for a command line that is not
        possible.
    """
    return run_command("node-new", _carry_out, arguments)


def _carry_out(arguments: Sequence[str]) -> None:
    options = _parser().parse_args(arguments)
    path, text = _file_of(options.name, options.task)
    write_text(path, text)
    print(f"{path} is there. Try it:")
    for line in _first_commands(text):
        print(f"  {line}")


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog="node-new",
        description="Write NAME.py here: a task that runs as it is, for you to change.",
    )
    parser.add_argument("name", metavar="NAME", help="of the task, or of the model with --for")
    parser.add_argument(
        "--for",
        dest="task",
        metavar="TASK",
        help="a vector field for a task that is there, instead of a task: "
        + " or ".join(_with_own_fields()),
    )
    parser.add_argument(DEBUG, action="store_true", help=ABOUT_DEBUG)
    return parser


def _with_own_fields() -> dict[str, str]:
    """The tasks that take a vector field of the user's own; the package of the template of each."""
    return {
        task: module.__name__.rpartition(".")[0]
        for module in family_modules()
        for field in module.FIELDS
        for task in field.tasks
    }


def _file_of(name: str, task: str | None) -> tuple[Path, str]:
    """Where the file goes, and what is in it."""
    group = "task" if task is None else "model"
    if not is_name(name):
        raise ConfigError(
            f"{name}: a name begins with a letter and is made of letters, digits, - and _, as in"
            " node-new pendulum."
        )
    taken = {
        member
        for entry in family_entries().values()
        for member in ([entry.name] if task is None else entry.members("model"))
    }
    if name in taken:
        raise ConfigError(f"{name}: node-cli has a {group} of this name; choose another.")
    package, template = "node_cli.templates", "task.py"
    if task is not None:
        packages = _with_own_fields()
        if task not in packages:
            raise ConfigError(no_such("task with fields of your own", "--for", task, packages))
        package, template = packages[task], "own_field.py"
    path = Path(f"{name.replace('-', '_')}.py")
    if path.exists():
        raise ConfigError(f"{path} is there already; choose another name, or move it away.")
    text = resources.files(package).joinpath(template).read_text(encoding="utf-8")
    if _means_something_else(name, text):
        raise ConfigError(f"{name}: this word means something else in the file; choose another.")
    return path, _named(text, name, path)


def _means_something_else(name: str, text: str) -> bool:
    """Whether a name is one of Python's, of YAML's, or of the template's own."""
    camel = _camel(name)
    if keyword.iskeyword(name) or keyword.iskeyword(camel) or yaml.safe_load(name) != name:
        return True
    bound = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            bound.add(node.name)
    return bool(bound & {camel, f"{camel}Net", f"{camel}Data"})


def _named(text: str, name: str, path: Path) -> str:
    """A template, in which things are called example, with the name that the user wants."""
    camel = _camel(name)
    text = text.replace("example.py", path.name)
    text = re.sub(r"\bexample\b", name, text)
    return re.sub(r"\bExample(?=\b|[A-Z])", camel, text)


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[-_]+", name))


def _first_commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()[:10] if line.startswith("    node-train")]
