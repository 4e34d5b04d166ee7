"""The task of time series: the latent ODE and its relatives."""

from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.series.schema import (
    ArchiveConfig,
    AutoregressiveConfig,
    GlucoseConfig,
    HopperConfig,
    LatentOdeConfig,
    PeriodicConfig,
    PhysionetConfig,
    RnnVaeConfig,
    SeriesTableConfig,
    SpiralsConfig,
)

# Two names of one task, which differ in the data that they take when none are named.
FIELDS = ()  # none are promised to plugins
TASKS = tuple(
    TaskEntry(
        name,
        "node_cli.tasks.series.task:LatentSeries",
        models=(LatentOdeConfig, RnnVaeConfig, AutoregressiveConfig),
        data=(
            SpiralsConfig,
            PeriodicConfig,
            SeriesTableConfig,
            GlucoseConfig,
            ArchiveConfig,
            HopperConfig,
            PhysionetConfig,
        ),
        ode_model="latent-ode",
    )
    for name in ("latent-series", "latent-spirals")
)
