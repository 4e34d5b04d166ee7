"""Half precision on a GPU."""

import json

import pytest
from cuda.small_runs import logged, words_of

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("mnist-odenet", "adjoint=direct"),
        ("mnist-odenet", "adjoint=full"),
        ("mnist-odenet", "adjoint=seminorm"),
        ("mnist-odenet", "adjoint=checkpointed trainer.clip_norm=1 optimizer=adam"),
        ("mnist-odenet", "model=resnet model.blocks=2"),
        ("latent-spirals", "adjoint=direct"),
        ("latent-spirals", "adjoint=full model.encoder=gru"),
        ("latent-spirals", "model.encoder=ode-rnn data.points=5 solver=rk4 solver.num_steps=1"),
        ("latent-spirals", "model=ode-rnn data.points=5"),
        ("latent-series", "model=rnn-vae"),
    ],
)
def test_losses_are_near_those_of_single_precision(run_on, tmp_path, task, words, precision):
    both = {}
    for name in ("fp32", precision):
        folder = run_on("cuda", *words_of(task), *words.split(), f"trainer.precision={name}")
        both[name] = folder.rename(tmp_path / name)
    losses = [logged(folder, "loss/train") for folder in both.values()]
    # In fp16 the first steps may be passed over, until the scale of the gradients fits.
    assert losses[1][0] == pytest.approx(losses[0][0], rel=0.05)
    assert all(loss == pytest.approx(losses[0][0], rel=0.5) for loss in losses[1])
    evaluations = [sum(logged(folder, "nfe/forward")) for folder in both.values()]
    # A solver takes about the steps that the tolerance asks for, few for want of precision.
    assert evaluations[1] <= 2 * evaluations[0]
    summary = json.loads((both[precision] / "summary.json").read_text())
    assert summary["status"] == "finished"


def test_weights_move_in_fp16_once_the_scale_fits(run_on):
    words = (*words_of("mnist-odenet"), "trainer.precision=fp16", "trainer.max_steps=30")
    losses = logged(run_on("cuda", *words), "loss/train")
    assert len(set(losses[-10:])) == 10
