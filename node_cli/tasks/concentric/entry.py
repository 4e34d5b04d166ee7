"""The task of concentric spheres: a neural ODE, an augmented one and their relatives."""

from node_cli.schema.vector_field import AugmentedConfig, MlpFieldConfig
from node_cli.tasks.concentric.schema import (
    MlpResNetConfig,
    SecondOrderOfPointsConfig,
    SpheresConfig,
)
from node_cli.tasks.entry import TaskEntry

FIELDS = ()  # none are promised to plugins
TASKS = (
    TaskEntry(
        "concentric",
        "node_cli.tasks.concentric.task:Concentric",
        models=(MlpFieldConfig, AugmentedConfig, SecondOrderOfPointsConfig, MlpResNetConfig),
        data=(SpheresConfig,),
        ode_model="mlp-field",
    ),
)
