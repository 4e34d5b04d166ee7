"""What a task answers becomes one table, and is held against what it has to be."""

import numpy as np
import pytest
import torch

from node_cli.tasks.base import Task
from node_cli.tasks.prediction import Inputs, Predictions, Question
from node_cli.training.predicting import predicted
from node_cli.training.task_results import TaskError, checked_inputs, checked_predictions


class Doubles(Task):
    """Gives each number twice."""

    def __init__(self, *_):
        pass

    def build_model(self):
        raise NotImplementedError

    def loaders(self, device):
        raise NotImplementedError

    def loss(self, model, batch):
        raise NotImplementedError

    def predict(self, model, batch, question):
        of = torch.arange(len(batch)).repeat_interleave(2)
        return Predictions(["x"], batch[of].unsqueeze(1), of, {"half": ["a", "b"] * len(batch)})


def test_batches_become_one_table_with_the_texts_of_their_examples():
    batches = torch.arange(5.0).split(2)
    table = predicted(Doubles(), None, batches, {"id": list("vwxyz")}, Question())
    assert table.columns == ["x"]
    assert np.array_equal(table.values[:, 0], np.arange(5.0).repeat(2))
    assert table.labels == {"id": list("vvwwxxyyzz"), "half": ["a", "b"] * 5}
    rows = table.array()
    assert rows.dtype.names == ("id", "half", "x")
    assert rows[3].item() == ("w", "b", 1.0)


def test_a_task_says_whether_it_predicts():
    assert Doubles.predicts()
    assert not Task.predicts()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (torch.zeros(3, 1), "it must give Predictions(columns, values)"),
        (Predictions(["a"], torch.zeros(3)), "a tensor of shape [rows, 1]"),
        (Predictions(["a"], torch.zeros(3, 2)), "a tensor of shape [rows, 1]"),
        (Predictions(["a"], torch.zeros(3, 1), torch.zeros(2)), "gave 2 of of for 3 rows"),
        (Predictions(["a"], torch.zeros(3, 1), labels={"b": []}), "gave 0 of b for 3 rows"),
    ],
)
def test_what_is_no_prediction_is_told_with_its_place(given, told):
    with pytest.raises(TaskError, match=r"test_predicting.py, line \d+: Doubles.predict") as caught:
        checked_predictions(Doubles(), given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (torch.zeros(3, 1), "it must give Inputs(examples)"),
        (Inputs(torch.zeros(0, 1)), "gave no example"),
        (Inputs(torch.zeros(3, 1), {"id": ["a"]}), "gave 1 texts as id of 3 examples"),
    ],
)
def test_what_is_no_input_is_told(given, told):
    with pytest.raises(TaskError) as caught:
        checked_inputs(Doubles(), given)
    assert told in str(caught.value)
