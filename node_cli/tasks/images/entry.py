"""The task of images: ODE-Net and its relatives on MNIST and its kind."""

from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.images.schema import (
    EulerNetConfig,
    ImageFolderConfig,
    ImageModel,
    ImagesConfig,
    OdeNetConfig,
    ResNetConfig,
    SdeNetConfig,
    SonodeConfig,
)

FIELDS = (ImageModel,)  # promised to plugins
TASKS = (
    TaskEntry(
        "mnist-odenet",
        "node_cli.tasks.images.sde_net_task:image_task",
        models=(OdeNetConfig, SonodeConfig, SdeNetConfig, ResNetConfig, EulerNetConfig),
        data=(ImagesConfig, ImageFolderConfig),
        ode_model="odenet",
    ),
)
