"""The task of neural SDEs that are trained against a discriminator."""

from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.sde_gan.schema import SdeGanConfig, TimeDependentOuConfig

FIELDS = ()  # none are promised to plugins
TASKS = (
    TaskEntry(
        "sde-gan",
        "node_cli.tasks.sde_gan.task:SdeGanTask",
        models=(SdeGanConfig,),
        data=(TimeDependentOuConfig,),
        ode_model=None,
    ),
)
