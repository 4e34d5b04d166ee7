"""The task of time series: the latent ODE and its relatives."""

from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.series.schema import (
    AutoregressiveConfig,
    LatentOdeConfig,
    PeriodicConfig,
    RnnVaeConfig,
    SeriesTableConfig,
    SpiralsConfig,
)

TASKS = (
    TaskEntry(
        "latent-spirals",
        "node_cli.tasks.series.task",
        models=(LatentOdeConfig, RnnVaeConfig, AutoregressiveConfig),
        data=(SpiralsConfig, PeriodicConfig, SeriesTableConfig),
        ode_model="latent-ode",
    ),
)
