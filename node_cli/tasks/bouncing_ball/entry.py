"""The task of the bouncing ball."""

from node_cli.tasks.bouncing_ball.schema import BallConfig, BouncesConfig
from node_cli.tasks.entry import TaskEntry

FIELDS = ()  # none are promised to plugins
TASKS = (
    TaskEntry(
        "bouncing-ball",
        "node_cli.tasks.bouncing_ball.task:BouncingBall",
        models=(BallConfig,),
        data=(BouncesConfig,),
        ode_model="ball",
    ),
)
