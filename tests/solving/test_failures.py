import pytest
import torch

from node_cli.solving.failures import MemoryShortageError, NotFiniteError, StepsError, Training

TRAINING = Training(learning_rate=100.0, clip_norm=None, batch_size=32, modes=("full",))


def told(failure, training=TRAINING):
    failure.tell(training)
    return str(failure)


def in_order(text, *parts):
    places = [text.index(part) for part in parts]
    return places == sorted(places)


@pytest.mark.parametrize(
    ("dtype", "precision"), [(torch.float32, "float32 (1e-07)"), (torch.float64, "float64 (2e-16)")]
)
def test_likely_causes_come_in_order(dtype, precision):
    failure = StepsError("dopri5 stopped", dtype, "loosen the tolerance")
    causes = ("stiff", f"a tolerance below the precision of {precision}", "unit of time", "Else")
    assert in_order(str(failure), "dopri5 stopped. ", *causes)
    assert "learning rate" not in str(failure)
    assert in_order(told(failure), "dopri5 stopped. ", "(optimizer.lr=100)", *causes)
    assert told(failure).endswith(" Else loosen the tolerance.")


def test_settings_of_training_are_named_to_those_who_train():
    failure = NotFiniteError("rk4 stopped", fixed=True)
    assert "trainer" not in str(failure)
    assert "optimizer" not in str(failure)
    assert "a smaller step," in told(failure)
    assert "optimizer.lr=100" in told(failure)
    assert "trainer.clip_norm 1" in told(failure)
    assert "trainer.clip_norm below 5" in told(failure, TRAINING._replace(clip_norm=5.0))
    assert told(failure, None) == str(NotFiniteError("rk4 stopped", fixed=True))


def test_ways_out_are_those_that_there_are():
    failure = MemoryShortageError("euler stopped", ["checkpointed", "full"], limit=1000)
    assert in_order(str(failure), "adjoint=checkpointed or adjoint=full, which need", "batch")
    assert "optimizer" not in str(failure)
    text = told(failure)
    assert in_order(text, "adjoint=full, which needs", "optimizer.lr (now 100)", "(now 32)")
    assert text.endswith("a higher solver.max_saved_bytes.")
    assert "checkpointed" not in text
    assert "batch_size" not in told(failure, TRAINING._replace(batch_size=1))
    evaluated = MemoryShortageError("euler stopped", keeps=False)
    assert told(evaluated) == "euler stopped. Ways out: a smaller data.eval_batch_size."
