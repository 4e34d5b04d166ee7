"""The page that ``node-train --help`` shows, made from the config tree."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from node_cli.command_line.flags import flag_parser
from node_cli.methods import SDE_METHODS, SOLVERS
from node_cli.plugins.in_use import plugins_in_use
from node_cli.schema.catalogue import AnyMember, Catalogue

_WIDTH = 100  # of the page, where the terminal is wider

_TITLES = {
    "task": "Tasks",
    "model": "Models",
    "solver": "Solvers",
    "tolerance": "Tolerances",
    "adjoint": "Adjoint modes",
    "data": "Data",
    "trace": "Traces of flows",
}

_KINDS = {
    "adaptive": "adaptive",
    "fixed": "fixed step",
    "scipy": "SciPy, with adjoint=full",
    "sde": "of SDEs",
}

_NAMES = {
    "seed": "of all random numbers",
    "trainer.max_epochs": "end after so many epochs; also max_steps, max_minutes",
    "trainer.max_steps": "end after so many optimizer steps",
    "trainer.resume": "the folder of a run or of a sweep, to go on with it",
    "optimizer.lr": "learning rate",
    "solver.step_size": "step of a fixed-step solver; or solver.num_steps",
    "model.blocks": "blocks of resnet, Euler steps of euler-net",
    "tolerance.rtol": "relative error allowed in one step",
    "tolerance.atol": "absolute error allowed in one step",
    "data.root": "folder of the data set's files; data.path for your own file or folder",
    "hydra/launcher": "where a sweep runs: basic (in turn), joblib, submitit_slurm, ray, ...",
    "hydra/sweeper": "what a sweep runs: basic (all combinations), or optuna, which searches",
    "objectives": "what a search minimises, such as [error,nfe_forward]",
    "evaluation.tolerance": "rtol and atol of validation and test; also evaluation.solver",
}

_EXAMPLES = {
    "node-train": "the defaults, on a sample of MNIST that is in the package",
    "node-train solver=rk4 solver.step_size=0.25": "a fixed-step solver",
    "node-train model=resnet data=mnist data.root=DIR": "the residual net on the full MNIST",
    "node-train task=cnf-2d data=pinwheel": "a continuous normalizing flow",
    "node-train -m tolerance.rtol=1e-2,1e-3 adjoint=direct,full": "a sweep of four runs",
    "node-train -m optimizer.lr=0.1,0.01 seed=range(3) --dry-run": "what a sweep would run",
    "node-train trainer.resume=outputs/mnist-odenet/DATE_TIME": "go on with a run",
}


def print_help(catalogue: Catalogue, console: Console | None = None) -> None:
    """Print the help page.

    Args:
        catalogue: the groups to show.
        console: where to; by default standard output, at most 100 columns wide.
    """
    console = console or Console(highlight=False)
    console.width = min(console.width, _WIDTH)
    console.print(*_page(catalogue), sep="\n", soft_wrap=False)


def _page(catalogue: Catalogue) -> list[RenderableType]:
    defaults = catalogue.defaults()
    others = [name for name in catalogue.groups if name not in _TITLES]
    page: list[RenderableType] = [
        Text("node-train trains neural ordinary differential equations."),
        Text(),
        _title("Usage"),
        _indented(Text("node-train [FLAGS] [GROUP=MEMBER ...] [NAME=VALUE ...]")),
        _indented(
            Text("An asterisk marks the member of a group that is taken when none is named.")
        ),
    ]
    for group, title in _TITLES.items():
        members = catalogue.groups[group].values()
        page += [Text(), _title(title, f"{group}=MEMBER")]
        if group == "solver":
            page += _solvers(members, defaults)
        else:
            page.append(_table({_starred(m, group, defaults): m.description for m in members}))
    summaries = {
        f"{group}=": ", ".join(
            _starred(member, group, defaults) for member in catalogue.groups[group].values()
        )
        for group in others
    }
    page += [Text(), _title("Other groups"), _table(summaries)]
    page += [Text(), _title("Names to set", "NAME=VALUE"), _table(_NAMES)]
    page += [_indented(Text("All of them, with their values: node-train --cfg job"))]
    for plugin in plugins_in_use():
        from node_cli.plugins.help_tables import help_tables

        page += [Text(), _title(f"From {plugin.name}"), *map(_table, help_tables(plugin))]
    page += [Text(), _title("Flags"), _table(_flags())]
    page += [Text(), _title("Examples"), *map(_example, _EXAMPLES.items())]
    return page


def _solvers(members: Iterable[AnyMember], defaults: dict[str, str]) -> list[RenderableType]:
    by_kind: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
    for member in members:
        name = str(member.content().get("name"))
        method = SOLVERS.get(name)
        kind = "sde" if name in SDE_METHODS else "" if method is None else str(method.kind)
        by_kind.setdefault(kind, {})[_starred(member, "solver", defaults)] = member.description
    parts: list[RenderableType] = []
    for kind, rows in by_kind.items():
        if rows:
            parts += [_indented(Text(_KINDS.get(kind, kind), style="italic")), _table(rows)]
    return parts


def _flags() -> dict[str, str]:
    """The flags and what they do, as ``-m, --multirun``."""
    rows = {}
    for action in flag_parser()._actions:
        names = sorted({name.replace("_", "-") for name in action.option_strings}, key=len)
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        if names:
            rows[f"{', '.join(names)}{value}"] = action.help or ""
    return rows


def _starred(member: AnyMember, group: str, defaults: dict[str, str]) -> str:
    return f"{member.name}*" if defaults.get(group) == member.name else member.name


def _title(title: str, how: str = "") -> Text:
    return Text.assemble((title, "bold"), f"  {how}" if how else "")


def _indented(text: RenderableType) -> Padding:
    return Padding(text, (0, 0, 0, 2))


def _table(rows: dict[str, str]) -> Padding:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=16, style="cyan")
    table.add_column()
    for name, description in rows.items():
        table.add_row(Text(name), Text(description))
    return _indented(table)


def _example(example: tuple[str, str]) -> Group:
    command, meaning = example
    return Group(_indented(Text(command, style="cyan")), Padding(Text(meaning), (0, 0, 0, 6)))
