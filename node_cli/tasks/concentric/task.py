"""Which of two concentric spheres a point is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from node_cli.data.batches import OrderedBatches
from node_cli.errors import DataError
from node_cli.schema.vector_field import AugmentedConfig
from node_cli.tasks.base import Batch, EvaluationData, Loaders, Task
from node_cli.tasks.concentric.model import PointClassifier
from node_cli.tasks.concentric.spheres import Points, spheres
from node_cli.tasks.concentric.stream import Stream
from node_cli.tasks.prediction import Inputs, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.concentric.figures import Answers, Paths
    from node_cli.tasks.concentric.schema import SpheresConfig

    class SpheresRun(RunConfig):
        """The settings of a run of this task."""

        data: SpheresConfig


_SHOWN_PATHS = 90
_PATH_PLACES = 41
_GRID = 120


class Concentric(Task[PointClassifier]):
    """The experiments of Dupont et al. 2019, sections 3 and 5.1."""

    config: SpheresRun

    @cached_property
    def parts(self) -> tuple[Points, Points, Points]:
        """Points for training, validation and test."""
        return spheres(self.config.data, self.config.seed)

    @property
    def data_label(self) -> str:
        """The name of the data with the number of dimensions."""
        return f"{self.config.data.name} in {self.config.data.dimensions}-D"

    def build_model(self) -> PointClassifier:
        """The model of the ``model`` group."""
        return PointClassifier(self.config.model, self.config.data.dimensions, self.spec)

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of ``Points``."""
        return self.in_batches(*self.parts, device, Stream.ORDER)

    def loss(self, model: PointClassifier, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean squared error of the targets, -1 for the ball and 1 for the shell; accuracy.

        As in the paper. Cross-entropy would have the states of points far apart that are told
        apart already, and no model's NFE would ever stop growing.
        """
        points: Points = batch
        answers = model(points.x)
        right = (answers.detach() > 0) == (points.shell > 0)
        loss = functional.mse_loss(answers, 2 * points.shell - 1)
        return loss, {"accuracy": right.float().mean()}

    def inputs(self, model: PointClassifier, question: Question) -> Inputs:
        """Points of a table, which nobody has told apart.

        Raises:
            DataError: they have another number of coordinates.
        """
        x, dimensions = super().inputs(model, question).examples, self.config.data.dimensions
        if x.shape[1] != dimensions:
            raise DataError(
                f"INPUT {question.file} has {x.shape[1]} columns; the run's points have"
                f" {dimensions} coordinates."
            )
        return Inputs(Points(x, x.new_full((len(x),), float("nan"))))

    def predict(self, model: PointClassifier, batch: Batch, question: Question) -> Predictions:
        """The answer, which is -1 in the ball and 1 in the shell at best, and what it means."""
        answers = model(batch.x)
        found = ["shell" if answer > 0 else "ball" for answer in answers.tolist()]
        return Predictions(["answer"], answers.unsqueeze(1), labels={"class": found})

    def figures(
        self, model: PointClassifier, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """The answer where points begin beside their paths, and the curves over epochs."""
        from node_cli.figures.curves import curves_by_epoch
        from node_cli.tasks.concentric.figures import flow

        assert isinstance(data, OrderedBatches)
        points: Points = data.examples
        accuracy = {"accuracy/train": "training", "accuracy/val": "validation"}
        return {
            "flow": flow(
                self._answers(model, points),
                self._paths(model, points),
                f"{self.data_label}, {self.config.model.name}: epoch {len(history)}, accuracy"
                f" {history[-1]['accuracy/val']:.1%}",
            ),
            "accuracy_per_epoch": curves_by_epoch(history, accuracy, "accuracy", self.data_label),
            **self.curves(history),
        }

    def _answers(self, model: PointClassifier, points: Points) -> Answers:
        """The answers at points ``[N, d]``, and on a grid over the line or the plane."""
        from node_cli.tasks.concentric.figures import Answers

        dimensions = points.x.shape[1]
        side = 1.1 * self.config.data.shell[1]
        line = torch.linspace(-side, side, _GRID, device=points.x.device)
        if dimensions == 1:
            on_grid = model(line.unsqueeze(1))
        elif dimensions == 2:
            on_grid = model(torch.cartesian_prod(line, line)).reshape(_GRID, _GRID).t()
        else:
            line = on_grid = line[:0]
        found = (points.x, points.shell, model(points.x), line, on_grid)
        return Answers(*(values.cpu().numpy() for values in found))

    def _paths(self, model: PointClassifier, points: Points) -> Paths:
        from node_cli.tasks.concentric.figures import Paths

        shown = Points(*(values[:_SHOWN_PATHS] for values in points))
        times, states = model.paths(shown.x, _PATH_PLACES)
        return Paths(
            times.cpu().numpy(),
            states.cpu().numpy(),
            shown.shell.cpu().numpy(),
            shown.x.shape[1],
            isinstance(self.config.model, AugmentedConfig),
            model.head.weight[0].cpu().numpy(),
            float(model.head.bias),
        )
