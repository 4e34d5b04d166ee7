"""What the command line may tell to Hydra itself, and the plugins behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from hydra.core.override_parser.types import Override
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from node_cli.command_line.swept_values import MOST_CELLS
from node_cli.errors import ConfigError
from node_cli.schema.base import Count, Schema, Seed, Text, Whole, allowed
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.explanation import show
from node_cli.schema.spelling import did_you_mean, no_such

# Launchers and sweepers: the module and the extra of node-cli that bring each.
LAUNCHERS = {
    "joblib": ("hydra_joblib_launcher", "joblib"),
    "submitit_local": ("hydra_submitit_launcher", "submitit"),
    "submitit_slurm": ("hydra_submitit_launcher", "submitit"),
    "ray": ("hydra_ray_launcher", "ray"),
}
SWEEPERS = {"optuna": ("hydra_optuna_sweeper", "optuna")}

# Other settings of Hydra can name code to import, or shell commands to run on a cluster; those
# belong in a YAML file of --config-dir, which the user has written.


def _not_zero(count: int) -> int:
    if count == 0:
        raise ValueError("0")
    return count


Folder = Annotated[str | int | float, "the path of a folder"]
Loggers = Annotated[
    bool | str | list[Text], "true, the name of a logger, or a list of such names in brackets"
]
Jobs = Annotated[
    int, Field(ge=-1), AfterValidator(_not_zero), "an integer >= 1, or -1 for one each core"
]
SETTINGS: Mapping[str, Any] = {
    "hydra.run.dir": Folder,
    "hydra.sweep.dir": Folder,
    "hydra.sweep.subdir": Folder,
    "hydra.verbose": Loggers,
    "hydra/launcher": Text,
    "hydra/sweeper": Text,
    "hydra/sweeper/sampler": Literal["tpe", "random", "cmaes", "nsgaii", "motpe"],
    "hydra.sweeper.max_batch_size": Count | None,
    "hydra.sweeper.n_trials": Annotated[
        int, Field(ge=1, le=MOST_CELLS), f"an integer from 1 to {MOST_CELLS}"
    ],
    "hydra.sweeper.n_jobs": Count,
    "hydra.sweeper.sampler.seed": Seed | None,
    "hydra.launcher.n_jobs": Jobs,
    "hydra.launcher.timeout_min": Count,
    "hydra.launcher.cpus_per_task": Count | None,
    "hydra.launcher.gpus_per_node": Whole | None,
    "hydra.launcher.nodes": Count,
    "hydra.launcher.mem_gb": Count | None,
    "hydra.launcher.partition": Text | None,
    "hydra.launcher.account": Text | None,
    "hydra.launcher.qos": Text | None,
    "hydra.launcher.constraint": Text | None,
    "hydra.launcher.exclude": Text | None,
    "hydra.launcher.gres": Text | None,
    "hydra.launcher.array_parallelism": Count,
    "hydra.launcher.max_num_timeout": Whole,
    "hydra.launcher.ray.init.address": Text | None,
    "hydra.launcher.ray.init.num_cpus": Count | None,
    "hydra.launcher.ray.init.num_gpus": Whole | None,
    "hydra.launcher.ray.remote.num_cpus": Count | None,
    "hydra.launcher.ray.remote.num_gpus": Annotated[float, Field(ge=0), "a finite number >= 0"]
    | None,
}
_EACH_OF_ITS_OWN = re.compile(r"[^/$]*\$\{hydra\.job\.num\}(\$\{differing:.*\}|[^/$])*")


def check_hydra(override: Override, catalogue: Catalogue) -> None:
    """Refuse what Hydra must not be told, and launchers and sweepers that are not there.

    Raises:
        ConfigError: says what can be told, or what has to be installed.
    """
    key, word = override.get_key_element().lstrip("+~"), override.input_line or ""
    if key not in SETTINGS:
        raise ConfigError(
            f"{word}: node-train leaves this to itself{did_you_mean(key, SETTINGS)} What can be"
            f" told to Hydra: {', '.join(SETTINGS)}."
        )
    if override.is_sweep_override():
        name = key if "." in key else key.rpartition("/")[2]
        raise ConfigError(f"{word}: a sweep has one {name}; give one.")
    groups = {"hydra/launcher": LAUNCHERS, "hydra/sweeper": SWEEPERS}
    try:
        TypeAdapter(SETTINGS[key], config=Schema.model_config).validate_python(override.value())
    except ValidationError as error:
        raise ConfigError(f"{word}: must be {allowed(SETTINGS[key])}.") from error
    if key not in groups:
        return
    name = str(override.value()).removeprefix("plugin/")
    if name in groups[key]:
        _refuse_what_is_not_installed(f"{key}={name}", *groups[key][name])
    elif name != "basic" and name not in catalogue.of_hydra(key):
        known = ["basic", *groups[key]]
        raise ConfigError(no_such(key.rpartition("/")[2], key, name, known))


def check_folders(run: Any, sweep: Any, cell: str) -> None:
    """Refuse folders in which runs would lie anywhere, or on top of each other.

    Args:
        run: of a single run, ``hydra.run.dir``.
        sweep: of a sweep, ``hydra.sweep.dir``.
        cell: of a cell inside of it, ``hydra.sweep.subdir``, with its references.

    Raises:
        ConfigError: says what it must be.
    """
    for name, folder in (("hydra.run.dir", run), ("hydra.sweep.dir", sweep)):
        if not isinstance(folder, str) or not folder.strip():
            raise ConfigError(f"{name}={show(folder)}: must be the path of a folder.")
        refuse_references(name, Path(folder))
    if not _EACH_OF_ITS_OWN.fullmatch(cell):
        raise ConfigError(
            f"hydra.sweep.subdir={show(cell)}: each cell needs a folder of its own inside of that"
            " of the sweep: a name without /, with ${hydra.job.num} in it."
        )


def refuse_references(name: str, folder: Path) -> None:
    """Refuse a folder whose path Hydra would take for a reference to a setting.

    Raises:
        ConfigError: there is ``${`` in the path, or in that of the working folder before it.
    """
    if "${" in str(folder.absolute()):
        raise ConfigError(
            f"{name}: there is ${{ in the path {folder.absolute()}, which Hydra takes for a"
            " reference to a setting. Use a folder with another name."
        )


def _refuse_what_is_not_installed(word: str, module: str, extra: str) -> None:
    if find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{module}") is None:
        raise ConfigError(
            f"{word}: this needs a plugin that is not installed. Install it with pip install"
            f" 'node-cli[{extra}]', in a checkout with pip install -e '.[{extra}]'."
        )
