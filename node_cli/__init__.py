"""node-cli: an experiment runner for neural ordinary differential equations.

In a notebook or a script: ``node_cli.train``, ``node_cli.load`` and ``node_cli.solve``. Nothing
heavy is imported before one of them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Run", "load", "solve", "train"]

if TYPE_CHECKING:
    from node_cli.notebook import Run, load, solve, train


def __getattr__(name: str) -> object:
    if name in __all__:
        from node_cli import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
