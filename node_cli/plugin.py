"""What a plugin uses of node-cli. These names are promised; nothing else is.

A plugin is a Python file of yours (``node-train --plugin FILE``, or files in the environment
variable ``NODE_CLI_PLUGINS``), or a module of a package of yours that an entry point in the group
``node_cli.tasks`` names. It brings the classes that are written in it: subclasses of ``Task``, and
settings of models that have a vector field for a task of ours (``FlowModel``, ``ImageModel``).
``node-new`` writes a file that does. See docs/your-own-task.md.

A task:

- ``Task``: data, model, loss, metrics and figures. ``BestMetric``, ``Loaders`` and ``Audit`` are
  what its methods give. With a method ``predict`` its runs can be used by ``node-predict``: a
  ``Question`` is what that is asked, ``Inputs`` what a file holds, and ``Predictions`` the answer.
- ``ModelSettings``, ``BaselineSettings``, ``DataSettings``: settings of its models and data. The
  kinds of values are ``Count``, ``Whole``, ``Positive``, ``NonNegative``, ``FromZeroToOne``,
  ``BetweenZeroAndOne`` and ``Text``, beside ``bool``, ``int``, ``float``, ``str``, ``Literal``,
  lists and tuples of them (``tuple[Count, ...]``), and ``None`` (``Text | None``). A range of your
  own is ``Annotated[int, Field(ge=2), "an integer >= 2"]``, with the words in which it is told.
- ``TaskEntry``: a task in a list ``TASKS``, by which a package need not import torch before one of
  its tasks is trained.

A model:

- ``OdeSolve``: solves an ODE as the run's settings say (``SolveSpec``, which is ``Task.spec``).
  Evaluation and studies solve it in other ways, so all solves of a model go through it. Its
  ``with_events`` ends at an event, or goes on from it after a jump of the state.
- ``ODEBlock``: a layer that maps ``y(0)`` to ``y(T)``.

And beside them:

- ``random_stream``: random numbers for one purpose, the same on every machine.
- ``new_figure``: a Matplotlib figure in the look of ours.
- ``DataError``: for what is wrong with the user's data, in one sentence that is shown without a
  traceback.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from node_cli.errors import DataError
from node_cli.schema.base import (
    BetweenZeroAndOne,
    Count,
    FromZeroToOne,
    NonNegative,
    Positive,
    Text,
    Whole,
)
from node_cli.tasks.entry import TaskEntry
from node_cli.tasks.own_settings import BaselineSettings, DataSettings, ModelSettings
from node_cli.tasks.registry import family_modules

if TYPE_CHECKING:
    from node_cli.data.random_streams import random_stream
    from node_cli.figures.canvas import new_figure
    from node_cli.models.ode_solve import ODEBlock, OdeSolve
    from node_cli.solving import SolveSpec
    from node_cli.tasks.base import Audit, BestMetric, Loaders, Task
    from node_cli.tasks.prediction import Inputs, Predictions, Question

# What brings torch or Matplotlib is imported when it is asked for: a package's list of tasks need
# not wait for them.
_HEAVY = {
    "Audit": "node_cli.tasks.base",
    "BestMetric": "node_cli.tasks.base",
    "Inputs": "node_cli.tasks.prediction",
    "Loaders": "node_cli.tasks.base",
    "ODEBlock": "node_cli.models.ode_solve",
    "OdeSolve": "node_cli.models.ode_solve",
    "Predictions": "node_cli.tasks.prediction",
    "Question": "node_cli.tasks.prediction",
    "SolveSpec": "node_cli.solving",
    "Task": "node_cli.tasks.base",
    "new_figure": "node_cli.figures.canvas",
    "random_stream": "node_cli.data.random_streams",
}
# The families' own, by which a vector field is brought for a task of theirs.
_FIELDS = {field.__name__: field for module in family_modules() for field in module.FIELDS}

__all__ = [
    "Audit",
    "BaselineSettings",
    "BestMetric",
    "BetweenZeroAndOne",
    "Count",
    "DataError",
    "DataSettings",
    "FromZeroToOne",
    "Inputs",
    "Loaders",
    "ModelSettings",
    "NonNegative",
    "ODEBlock",
    "OdeSolve",
    "Positive",
    "Predictions",
    "Question",
    "SolveSpec",
    "Task",
    "TaskEntry",
    "Text",
    "Whole",
    "new_figure",
    "random_stream",
]
__all__ += sorted(_FIELDS)


def __getattr__(name: str) -> object:
    if name in _FIELDS:
        return _FIELDS[name]
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
