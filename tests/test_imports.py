"""Imports run one way: no package imports one that imports it, at once or by others."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "node_cli"
# What node-new writes: files of the user's, which use us as the user does.
TEMPLATES = ("templates", "own_field")


@cache
def modules():
    """All modules by name, with the modules of ours that each imports."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        if not any(template in parts for template in TEMPLATES):
            found[name] = frozenset(imported(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def imported(tree):
    """The modules of ours that one imports, in functions too, but not those for types alone."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types or not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module == "node_cli":
            yield from (f"node_cli.{alias.name}" for alias in node.names)
        elif node.module.startswith("node_cli."):
            yield node.module


def graph(unit):
    edges = {}
    for name, others in modules().items():
        below = edges.setdefault(unit(name), set())
        below |= {unit(other) for other in others} - {unit(name)}
    return edges


def package(name):
    """The part of node_cli that a module belongs to: a package, or itself."""
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("unit", [package, str], ids=["packages", "modules"])
def test_there_is_no_circle(unit):
    try:
        order = list(TopologicalSorter(graph(unit)).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))
    assert len(order) > 25


def test_a_circle_would_be_seen():
    edges = graph(package)
    edges["node_cli.schema"].add("node_cli.training")
    with pytest.raises(CycleError):
        list(TopologicalSorter(edges).static_order())


@pytest.mark.parametrize(
    ("below", "never"),
    [
        ("schema", "tasks"),
        ("schema", "command_line"),
        ("run_folder", "command_line"),
        ("solving", "tasks"),
        ("models", "tasks"),
        ("tasks", "training"),
        ("report", "training"),
        ("command_line", "sweeping"),
        ("training", "command_line"),
    ],
)
def test_what_is_below_knows_nothing_of_what_is_above(below, never):
    assert f"node_cli.{never}" not in graph(package)[f"node_cli.{below}"]


@pytest.mark.parametrize("library", ["scipy", "torchdiffeq"])
def test_what_few_runs_need_is_imported_where_it_is_used(library):
    """SciPy's solvers, which torchdiffeq imports too, take longer to import than all of ours."""
    users = {path for path in PACKAGE.rglob("*.py") if f"from {library}" in path.read_text()}
    assert users
    for path in users:
        first = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)
        ]
        assert not any((node.module or "").partition(".")[0] == library for node in first), path
