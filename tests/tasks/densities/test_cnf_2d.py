import io
import itertools

import pytest
import torch
from PIL import Image

from node_cli.tasks.densities.cnf_2d import AuditSize, Cnf2d, area, box_around, grid_points
from node_cli.training.seeds import seed_all

HISTORY = [{"nll/train": 2.0, "nll/val": 2.1, "nfe/forward": 20.0, "nfe/backward": 0.0}]


def built(config_of, *overrides):
    seed_all(0)
    task = Cnf2d(config_of("task=cnf-2d", "data.validation=300", "data.test=300", *overrides))
    return task, task.build_model()


def trained(task, model, steps=40):
    loaders = task.loaders(torch.device("cpu"))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        loss, _ = task.loss(model, loaders.train.batch(0, step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loaders


def test_the_loss_is_the_likelihood_plus_the_weighted_integrals(config_of):
    task, model = built(
        config_of, "regularization.kinetic_energy=0.5", "regularization.jacobian_norm=0.25"
    )
    x = task.loaders(torch.device("cpu")).train.batch(0, 0)
    loss, metrics = task.loss(model, x)
    assert set(metrics) == {"nll", "kinetic_energy", "jacobian_norm"}
    summed = metrics["nll"] + 0.5 * metrics["kinetic_energy"] + 0.25 * metrics["jacobian_norm"]
    torch.testing.assert_close(loss.detach(), summed)
    likelihood = model.eval()(x).log_density.mean()
    assert float(metrics["nll"]) == pytest.approx(-float(likelihood), abs=1e-3)


def test_the_kl_is_that_of_the_known_densities(config_of):
    """A flow that does nothing is its base, and that KL has a closed form."""
    mixture = (
        "data=gaussian-mixture",
        "data.weights=[1.0]",
        "data.means=[[0.3,-0.2]]",
        "data.covariances=[[[0.2,0.05],[0.05,0.1]]]",
        "data.test=200000",
    )
    task, model = built(config_of, *mixture, "model.base_covariance=0.5")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        metrics = task.evaluate(model.eval(), task.loaders(torch.device("cpu")).test)
    data = torch.distributions.MultivariateNormal(
        torch.tensor([0.3, -0.2]), torch.tensor([[0.2, 0.05], [0.05, 0.1]])
    )
    base = torch.distributions.MultivariateNormal(torch.zeros(2), 0.5 * torch.eye(2))
    truth = float(torch.distributions.kl_divergence(data, base))
    assert metrics["kl"] == pytest.approx(truth, abs=0.01)
    assert metrics["bits_per_dim"] == pytest.approx(metrics["nll"] / 2 / 0.693147, rel=1e-5)


@pytest.mark.parametrize(
    ("words", "steps"),
    [((), 1), ((), 2000), (("model.flows=2", "model.batch_norm=true"), 1)],
    ids=["short", "full", "two-flows"],
)
def test_the_density_integrates_to_one_and_the_flow_is_inverted(config_of, words, steps):
    """By the full audit and by that of the shortest run, of a density that has its shape."""
    task, model = built(config_of, *words)
    loaders = trained(task, model)
    with torch.no_grad():
        audit = task.audit(model.eval(), loaders.test, False, steps, print)
    assert audit.metrics["density_integral"] == pytest.approx(1, abs=0.01)
    assert 0 < audit.metrics["inversion_error"] <= audit.metrics["inversion_error_max"] < 0.01
    assert not audit.animations


def test_figures_and_animation(config_of):
    task, model = built(config_of)
    loaders, told = trained(task, model, 5), []
    with torch.no_grad():
        figures = task.figures(model.eval(), loaders.val, HISTORY)
        audit = task.audit(model, loaders.test, True, 5, told.append)
    assert set(figures) == {"density", "paths", "nll_per_epoch", "nfe_per_epoch"}
    titles = [axis.get_title() for axis in figures["density"].axes]
    assert titles[:4] == ["data", "samples of the model", "density of the model", "true density"]
    gif = Image.open(io.BytesIO(audit.animations["density_over_time"]))
    assert gif.format == "GIF"
    assert gif.n_frames == 11
    assert told == ["examining the density", "drawing the animation"]
    first = gif.convert("RGB").tobytes()
    gif.seek(gif.n_frames - 1)
    assert gif.convert("RGB").tobytes() != first


def test_the_audit_of_a_default_run_is_full_and_that_of_a_short_one_is_not(config_of):
    config = config_of("task=cnf-2d")
    points = config.trainer.max_epochs * config.data.batches * config.data.batch_size
    assert AuditSize.after(points) == AuditSize(grid=250, frames=31, frame_grid=80)
    assert AuditSize.after(3 * config.data.batch_size) == AuditSize(100, 11, 50)
    sizes = [AuditSize.after(n) for n in range(0, 200_000, 1000)]
    for smaller, larger in itertools.pairwise(sizes):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))


def test_a_grid_covers_its_box():
    box = box_around(torch.tensor([[0.0, 0.0], [2.0, 1.0]]))
    points = grid_points(box, 4)
    assert box == pytest.approx((-0.25, 2.25, -0.75, 1.75))
    assert area(box) == pytest.approx(6.25)
    assert points[0].tolist() == pytest.approx([0.0625, -0.4375])
    assert points[1].tolist() == pytest.approx([0.6875, -0.4375])
    assert points[-1].tolist() == pytest.approx([1.9375, 1.4375])
