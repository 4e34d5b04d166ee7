"""On a GPU too, a run gives the same numbers each time, also in two parts."""

import pytest
from cuda.small_runs import words_of
from runs import numbers, same_weights

pytestmark = pytest.mark.cuda

VARIANTS = {
    "images": ("mnist-odenet", "adjoint=full"),
    "images, fp16": ("mnist-odenet", "trainer.precision=fp16"),
    "a flow with noise": (
        "cnf-2d", "model=concat-squash", "model.hidden=[8,8]", "model.batch_norm=true",
        "trace=hutchinson", "adjoint=checkpointed",
    ),
    "irregular series": ("latent-spirals", "model.encoder=gru", "model.kl_warmup=0"),
    "series, one by one": (
        "latent-spirals", "model.encoder=ode-rnn", "data.points=4", "solver=rk4",
        "solver.num_steps=1", "model.kl_warmup=0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_run_in_two_parts_gives_the_same_numbers_as_in_one(node_train, tmp_path, variant):
    task, *words = variant
    words = (*words_of(task), *words, "trainer.device=cuda")
    for name, steps in (("whole", 4), ("again", 4), ("parts", 1)):
        done = node_train(*words, f"trainer.max_steps={steps}", f"hydra.run.dir={name}")
        assert done.returncode == 0, done.stderr
    resumed = node_train("trainer.resume=parts", "trainer.max_steps=4")
    assert resumed.returncode == 0, resumed.stderr
    whole, again, parts = (tmp_path / name for name in ("whole", "again", "parts"))
    assert numbers(whole) == numbers(again)
    assert same_weights(whole, again)
    assert same_weights(whole, parts)
    assert [line for line in numbers(parts) if "loss/train" in line] == [
        line for line in numbers(whole) if "loss/train" in line
    ]
