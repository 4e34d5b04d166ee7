"""The task of dynamics: vector fields from trajectories."""

from node_cli.tasks.dynamics.model_schema import (
    AugmentedMlpConfig,
    HamiltonianConfig,
    LagrangianConfig,
    MlpConfig,
    SecondOrderMlpConfig,
)
from node_cli.tasks.dynamics.schema import (
    DampedOscillatorConfig,
    DoublePendulumConfig,
    LorenzConfig,
    LotkaVolterraConfig,
    MassSpringConfig,
    PendulumConfig,
    ReflectionConfig,
    SpiralConfig,
    ThreeBodyConfig,
    TrajectoryFileConfig,
    TwoBodyConfig,
    VanDerPolConfig,
)
from node_cli.tasks.dynamics.stochastic_schema import (
    DoubleWellConfig,
    GeometricBrownianConfig,
    OrnsteinUhlenbeckConfig,
    SdeConfig,
)
from node_cli.tasks.entry import TaskEntry

FIELDS = ()  # none are promised to plugins
TASKS = (
    TaskEntry(
        "dynamics",
        "node_cli.tasks.dynamics.task:dynamics",
        models=(
            MlpConfig,
            AugmentedMlpConfig,
            SecondOrderMlpConfig,
            HamiltonianConfig,
            LagrangianConfig,
            SdeConfig,
        ),
        data=(
            SpiralConfig,
            LotkaVolterraConfig,
            VanDerPolConfig,
            DampedOscillatorConfig,
            MassSpringConfig,
            PendulumConfig,
            DoublePendulumConfig,
            TwoBodyConfig,
            ThreeBodyConfig,
            LorenzConfig,
            ReflectionConfig,
            OrnsteinUhlenbeckConfig,
            GeometricBrownianConfig,
            DoubleWellConfig,
            TrajectoryFileConfig,
        ),
        ode_model="mlp-field",
    ),
)
