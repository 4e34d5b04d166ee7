"""Everything about ``dy = f(t, y) dt + g(t, y) dW``: solving it, gradients and accounting."""

from node_cli.solving.sde.brownian_grid import BrownianGrid
from node_cli.solving.sde.driving_path import DrivingPath
from node_cli.solving.sde.sde import Sde
from node_cli.solving.sde.solve import SdeSolution, solve_sde
from node_cli.solving.sde.spec import SdeSpec

__all__ = ["BrownianGrid", "DrivingPath", "Sde", "SdeSolution", "SdeSpec", "solve_sde"]
