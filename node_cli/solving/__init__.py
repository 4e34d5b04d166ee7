"""Everything about ``dy/dt = f(t, y)``: solving it, its gradients and their accounting."""

from node_cli.solving.events import Event, EventSolution, NoEventError, solve_with_events
from node_cli.solving.solve import Solution, solve
from node_cli.solving.spec import SolveSpec
from node_cli.solving.stats import SolveStats, record_solves, total

__all__ = [
    "Event",
    "EventSolution",
    "NoEventError",
    "Solution",
    "SolveSpec",
    "SolveStats",
    "record_solves",
    "solve",
    "solve_with_events",
    "total",
]
