"""The task of images: ODE-Net and its relatives on MNIST and its kind."""

from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.images.schema import EulerNetConfig, ImagesConfig, OdeNetConfig, ResNetConfig

TASKS = (
    TaskEntry(
        "mnist-odenet",
        "node_cli.tasks.images.task:MnistOdeNet",
        models=(OdeNetConfig, ResNetConfig, EulerNetConfig),
        data=(ImagesConfig,),
        ode_model="odenet",
    ),
)
