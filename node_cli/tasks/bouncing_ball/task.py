"""Learn the gravity and the restitution of a bouncing ball from its heights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.data.times_file import read_times
from node_cli.errors import ConfigError, DataError
from node_cli.tasks.base import Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.bouncing_ball.ball import Ball
from node_cli.tasks.bouncing_ball.observations import Observations, observed
from node_cli.tasks.bouncing_ball.stream import Stream
from node_cli.tasks.prediction import Inputs, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.bouncing_ball.schema import BallConfig, BouncesConfig

    class BallRun(RunConfig):
        """The settings of a run of this task."""

        model: BallConfig
        data: BouncesConfig


_FIRST_OPEN = 0.2  # of the window, at the start of the run
_LEAST_HEIGHT = 0.01  # of a ball that is first seen on the ground, of the greatest height
_DRAWN = 600  # times
_CHOSEN = 201  # times of a prediction where none are asked for


class BouncingBall(Task[Ball]):
    """After Chen, Amos and Nickel 2021, Learning neural event functions, section 4."""

    config: BallRun
    best = BestMetric("loss", "min", "mean squared error", "m^2")
    asks = frozenset({"input", "times"})

    @cached_property
    def parts(self) -> tuple[Observations, Observations, Observations]:
        """Training, validation and test."""
        data, seed = self.config.data, self.config.seed
        streams = [random_stream(seed, Stream.OBSERVATIONS, part) for part in range(3)]
        return (
            observed(data, data.points, data.window, streams[0]),
            observed(data, data.validation, data.window, streams[1]),
            observed(data, data.test, data.horizon, streams[2]),
        )

    def build_model(self) -> Ball:
        """A ball that starts at the guesses of the ``model`` group."""
        data, model, train = self.config.data, self.config.model, self.parts[0]
        height, velocity, ground = data.height, data.velocity, data.ground
        if model.learn_ground:
            ground = float(train.heights.min())
        if model.learn_start:
            lowest = ground + _LEAST_HEIGHT * (float(train.heights.max()) - ground)
            height, velocity = max(float(train.heights[0]), lowest), 0.0
        return Ball(model, height, velocity, ground, self.spec)

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of observations."""
        return self.in_batches(*self.parts, device, Stream.ORDER)

    def loss(self, model: Ball, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean squared error of the heights, in m^2, of the times that are open already."""
        opening = self.config.model.opening
        share = min(1.0, self.progress / opening) if opening else 1.0
        end = self.config.data.window * (_FIRST_OPEN + (1 - _FIRST_OPEN) * share)
        counted = batch.times <= end
        motion = model(batch.times.clamp(max=end))
        errors = (motion.heights - batch.heights).square() * counted
        learned = {name: value.detach() for name, value in model.learned().items()}
        return errors.sum() / counted.sum().clamp(min=1), learned

    def evaluate(self, model: Ball, batches: Iterable[Batch]) -> dict[str, float]:
        """``loss``, errors of the heights, of the impacts and of what is learned.

        ``rmse_inside`` and ``rmse_beyond`` are those of the true heights at times within the window
        of training and after it, in m. ``impacts_missed`` is by how many impacts up to the horizon
        the count is wrong, ``impact_time_error`` the largest error of their times, in s.
        ``gravity_error`` and ``restitution_error`` are relative.
        """
        data = self.config.data
        seen = [(batch, model(batch.times, data.horizon)) for batch in batches]
        times = torch.cat([batch.times for batch, _ in seen])
        heights = torch.cat([motion.heights for _, motion in seen])
        noisy = torch.cat([batch.heights for batch, _ in seen])
        errors = (heights - torch.cat([batch.truth for batch, _ in seen])).double().square()
        metrics = {"loss": float((heights - noisy).double().square().mean())}
        for name, there in (("inside", times <= data.window), ("beyond", times > data.window)):
            if bool(there.any()):
                metrics[f"rmse_{name}"] = float(errors[there].mean().sqrt())
        impacts = seen[0][1].impacts.tolist()
        true = [impact.time for impact in data.flight.impacts_until(data.horizon)]
        metrics["impacts_missed"] = abs(len(impacts) - len(true))
        if impacts:
            both = zip(impacts, true, strict=False)
            metrics["impact_time_error"] = max(abs(found - time) for found, time in both)
        for name, value in model.learned().items():
            metrics[name] = float(value)
        for name in ("gravity", "restitution"):
            truth = getattr(data, name)
            metrics[f"{name}_error"] = abs(metrics[name] - truth) / truth
        return metrics

    def model_of(self, state: Mapping[str, Any]) -> Ball:
        """Without the observations; all that they say is in the weights."""
        data = self.config.data
        return Ball(self.config.model, data.height, data.velocity, data.ground, self.spec)

    def inputs(self, model: Ball, question: Question) -> Inputs:
        """The times that are asked for, of which no height is known.

        Raises:
            ConfigError: there are none, or ids with them.
            DataError: one is before 0, where the flight of the ball begins.
        """
        times = question.times
        if times is None:
            times = read_times(question.file, "INPUT") if question.path else self._evenly(question)
        elif question.path is not None:
            raise ConfigError("INPUT: it has the times; leave out --times, or INPUT.")
        if isinstance(times, Mapping):
            raise ConfigError("--times-file: there is one ball; give times without ids.")
        if times[0] < 0:
            raise DataError(
                f"time {times[0]:.15g}: the flight of the ball is known from 0 on, where it is"
                " thrown; what was before could have been any number of impacts."
            )
        at = torch.from_numpy(times)
        return Inputs(Observations(at, at * math.nan, at * math.nan))

    def _evenly(self, question: Question) -> NDArray[np.float64]:
        end = self.config.data.window + (question.horizon or self.config.data.window / 2)
        return np.linspace(0.0, end, _CHOSEN)

    def predict(self, model: Ball, batch: Batch, question: Question) -> Predictions:
        """The height at each time."""
        times, end = batch.times.to(model.gravity), self.config.data.horizon
        motion = model(times, end if float(times.max()) < end else None)
        return Predictions(
            ["time", "height"], torch.stack((batch.times.double(), motion.heights.double()), dim=1)
        )

    def figures(
        self, model: Ball, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Heights with their bounces, what is learned against the epoch, and curves."""
        from node_cli.tasks.bouncing_ball.figures import heights, learned_by_epoch

        settings, train = self.config.data, self.parts[0]
        times = torch.linspace(0.0, settings.horizon, _DRAWN)
        motion = model(times.to(model.gravity), settings.horizon)
        truth = {name: getattr(settings, name) for name in model.learned()}
        return {
            "heights": heights(
                settings,
                (train.times.numpy(), train.heights.numpy()),
                (times.numpy(), motion.heights.cpu().numpy()),
                motion.impacts.cpu().numpy(),
                f"{self.data_label}: epoch {len(history)}",
            ),
            "learned_per_epoch": learned_by_epoch(history, truth, self.data_label),
            **self.curves(history),
        }
