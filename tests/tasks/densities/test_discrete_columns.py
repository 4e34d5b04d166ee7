"""Columns of a few values: refused, or made to have a density."""

import math

import numpy as np
import pytest
import torch

from node_cli.data.number_table import Table
from node_cli.errors import DataError
from node_cli.tasks.densities.discrete_columns import (
    DequantizedBatches,
    dequantized,
    discrete_steps,
    refuse_discrete,
)


@pytest.fixture
def values():
    """A column with a density, a rounded one, a flag, and thirds of a few values."""
    rng = np.random.default_rng(0)
    return np.stack(
        (
            rng.normal(size=400),
            rng.normal(50, 10, 400).round(1),
            rng.integers(0, 2, 400),
            rng.integers(0, 5, 400) / 4,
        ),
        axis=1,
    )


def test_columns_of_a_few_values_are_found(values):
    assert discrete_steps(values).tolist() == [0, 0, 1, 0.25]
    assert discrete_steps(values[:10]).tolist() == [0, 0, 0, 0]
    assert discrete_steps(np.ones((100, 1))).tolist() == [0]


def test_they_are_refused_with_the_way_out(values):
    table = Table(values, ["a", "b", "flag", "rank"], True)
    with pytest.raises(DataError, match=r"column flag has 2 values in 400 rows.*data\.dequantize"):
        refuse_discrete(table)


def test_noise_keeps_which_value_it_was(values):
    rows, steps = torch.from_numpy(values), torch.from_numpy(discrete_steps(values))
    noisy = dequantized(rows, steps, torch.Generator().manual_seed(0))
    assert torch.equal(noisy[:, :2], rows[:, :2])
    assert torch.equal(noisy[:, 2].floor(), rows[:, 2])
    assert torch.equal((4 * noisy[:, 3]).floor() / 4, rows[:, 3])
    assert abs(float((noisy - rows)[:, 2].mean()) - 0.5) < 0.05


def test_batches_have_new_noise_and_the_same_again(values):
    class Rows:
        def __len__(self):
            return 2

        def batch(self, epoch, index):
            return torch.from_numpy(values[index::2])

    steps = torch.from_numpy(discrete_steps(values))
    batches = DequantizedBatches(Rows(), steps, seed=3)
    again = DequantizedBatches(Rows(), steps, seed=3)
    assert len(batches) == 2
    assert torch.equal(batches.batch(4, 1), again.batch(4, 1))
    assert not torch.equal(batches.batch(4, 1), batches.batch(5, 1))
    assert not torch.equal(batches.batch(4, 1), DequantizedBatches(Rows(), steps, 4).batch(4, 1))


def test_the_bound_holds_for_a_coin():
    """A density that is flat over each step gives the probabilities themselves."""
    share = 0.3
    rows = (torch.arange(1000) < 1000 * share).double().unsqueeze(1)
    noisy = dequantized(rows, torch.ones(1), torch.Generator().manual_seed(0))
    log_density = torch.where(noisy >= 1, math.log(share), math.log(1 - share))
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert -float(log_density.mean()) == pytest.approx(entropy)
