"""Continuous normalizing flows of densities in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches
from node_cli.tasks.base import Audit, Batch, EvaluationData, Loaders
from node_cli.tasks.densities import shapes
from node_cli.tasks.densities.density_task import DensityTask, inversion_error
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow
from node_cli.tasks.densities.picture import read_image
from node_cli.tasks.densities.points import FreshBatches, held_out
from node_cli.tasks.densities.schema import (
    CheckerboardConfig,
    MixtureConfig,
    PictureConfig,
    PlaneConfig,
)
from node_cli.tasks.densities.shapes import Density, Scaled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig

    class PlaneRun(RunConfig):
        """The settings of a run of this task."""

        data: PlaneConfig

    from node_cli.tasks.densities.figures import Box, Frame

_SHOWN_POINTS = 20_000
_SHOWN_PATHS = 150
_PATH_PLACES = 21
_GRID = 100
_FIGURE_SEED = 0


class AuditSize(NamedTuple):
    """How finely a trained flow is examined.

    Attributes:
        grid: cells on a side, over which the density is integrated.
        frames: of the animation.
        frame_grid: cells on a side of the density in each of them.
    """

    grid: int
    frames: int
    frame_grid: int

    @classmethod
    def after(cls, trained_points: int) -> AuditSize:
        """The size for a run that has trained on so many points.

        The full audit evaluates the density at about 160,000 points, so it belongs to runs that
        trained on at least as many. After fewer, its points become fewer in proportion, down to
        what still gives the integral within 1 % and an animation that can be followed.
        """
        share = min(1.0, trained_points / _FULL_AUDIT_POINTS)
        side = math.sqrt(share)
        full, least = _FULL_AUDIT, _LEAST_AUDIT
        return cls(
            max(least.grid, round(full.grid * side)),
            max(least.frames, round(full.frames * share)),
            max(least.frame_grid, round(full.frame_grid * side)),
        )


_FULL_AUDIT = AuditSize(grid=250, frames=31, frame_grid=80)
_LEAST_AUDIT = AuditSize(grid=100, frames=11, frame_grid=50)
_FULL_AUDIT_POINTS = 160_000


class Cnf2d(DensityTask):
    """The experiments of Chen et al. 2018, section 5, and of FFJORD's toy densities."""

    config: PlaneRun

    @cached_property
    def density(self) -> Density:
        """Where the points come from."""
        return density_of(self.config.data)

    @property
    def dimensions(self) -> int:
        """A point of the plane has two."""
        return 2

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of points ``[B, 2]``."""
        data, seed = self.config.data, self.config.seed
        validation, test = held_out(self.density, data.validation, data.test, seed)
        return Loaders(
            train=FreshBatches(self.density, data.batch_size, data.batches, seed, device),
            val=OrderedBatches(validation, data.eval_batch_size, device),
            test=OrderedBatches(test, data.eval_batch_size, device),
        )

    def evaluate(self, model: NormalizingFlow, batches: Iterable[Batch]) -> dict[str, float]:
        r"""As of every density task, and ``kl`` where the true density is known.

        .. math:: D_{KL}(p \| q) \approx \frac1N \sum_n \log p(x_n) - \log q(x_n), \quad x_n \sim p
        """
        seen: list[Tensor] = []

        def passed_on() -> Iterator[Tensor]:
            for points in batches:
                seen.append(points)
                yield points

        metrics = super().evaluate(model, passed_on())
        truth = self.density.log_density(torch.cat(seen))
        if truth is not None:
            metrics["kl"] = float(truth.double().mean()) + metrics["nll"]
        return metrics

    def figures(
        self, model: NormalizingFlow, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Data, samples and density side by side; paths from the base; curves over epochs."""
        from node_cli.tasks.densities.figures import density_panels, flow_paths

        assert isinstance(data, OrderedBatches)
        generator = torch.Generator().manual_seed(_FIGURE_SEED)
        base = model.draw_base(_SHOWN_POINTS, generator)
        batch = self.config.data.eval_batch_size
        samples = torch.cat([model.inverse(z) for z in base.split(batch)])
        box = box_around(data.examples, samples)
        density = self._on_grid(model, box, _GRID)
        grid = grid_points(box, _GRID).to(data.examples)
        truth = self.density.log_density(grid)
        paths = model.paths(base[:_SHOWN_PATHS], _PATH_PLACES)
        label = self.data_label
        return {
            "density": density_panels(
                data.examples.cpu().numpy(),
                samples.cpu().numpy(),
                density.cpu().numpy(),
                None if truth is None else truth.exp().reshape(_GRID, _GRID).cpu().numpy(),
                box,
                f"{label}: epoch {len(history)}, validation NLL {history[-1]['nll/val']:.3f} nats",
            ),
            "paths": flow_paths(paths.cpu().numpy(), f"{label}: from the base to the data"),
            **self.curves(history),
        }

    def audit(
        self,
        model: NormalizingFlow,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """Inversion error, the density's integral over all that is drawn, and an animation."""
        from node_cli.tasks.densities.figures import animation

        size = AuditSize.after(steps * self.config.data.batch_size)
        tell("examining the density")
        assert isinstance(data, OrderedBatches)
        points = data.examples
        generator = torch.Generator().manual_seed(_FIGURE_SEED)
        first = next(iter(data))
        base = model.draw_base(len(first), generator)
        samples = model.inverse(base)
        box = box_around(points, samples)
        density = self._on_grid(model, box, size.grid)
        metrics = {
            **inversion_error(model, first),
            "density_integral": float(density.double().mean()) * area(box),
        }
        if not draw:
            return Audit(metrics)
        tell("drawing the animation")
        wide = box_around(points, samples, base)
        gif = animation(self._frames(model, base, wide, size), wide, self.data_label)
        return Audit(metrics, animations={"density_over_time": gif})

    def _frames(
        self, model: NormalizingFlow, base: Tensor, box: Box, size: AuditSize
    ) -> Iterator[Frame]:
        from node_cli.tasks.densities.figures import Frame

        grid = grid_points(box, size.frame_grid).to(base)
        each = max(2, math.ceil((size.frames - 1) / model.flows) + 1)
        paths = model.paths(base, each)
        last = len(paths) - 1
        for number, samples in enumerate(paths):
            share = number / last
            position = number / (each - 1)
            density = model.density_along(grid, position).exp()
            yield Frame(
                f"{share:.0%} of the way from the base",
                samples.cpu().numpy(),
                density.reshape(size.frame_grid, size.frame_grid).cpu().numpy(),
            )

    def _on_grid(self, model: NormalizingFlow, box: Box, size: int) -> Tensor:
        """The model's density at the centres of a grid's cells, ``[size, size]``."""
        points = grid_points(box, size).to(model.shift)
        batch = self.config.data.eval_batch_size
        return torch.cat([model(x).log_density.exp() for x in points.split(batch)]).reshape(
            size, size
        )


def density_of(data: PlaneConfig) -> Density:
    """The density that the ``data`` group asks for.

    Raises:
        DataError: a picture cannot be read.
    """
    if isinstance(data, CheckerboardConfig):
        density: Density = shapes.Checkerboard()
    elif isinstance(data, MixtureConfig):
        density = shapes.Mixture(data.weights, data.means, data.covariances)
    elif isinstance(data, PictureConfig):
        assert data.path is not None
        density = read_image(Path(data.path), data.invert)
    else:
        density = {
            "circles": lambda noise: shapes.Rings((1.0, 0.5), noise),
            "rings": lambda noise: shapes.Rings((1.0, 0.75, 0.5, 0.25), noise),
            "moons": shapes.Moons,
            "two-spirals": shapes.TwoSpirals,
            "pinwheel": shapes.Pinwheel,
            "8-gaussians": shapes.eight_gaussians,
            "swiss-roll": shapes.SwissRoll,
        }[data.name](data.noise)
    return density if data.scale == 1.0 else Scaled(density, data.scale)


def box_around(*points: Tensor) -> Box:
    """A square around points ``[N, 2]`` with a margin of an eighth of its side."""
    everything = torch.cat(points)
    low, high = everything.min(dim=0).values, everything.max(dim=0).values
    (x, y), side = ((low + high) / 2).tolist(), 1.25 * float((high - low).max())
    return x - side / 2, x + side / 2, y - side / 2, y + side / 2


def grid_points(box: Box, size: int) -> Tensor:
    """The centres of ``size * size`` cells, ``[size * size, 2]``, row by row from the bottom."""
    left, right, bottom, top = box
    share = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(
        bottom + (top - bottom) * share, left + (right - left) * share, indexing="ij"
    )
    return torch.stack((x, y), dim=2).reshape(-1, 2)


def area(box: Box) -> float:
    """The area of a box."""
    return (box[1] - box[0]) * (box[3] - box[2])
