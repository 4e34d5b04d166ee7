"""Each task learns on a GPU what it learns on the CPU."""

import json

import pytest
from cuda.small_runs import TASKS, logged, words_of
from runs import lines

pytestmark = pytest.mark.cuda

MODES = ("direct", "full", "seminorm", "checkpointed")
# Of losses in single precision after four steps; a first step of Adam goes by signs, which
# rounding can change where a gradient is near zero.
CLOSE = {"rel": 2e-3, "abs": 2e-3}


def final(folder):
    return json.loads((folder / "summary.json").read_text())["final"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", TASKS)
def test_losses_are_those_of_the_cpu(run_on, table, task, mode):
    words = (*words_of(task), f"adjoint={mode}")
    on_cpu, on_cuda = (run_on(device, *words) for device in ("cpu", "cuda"))
    assert logged(on_cuda, "loss/train") == pytest.approx(logged(on_cpu, "loss/train"), **CLOSE)
    for tag in ("nfe/forward", "nfe/backward", "memory/saved_bytes"):
        # A step that is just accepted here may be just rejected there.
        assert logged(on_cuda, tag) == pytest.approx(logged(on_cpu, tag), rel=0.2), tag
    for tag in ("loss/val", "loss/test"):
        assert final(on_cuda)[tag] == pytest.approx(final(on_cpu)[tag], **CLOSE), tag
    assert "memory/device_peak_bytes" not in lines(on_cpu)[0]


@pytest.mark.parametrize("task", TASKS)
def test_figures_are_drawn(run_on, table, task):
    words = (*words_of(task), "trainer.figures=true", "trainer.max_steps=2")
    folder = run_on("cuda", *words, "evaluation.tolerance=1e-5")
    assert len(list((folder / "figures").iterdir())) > 1
    assert "loss/test_as_trained" in final(folder)


@pytest.mark.parametrize(
    "words",
    [
        "model=resnet model.blocks=2",
        "model=euler-net model.blocks=3",
        "model.learn_time=true solver=adams",
        "solver=implicit_adams solver.num_steps=6 optimizer=adamw trainer.clip_norm=1",
        "solver=scipy-RK45 adjoint=full",
        "backend=torchdiffeq adjoint=seminorm",
    ],
)
def test_image_classifiers(run_on, words):
    losses = self_and_cpu(run_on, "mnist-odenet", words)
    assert losses[0] == pytest.approx(losses[1], **CLOSE)


@pytest.mark.parametrize(
    "words",
    [
        "data=checkerboard",
        "data=8-gaussians model=concat trace=exact",
        "model=concat-squash model.hidden=[8,8] model.flows=2 model.batch_norm=true"
        " model.spectral_norm=true trace=hutchinson regularization=rnode adjoint=full",
        "model=concat-coeff trace=exact regularization.jacobian_diagonal=0.1"
        " regularization.directional_derivative=0.1 adjoint=checkpointed",
    ],
)
def test_flows(run_on, words):
    losses = self_and_cpu(run_on, "cnf-2d", words)
    assert losses[0] == pytest.approx(losses[1], **CLOSE)


@pytest.mark.parametrize(
    "words",
    [
        "model.encoder=gru model.samples=3 model.learn_noise=true",
        "model.encoder=ode-rnn data.points=5 solver=euler solver.step_size=0.5",
        "model.poisson=true adjoint=full",
        "data=periodic data.mode=extrapolation model=rnn-vae",
        "model=rnn",
        "model=rnn-decay",
        "model=ode-rnn data.points=5 solver=rk4 solver.num_steps=1 adjoint=full",
    ],
)
def test_models_of_series(run_on, words):
    losses = self_and_cpu(run_on, "latent-spirals", words)
    assert losses[0] == pytest.approx(losses[1], **CLOSE)


@pytest.mark.parametrize("task", ["cnf-tabular", "latent-spirals"])
def test_gradients_are_checked_with_the_same_noise(run_on, table, task):
    folder = run_on("cuda", *words_of(task), "adjoint=full", "adjoint.check_every=2")
    errors = logged(folder, "gradient/relative_error")
    assert errors
    assert max(errors) < 0.01


def self_and_cpu(run_on, task, words):
    """The losses of a run on the GPU and of the same on the CPU."""
    both = [run_on(device, *words_of(task), *words.split()) for device in ("cuda", "cpu")]
    return [logged(folder, "loss/train") for folder in both]
