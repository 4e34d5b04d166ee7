"""What the command line may tell to Hydra itself, and the plugins behind it."""

from __future__ import annotations

from importlib.util import find_spec

from hydra.core.override_parser.types import Override

from node_cli.config.catalogue import Catalogue
from node_cli.config.spelling import did_you_mean
from node_cli.errors import ConfigError

# Launchers and sweepers: the module and the extra of node-cli that bring each.
LAUNCHERS = {
    "joblib": ("hydra_joblib_launcher", "joblib"),
    "submitit_local": ("hydra_submitit_launcher", "submitit"),
    "submitit_slurm": ("hydra_submitit_launcher", "submitit"),
    "ray": ("hydra_ray_launcher", "ray"),
}
SWEEPERS = {"optuna": ("hydra_optuna_sweeper", "optuna")}

_SAMPLERS = ("tpe", "random", "cmaes", "nsgaii", "motpe")

# Other settings of Hydra can name code to import, or shell commands to run on a cluster; those
# belong in a YAML file of --config-dir, which the user has written.
SETTINGS = (
    "hydra.run.dir",
    "hydra.sweep.dir",
    "hydra.sweep.subdir",
    "hydra.verbose",
    "hydra/launcher",
    "hydra/sweeper",
    "hydra/sweeper/sampler",
    "hydra.sweeper.max_batch_size",
    "hydra.sweeper.n_trials",
    "hydra.sweeper.n_jobs",
    "hydra.sweeper.sampler.seed",
    "hydra.launcher.n_jobs",
    "hydra.launcher.timeout_min",
    "hydra.launcher.cpus_per_task",
    "hydra.launcher.gpus_per_node",
    "hydra.launcher.nodes",
    "hydra.launcher.mem_gb",
    "hydra.launcher.partition",
    "hydra.launcher.account",
    "hydra.launcher.qos",
    "hydra.launcher.constraint",
    "hydra.launcher.exclude",
    "hydra.launcher.gres",
    "hydra.launcher.array_parallelism",
    "hydra.launcher.max_num_timeout",
    "hydra.launcher.ray.init.address",
    "hydra.launcher.ray.init.num_cpus",
    "hydra.launcher.ray.init.num_gpus",
    "hydra.launcher.ray.remote.num_cpus",
    "hydra.launcher.ray.remote.num_gpus",
)


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
    if "/" in key and override.is_sweep_override():
        raise ConfigError(f"{word}: a sweep has one {key.rpartition('/')[2]}; give one.")
    groups = {"hydra/launcher": LAUNCHERS, "hydra/sweeper": SWEEPERS}
    if key == "hydra/sweeper/sampler" and override.value() not in _SAMPLERS:
        raise ConfigError(f"{word}: there is no such sampler. Known: {', '.join(_SAMPLERS)}.")
    if key not in groups:
        return
    name = str(override.value()).removeprefix("plugin/")
    if name in groups[key]:
        _refuse_what_is_not_installed(f"{key}={name}", *groups[key][name])
    elif name != "basic" and name not in catalogue.of_hydra(key):
        known = ["basic", *groups[key]]
        raise ConfigError(
            f"{key}={name}: there is no such {key.rpartition('/')[2]}{did_you_mean(name, known)}"
            f" Known: {', '.join(known)}."
        )


def _refuse_what_is_not_installed(word: str, module: str, extra: str) -> None:
    if find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{module}") is None:
        raise ConfigError(
            f"{word}: this needs a plugin that is not installed. Install it with pip install"
            f" 'node-cli[{extra}]', in a checkout with pip install -e '.[{extra}]'."
        )
