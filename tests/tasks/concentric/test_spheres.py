import pytest
import torch

from node_cli.tasks.concentric.schema import SpheresConfig
from node_cli.tasks.concentric.spheres import spheres


def config(**changes):
    return SpheresConfig(
        **{
            "name": "spheres",
            "dimensions": 2,
            "inner": 0.5,
            "shell": [1.0, 1.5],
            "points": 3000,
            "validation": 30,
            "test": 31,
            "batch_size": 10,
            "eval_batch_size": 10,
            **changes,
        }
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3, 20])
def test_points_lie_where_their_class_says(dimensions):
    train, validation, test = spheres(config(dimensions=dimensions), seed=3)
    assert [len(part.x) for part in (train, validation, test)] == [3000, 30, 31]
    assert train.x.shape == (3000, dimensions)
    distance, shell = train.x.norm(dim=1), train.shell > 0
    assert int(shell.sum()) == 2000
    assert 0 <= float(distance[~shell].min()) < 0.01
    assert 0.49 < float(distance[~shell].max()) <= 0.5 + 1e-6
    assert 1 - 1e-6 <= float(distance[shell].min()) < 1.01
    assert 1.49 < float(distance[shell].max()) <= 1.5 + 1e-6
    # Distances are uniform and no direction is preferred.
    assert float(distance[shell].mean()) == pytest.approx(1.25, abs=0.02)
    assert float(distance[~shell].mean()) == pytest.approx(0.25, abs=0.02)
    assert float(train.x[shell].mean(dim=0).norm()) < 0.1


def test_points_depend_on_the_seed_alone():
    one, again, other = (spheres(config(), seed)[0].x for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("shell", [[0.4, 1.0], [1.5, 1.0], [1.0, 1.0], [0.5, 1.0]])
def test_the_ball_lies_inside_of_the_shell(shell):
    with pytest.raises(ValueError, match="the ball must lie inside of the shell"):
        config(shell=shell)
