"""A task of one's own that trains through a solve of an SDE: counted, and resumed to the bit."""

import json

import pytest
import torch

pytest.importorskip("torchsde")

PLUGIN = '''"""Fit the mean and the spread of noisy ends."""
from typing import Literal

import torch
from torch import nn

from node_cli.data.path_seeds import SeededBatches, SeededEvaluation
from node_cli.methods import Stochastic
from node_cli.models.sde_solve import SdeSolve
from node_cli.plugin import Count, DataSettings, Loaders, ModelSettings, Task, random_stream


class Net(ModelSettings):
    """Drift and diffusion."""

    name: Literal["tiny-sde"] = "tiny-sde"

    @property
    def stochastic(self):
        return Stochastic("stratonovich", "diagonal")


class Ends(DataSettings):
    """Numbers."""

    name: Literal["ends"] = "ends"
    batch_size: Count = 4
    eval_batch_size: Count = 8


class Model(nn.Module):
    calculus, noise = "stratonovich", "diagonal"

    def __init__(self, spec):
        super().__init__()
        self.net, self.scale = nn.Linear(1, 1), nn.Parameter(torch.tensor(0.5))
        self.solve = SdeSolve(spec)

    def drift(self, t, y):
        return self.net(y)

    def prior_drift(self, t, y):
        return -y

    def diffusion(self, t, y):
        return self.scale * (2.0 + torch.cos(y))


class Tiny(Task):
    """Fit ends."""

    name = "tiny"
    models = (Net,)
    data = (Ends,)
    defaults = {"solver": "stratonovich-midpoint", "solver.step_size": 0.25, "optimizer.lr": 0.01}

    def build_model(self):
        return Model(self.sde_spec)

    def loaders(self, device):
        seed = self.config.seed
        numbers = [torch.randn(16, 1, generator=random_stream(seed, n)) for n in range(3)]
        plain = self.in_batches(*numbers, device)
        return Loaders(
            SeededBatches(plain.train, seed, 5),
            SeededEvaluation(plain.val, seed, 6),
            SeededEvaluation(plain.test, seed, 7),
        )

    def loss(self, model, batch):
        found = model.solve(model, batch.examples, (0.0, 0.5, 1.0), batch.path_seed, path_kl=True)
        kl = found.path_kl[-1].mean()
        return (found.values[-1] - 1.0).square().mean() + 0.1 * kl, {"kl": kl.detach()}
'''
RUN = ("--plugin", "tiny.py", "task=tiny", "trainer.log_every=1", "trainer.figures=false")
STEPS = ("schedule=constant", "trainer.max_steps=9")


@pytest.mark.parametrize("adjoint", ["direct", "full"])
def test_it_is_counted_and_resumes_to_the_bit(node_train, tmp_path, adjoint):
    (tmp_path / "tiny.py").write_text(PLUGIN)
    words = (*RUN, f"adjoint={adjoint}", *STEPS)
    whole = node_train(*words, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    # In the middle of the second epoch of four steps, with other draws of torch's generator.
    assert node_train(*words, "hydra.run.dir=half", "trainer.max_steps=6").returncode == 0
    torch.rand(3)
    again = node_train(*RUN[:2], "trainer.resume=half", "trainer.max_steps=9")
    assert again.returncode == 0, again.stderr
    weights = [
        torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True)["model"]
        for name in ("whole", "half")
    ]
    for name, value in weights[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, weights[1][name]), name
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").open()]
    steps = [line for line in lines if "loss/train" in line]
    assert len({line["loss/train"] for line in steps}) == 9  # each batch has paths of its own
    # Four steps of two stages, each with the drifts of posterior and prior.
    expected = {"nfe/drift": 16, "nfe/diffusion": 8, "nfe/forward": 24}
    backward = 4 * 2 if adjoint == "full" else 0
    expected |= {"nfe/drift_backward": 2 * backward, "nfe/backward": steps[0]["nfe/backward"]}
    for line in steps:
        assert {tag: line[tag] for tag in expected} == expected
        assert line["nfe/drift_backward"] + line["nfe/diffusion_backward"] == line["nfe/backward"]
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    assert summary["nfe"]["drift_mean"] == 16
    assert summary["nfe"]["diffusion_mean"] == 8
    assert "torchsde" in summary["versions"]
    assert "solver stratonovich-midpoint" in whole.stdout


def test_a_solve_that_fails_says_what_training_can_change(node_train, tmp_path):
    explosive = PLUGIN.replace("return self.net(y)", "return self.net(y) + 1e9 * y**9")
    (tmp_path / "tiny.py").write_text(explosive)
    done = node_train(*RUN, *STEPS, "hydra.run.dir=run")
    assert done.returncode == 1
    assert "the state is no longer finite" in done.stderr
    assert "a smaller step, a smaller learning rate" in done.stderr
