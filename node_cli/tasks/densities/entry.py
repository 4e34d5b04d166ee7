"""The tasks of densities: continuous normalizing flows in the plane and of a table."""

from node_cli.tasks.densities.schema import (
    CheckerboardConfig,
    FlowModel,
    HypernetworkConfig,
    LayeredFlowConfig,
    MixtureConfig,
    PictureConfig,
    ShapeConfig,
    TableConfig,
)
from node_cli.tasks.entry import TaskEntry

FIELDS = (FlowModel,)  # promised to plugins
_FLOWS = (HypernetworkConfig, LayeredFlowConfig)
_NO_DENSITY = (
    "a flow needs a density on the space of the data, and an augmented state, which fills only a"
    " part of its larger space, has none there"
)
_REFUSED = {"model=augmented": _NO_DENSITY, "model.augment_dim": _NO_DENSITY}

TASKS = (
    TaskEntry(
        "cnf-2d",
        "node_cli.tasks.densities.cnf_2d:Cnf2d",
        models=_FLOWS,
        data=(ShapeConfig, CheckerboardConfig, MixtureConfig, PictureConfig),
        ode_model="hypernetwork",
        refused=_REFUSED,
    ),
    TaskEntry(
        "cnf-tabular",
        "node_cli.tasks.densities.cnf_tabular:CnfTabular",
        models=_FLOWS,
        data=(TableConfig,),
        ode_model="concat-squash",
        refused=_REFUSED,
    ),
)
