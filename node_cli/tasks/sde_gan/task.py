"""Learn the law of paths with a neural SDE, against a discriminator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from node_cli.data.batches import OrderedBatches, ShuffledBatches
from node_cli.data.path_seeds import Seeded, SeededBatches, SeededEvaluation
from node_cli.tasks.base import Audit, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.sde_gan.distances import distances
from node_cli.tasks.sde_gan.sde_gan import SdeGan
from node_cli.tasks.sde_gan.stream import Stream
from node_cli.tasks.sde_gan.time_dependent_ou import Parts, time_dependent_ou

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.sde_gan.schema import SdeGanConfig, TimeDependentOuConfig

    class SdeGanRun(RunConfig):
        """The settings of a run of this task."""

        model: SdeGanConfig
        data: TimeDependentOuConfig


_SHOWN = 50  # paths of a figure


class SdeGanTask(Task[SdeGan]):
    """The experiment of Kidger et al. 2021, section 4, on synthetic paths."""

    config: SdeGanRun
    best = BestMetric("signature_distance", "min", "distance of the signatures")

    @cached_property
    def _units(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of all values of the training paths."""
        train = self._raw[0]
        return train.mean(), train.std()

    @cached_property
    def _raw(self) -> Parts:
        return time_dependent_ou(self.config.data, self.config.seed)

    @cached_property
    def parts(self) -> Parts:
        """Training, validation and test paths ``[N, points]``, standardised by the first."""
        mean, deviation = self._units
        train, validation, test = ((part - mean) / deviation for part in self._raw)
        return train, validation, test

    def build_model(self) -> SdeGan:
        """Generator and discriminator."""
        return SdeGan(self.config.model, self.config.data.points, self.sde_spec)

    def learning_rates(self, model: SdeGan) -> Sequence[tuple[float, Iterable[nn.Parameter]]]:
        """The discriminator's is another."""
        rate = self.config.model.discriminator_rate
        return [(1.0, model.generator.parameters()), (rate, model.discriminator.parameters())]

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of paths, each with the seed of those that are generated beside it."""
        data, seed = self.config.data, self.config.seed
        train, validation, test = self.parts

        def evaluated(part: Tensor, stream: Stream) -> SeededEvaluation:
            return SeededEvaluation(
                OrderedBatches(part, data.eval_batch_size, device), seed, stream
            )

        shuffled = ShuffledBatches(train, data.batch_size, seed, device, Stream.ORDER)
        return Loaders(
            SeededBatches(shuffled, seed, Stream.TRAINING),
            evaluated(validation, Stream.VALIDATION),
            evaluated(test, Stream.TEST),
        )

    def loss(self, model: SdeGan, batch: Seeded) -> tuple[Tensor, dict[str, Tensor]]:
        """What the discriminator makes small; ``apart`` and ``penalty``, see ``Losses``."""
        found = model.losses(batch.examples, batch.path_seed)
        metrics = {"apart": found.apart.detach(), "penalty": found.penalty.detach()}
        return found.apart + self.config.model.penalty * found.penalty, metrics

    def evaluate(self, model: SdeGan, batches: Iterable[Seeded]) -> dict[str, float]:
        """Distances of the data from as many generated paths; ``loss`` is their mean scores'."""
        every = list(batches)
        data = torch.cat([batch.examples for batch in every])
        generated = torch.cat(list(_generated(model, every)))
        scores = [
            torch.cat([model.discriminator(part) for part in paths.split(len(every[0]))])
            for paths in (generated, data)
        ]
        loss = float(scores[0].mean() - scores[1].mean())
        return {"loss": loss, **distances(generated, data)}

    def audit(
        self,
        model: SdeGan,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """The distances of training paths from those of the test: with ``_of_data`` behind."""
        test = self.parts[2]
        return Audit(
            {
                f"{name}_of_data": value
                for name, value in distances(self.parts[0][: len(test)], test).items()
            }
        )

    def figures(
        self, model: SdeGan, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Paths and their percentiles, in the units of the data, and curves."""
        from node_cli.tasks.sde_gan.figures import paths_and_bands

        every: list[Seeded] = list(data)
        mean, deviation = self._units
        real, generated = (
            (deviation * paths.cpu() + mean).numpy()
            for paths in (
                torch.cat([batch.examples for batch in every]),
                torch.cat(list(_generated(model, every))),
            )
        )
        return {
            "paths": paths_and_bands(real, generated, _SHOWN, self.data_label),
            **self.curves(history),
        }


def _generated(model: SdeGan, batches: Iterable[Seeded]) -> Iterator[Tensor]:
    """As many paths as there are of the data."""
    for batch in batches:
        yield model(len(batch), batch.path_seed)
