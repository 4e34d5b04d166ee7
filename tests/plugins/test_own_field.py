"""A vector field of the user's own in a task that is there."""

import json

import pytest
import torch
from commands import run_here
from torch import nn

from node_cli.flow_cli import node_flow as node_flow_function
from node_cli.solving.field_result import FieldError
from node_cli.tasks.densities.flow_field import DifferentiatedField
from node_cli.tasks.densities.perceptron_field import LayeredField

FLOW = ("task=cnf-2d", "model=swirl", "model.hidden=8", "data.batch_size=64", "data.batches=3")
POINTS = ("data.validation=100", "data.test=100", "trainer.max_epochs=1", "trainer.figures=false")
IMAGES = ("model=my-conv", "model.channels=4", "model.width=3", "trainer.max_steps=2")


@pytest.fixture
def swirl(tmp_path, node_new):
    assert node_new("swirl", "--for", "cnf-2d").returncode == 0
    return tmp_path / "swirl.py"


@pytest.mark.parametrize("trace", ["exact", "hutchinson"])
def test_a_flow_is_trained_and_used(tmp_path, node_train, swirl, trace):
    words = (*FLOW, *POINTS, f"trace={trace}", "regularization=rnode", "hydra.run.dir=run")
    done = node_train("--plugin", "swirl.py", *words)
    assert done.returncode == 0, done.stderr
    final = json.loads((tmp_path / "run" / "summary.json").read_text())["final"]
    # What the trace decides: without it the density would not integrate to 1.
    assert final["density_integral/test"] == pytest.approx(1.0, abs=0.02)
    assert final["inversion_error/test"] < 1e-3
    sample = ("sample", "run", "-n", "5", "-o", "points.csv")
    without = run_here(node_flow_function, sample, tmp_path)
    assert without.returncode == 2
    assert "made with the plugin swirl.py, which is not in use" in without.stderr
    done = run_here(node_flow_function, [*sample, "--plugin", "swirl.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "points.csv").read_text().splitlines()) == 6


def test_the_closed_form_is_refused_with_what_to_use(node_train, swirl):
    done = node_train("--plugin", "swirl.py", *FLOW)
    assert done.returncode == 2
    assert "use trace=exact or trace=hutchinson" in done.stderr


def test_an_image_classifier_is_trained(tmp_path, node_train, node_new):
    assert node_new("my-conv", "--for", "mnist-odenet").returncode == 0
    words = (*IMAGES, "trainer.figures=false", "adjoint=full", "hydra.run.dir=run")
    done = node_train("--plugin", "my_conv.py", *words)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["model"] == "my-conv"
    assert summary["nfe"]["backward_mean"] > 0


def test_it_is_for_its_own_tasks(node_train, swirl):
    done = node_train("--plugin", "swirl.py", "model=swirl", "--dry-run")
    assert done.returncode == 2
    assert "model=swirl is for task=cnf-2d and task=cnf-tabular" in done.stderr


def test_a_field_of_another_shape_is_told_with_its_place(node_train, swirl):
    swirl.write_text(swirl.read_text().replace("nn.Linear(hidden, dimensions)", "nn.Tanh()"))
    done = node_train("--plugin", "swirl.py", *FLOW, *POINTS, "trace=exact")
    assert done.returncode == 1
    assert "swirl.py, line " in done.stderr
    assert "the vector field Field gave a tensor of shape [64, 8]" in done.stderr


def test_without_its_field_the_settings_are_refused(node_train, swirl):
    swirl.write_text(swirl.read_text().replace("def field(", "def feld("))
    done = node_train("--plugin", "swirl.py", "--help")
    assert done.returncode == 2
    assert "Swirl has no field" in done.stderr


def both_fields():
    """A field with derivatives that we have written out, and the same by automatic ones."""
    torch.manual_seed(0)
    written = LayeredField(3, (5, 4), "concat-squash").double()
    return written, DifferentiatedField(written)


@pytest.mark.parametrize("enabled", [True, False])
def test_automatic_derivatives_are_those_written_out(enabled):
    written, automatic = both_fields()
    t, z, v = torch.tensor(0.3).double(), torch.randn(6, 3).double(), torch.randn(6, 3).double()
    with torch.set_grad_enabled(enabled):
        for name, arguments in (("jvp", (t, z, v)), ("jacobian", (t, z)), ("exact_trace", (t, z))):
            found = getattr(automatic, name)(*arguments)
            torch.testing.assert_close(found, getattr(written, name)(*arguments))
            assert all(one.requires_grad == enabled for one in found)


@pytest.mark.parametrize("name", ["jvp", "jacobian", "exact_trace"])
def test_automatic_derivatives_are_differentiable(name):
    _, automatic = both_fields()
    t = torch.tensor(0.3).double()
    z = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    v = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    others = (v,) if name == "jvp" else ()
    assert torch.autograd.gradcheck(
        lambda z, *rest: getattr(automatic, name)(t, z, *rest), (z, *others)
    )


def test_a_field_that_does_not_depend_on_the_points_has_no_trace():
    class Wind(nn.Module):
        def forward(self, t, z):
            return torch.ones_like(z)

    derivative, trace = DifferentiatedField(Wind()).exact_trace(torch.tensor(0.0), torch.ones(4, 2))
    assert torch.equal(derivative, torch.ones(4, 2))
    assert torch.equal(trace, torch.zeros(4))


def test_a_misfit_is_refused_by_the_field_itself():
    class Narrow(nn.Module):
        def forward(self, t, z):
            return z[:, :1]

    with pytest.raises(FieldError, match=r"of shape \[2, 1\]"):
        DifferentiatedField(Narrow())(torch.tensor(0.0), torch.ones(2, 2))
