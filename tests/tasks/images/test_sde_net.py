"""SDE-Net: answers over paths, and what it does not know."""

import json
import math

import pytest
import torch

pytest.importorskip("torchsde")

from node_cli.solving.sde import SdeSpec
from node_cli.tasks.images.schema import SdeNetConfig
from node_cli.tasks.images.sde_net import SdeNet

TINY = (
    "model=sde-net", "model.channels=4", "model.samples=2", "solver.step_size=0.5",
    "data.batch_size=16", "data.validation=16", "trainer.threads=1", "trainer.figures=false",
    "hydra.run.dir=run", "schedule=constant",
)  # fmt: skip


@pytest.fixture
def build():
    def build(sigma=1.0, samples=3, **spec):
        config = SdeNetConfig(
            name="sde-net", stem="conv", channels=4, T=1.0, sigma=sigma, noise=1.0, samples=samples
        )
        torch.manual_seed(0)
        return SdeNet(config, SdeSpec("ito-euler", step_size=0.25, **spec))

    return build


@pytest.fixture
def images():
    return torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_answers_are_means_over_paths(build, images):
    model = build()
    found = model.log_probabilities(images, seed=3)
    torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(5))
    assert torch.equal(found, model.log_probabilities(images, seed=3))
    assert not torch.equal(found, model.log_probabilities(images, seed=4))
    # Without diffusion all paths are one: that of the ODE by Euler's method.
    still = build(sigma=1e-30)
    torch.testing.assert_close(
        still.log_probabilities(images, 3), still.log_probabilities(images, 4), rtol=0, atol=1e-6
    )


def test_the_two_losses_reach_weights_of_their_own(build, images):
    labels = torch.arange(5)
    for adjoint in ("direct", "full"):
        model = build(adjoint=adjoint)
        of_classes, of_doubt, logits = model.losses(images, labels, seed=0)
        assert logits.shape == (5, 10)
        of_classes.backward()
        doubt = {name for name, _ in model.depth.named_parameters() if name.startswith("_doubt")}
        for name, weight in model.depth.named_parameters():
            assert (weight.grad is None) == (name in doubt), name
        assert model.stem[0].weight.grad is not None
        before = model.stem[0].weight.grad.clone()
        of_doubt.backward()
        assert torch.equal(model.stem[0].weight.grad, before)
        assert all(
            weight.grad is not None
            for name, weight in model.depth.named_parameters()
            if name in doubt
        )


def test_gradients_of_the_adjoint_approach_those_of_the_solver(build, images):
    """Both converge to the same as the steps get shorter, on one path."""
    off = []
    for step in (1 / 32, 1 / 512):
        found = []
        for adjoint in ("direct", "full"):
            model = build(sigma=0.3).double()
            model.depth.solve.spec = SdeSpec("ito-euler", step_size=step, adjoint=adjoint)
            of_classes, _, _ = model.losses(images.double(), torch.arange(5), seed=0)
            of_classes.backward()
            found.append(model.depth.field.conv1.weight.grad)
        off.append(float((found[0] - found[1]).norm() / found[0].norm()))
    assert off[1] < 0.1
    assert off[1] < off[0] / 2


def test_a_run_and_its_resumption_to_the_bit(node_train, tmp_path):
    done = node_train(*TINY, "trainer.max_steps=4")
    assert done.returncode == 0, done.stderr
    final = json.loads((tmp_path / "run" / "summary.json").read_text())["final"]
    assert final["nfe/drift"] == final["nfe/diffusion"] == 2
    for name in ("calibration_error", "entropy", "entropy_turned", "entropy_noise", "loss"):
        assert math.isfinite(final[f"{name}/test"])
    (tmp_path / "run").rename(tmp_path / "whole")
    node_train(*TINY, "trainer.max_steps=2")
    again = node_train("trainer.resume=run", "trainer.max_steps=4")
    assert again.returncode == 0, again.stderr
    whole, resumed = (
        torch.load(tmp_path / run / "checkpoints" / "last.pt", weights_only=True)["model"]
        for run in ("whole", "run")
    )
    weights = [name for name, value in whole.items() if isinstance(value, torch.Tensor)]
    assert weights
    for name in weights:
        assert torch.equal(whole[name], resumed[name]), name


def test_its_steps_are_those_of_its_file_with_every_solver(config_of):
    for words in ((), ("solver=ito-milstein",)):
        assert config_of("model=sde-net", *words).solver.step_size == 0.1
    assert config_of("model=sde-net", "solver.step_size=0.3").solver.step_size == 0.3
    assert config_of("task=latent-sde").solver.step_size == 0.02


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("solver=dopri5", "dopri5 solves ODEs"),
        ("solver=stratonovich-heun", "in the sense of"),
        ("adjoint=checkpointed", "adjoint=checkpointed"),
        ("model.sigma=0", "model.sigma=0"),
        ("model.samples=0", "model.samples=0"),
    ],
)
def test_what_it_does_not_go_with(node_train, words, fragment):
    done = node_train("model=sde-net", *words.split())
    assert done.returncode != 0
    assert fragment in done.stderr
