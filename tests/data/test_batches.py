from collections import namedtuple

import pytest
import torch

from node_cli.data.batches import OrderedBatches, ShuffledBatches, number_of
from node_cli.errors import DataError

CPU = torch.device("cpu")
Pair = namedtuple("Pair", ["x", "y"])
X, Y = torch.arange(10.0), torch.arange(10.0).reshape(10, 1) + 100


@pytest.mark.parametrize(
    "examples", [(X, Y), [X, Y], {"x": X, "y": Y}, Pair(X, Y), {"both": (X, Y)}], ids=str
)
def test_examples_of_every_kind_are_counted_and_chosen_alike(examples):
    assert number_of(examples) == 10
    whole = list(OrderedBatches(examples, 4, CPU))
    assert [number_of(batch) for batch in whole] == [4, 4, 2]
    assert all(type(batch) is type(examples) for batch in whole)
    batch = ShuffledBatches(examples, 3, 0, CPU).batch(2, 1)
    while isinstance(batch, dict):
        batch = batch["both"] if "both" in batch else (batch["x"], batch["y"])
    assert torch.equal(batch[0] + 100, batch[1].flatten())


def test_a_batch_too_large_is_told_with_the_number_of_examples():
    with pytest.raises(DataError, match="at most 10"):
        ShuffledBatches({"x": X, "y": Y}, 11, 0, CPU)


def test_examples_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match=r"lengths \[9, 10\]"):
        number_of([X, Y[:9]])
