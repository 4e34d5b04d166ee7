"""Seeds of Brownian paths, and what else a batch draws: a pure function of where the run is.

A batch that is seen again, because a run is resumed or a gradient is looked at twice, has the same
paths again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from node_cli.data.batches import Examples, number_of

if TYPE_CHECKING:
    from node_cli.tasks.base import EvaluationData, TrainingData


def path_seed(seed: int, *key: int) -> int:
    """A seed for one purpose.

    Args:
        seed: of the run or of a batch, not negative.
        key: tells the seeds that are made of one apart, all not negative.
    """
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return int(state[0]) >> 1  # as torch and ``random_stream`` take them


def seed_of_a_question(seed: int, asked: int) -> int:
    """The seed of predictions: that of the run's evaluation, or another that was asked for.

    Args:
        seed: of the run, not negative.
        asked: 0 for that of the evaluation.
    """
    return path_seed(seed, asked) if asked else seed


@dataclass(frozen=True)
class Seeded:
    """A batch and the seed of all that is drawn for it.

    Attributes:
        examples: of the batch.
        path_seed: of its Brownian paths; of other draws by a key of their own.
    """

    examples: Examples
    path_seed: int

    def __len__(self) -> int:
        """Its examples."""
        return number_of(self.examples)


class SeededBatches:
    """Training batches whose seeds are a function of the run's seed, the epoch and the index.

    Args:
        batches: without seeds.
        seed: of the run.
        stream: of the task, apart from others that it draws with this seed.
    """

    def __init__(self, batches: TrainingData, seed: int, stream: int) -> None:
        self._batches, self._seed, self._stream = batches, seed, stream

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._batches)

    def batch(self, epoch: int, index: int) -> Seeded:
        """The batch at ``index`` of ``epoch``."""
        seed = path_seed(self._seed, self._stream, epoch, index)
        return Seeded(self._batches.batch(epoch, index), seed)


class SeededEvaluation:
    """Batches in a fixed order, each with the same seed in each epoch.

    Args:
        batches: without seeds.
        seed: of the run.
        stream: of the task, apart from others that it draws with this seed.
    """

    def __init__(self, batches: EvaluationData, seed: int, stream: int) -> None:
        self.batches, self._seed, self._stream = batches, seed, stream

    def __len__(self) -> int:
        """Number of batches."""
        return len(self.batches)

    def __iter__(self) -> Iterator[Seeded]:
        """Go through all batches once."""
        for index, batch in enumerate(self.batches):
            yield Seeded(batch, path_seed(self._seed, self._stream, index))
