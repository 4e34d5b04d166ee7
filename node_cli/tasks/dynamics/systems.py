"""From the ``data`` group to the equations that it means."""

from __future__ import annotations

from node_cli.tasks.dynamics.mechanical_systems import (
    Bodies,
    DoublePendulum,
    MassSpring,
    Pendulum,
)
from node_cli.tasks.dynamics.planar_systems import (
    DampedOscillator,
    ForcedVanDerPol,
    Lorenz,
    LotkaVolterra,
    Spiral,
    VanDerPol,
)
from node_cli.tasks.dynamics.schema import (
    BodiesConfig,
    DampedOscillatorConfig,
    DoublePendulumConfig,
    LorenzConfig,
    LotkaVolterraConfig,
    MassSpringConfig,
    PendulumConfig,
    SystemConfig,
    VanDerPolConfig,
)
from node_cli.tasks.dynamics.stochastic_schema import (
    DoubleWellConfig,
    GeometricBrownianConfig,
    OrnsteinUhlenbeckConfig,
)
from node_cli.tasks.dynamics.stochastic_systems import (
    DoubleWell,
    GeometricBrownian,
    OrnsteinUhlenbeck,
)
from node_cli.tasks.dynamics.system import System


def system_of(config: SystemConfig) -> System:
    """The equations of a system, with its settings."""
    match config:
        case LotkaVolterraConfig():
            return LotkaVolterra(config)
        case VanDerPolConfig():
            return ForcedVanDerPol(config) if config.forcing else VanDerPol(config)
        case DampedOscillatorConfig():
            return DampedOscillator(config)
        case MassSpringConfig():
            return MassSpring(config)
        case PendulumConfig():
            return Pendulum(config)
        case DoublePendulumConfig():
            return DoublePendulum(config)
        case BodiesConfig():
            return Bodies(config)
        case LorenzConfig():
            return Lorenz(config)
        case OrnsteinUhlenbeckConfig():
            return OrnsteinUhlenbeck(config)
        case GeometricBrownianConfig():
            return GeometricBrownian(config)
        case DoubleWellConfig():
            return DoubleWell(config)
        case _:
            return Spiral()
