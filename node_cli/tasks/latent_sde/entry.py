"""The task of latent SDEs."""

from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.latent_sde.schema import (
    InflationConfig,
    LatentSdeConfig,
    OuSegmentsConfig,
    SeriesTableConfig,
    StochasticLorenzConfig,
)

FIELDS = ()  # none are promised to plugins
TASKS = (
    TaskEntry(
        "latent-sde",
        "node_cli.tasks.latent_sde.task:LatentSdeTask",
        models=(LatentSdeConfig,),
        data=(OuSegmentsConfig, StochasticLorenzConfig, SeriesTableConfig, InflationConfig),
        ode_model=None,
    ),
)
