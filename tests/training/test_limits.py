import pytest

from node_cli.training.limits import Limits
from node_cli.training.progress import RunProgress


@pytest.fixture
def limits(config_of):
    """The limits of a run whose epochs have four batches."""

    def limits(*words):
        given = [f"trainer.{word}" for word in words]
        return Limits(config_of("trainer.max_epochs=null", *given).trainer, 4)

    return limits


def at(step, **others):
    return RunProgress(step=step, validated_step=step, history=[{}], **others)


@pytest.mark.parametrize(
    ("words", "steps", "epoch"),
    [
        (["max_epochs=3"], 12, 3),
        (["max_steps=9"], 9, 3),
        (["max_steps=9", "max_epochs=2"], 8, 2),
        (["max_steps=9", "max_minutes=5"], 9, None),
        (["max_minutes=5"], None, None),
    ],
    ids=str,
)
def test_the_length_of_a_run_is_that_of_its_first_limit(limits, words, steps, epoch):
    found = limits(*words)
    assert found.total_steps == steps
    assert found.last_epoch == epoch


@pytest.mark.parametrize(
    ("words", "before", "after", "ending"),
    [
        (["max_epochs=3"], at(11), at(12), "trainer.max_epochs=3"),
        (["max_steps=9"], at(8), at(9), "trainer.max_steps=9"),
        (["max_steps=9", "max_epochs=2"], at(7), at(8), "trainer.max_epochs=2"),
        (["max_minutes=5"], at(1, seconds=299.0), at(1, seconds=300.0), "trainer.max_minutes=5"),
        (
            ["max_epochs=9", "patience=2"],
            at(8, stale_epochs=1),
            at(8, stale_epochs=2),
            "trainer.patience=2",
        ),
    ],
    ids=["epochs", "steps", "the shorter", "minutes", "patience"],
)
def test_a_run_ends_by_the_limit_that_it_reaches(limits, words, before, after, ending):
    found = limits(*words)
    assert not found.finished(before)
    assert found.finished(after)
    assert found.ending(after) == ending


def test_a_run_whose_last_steps_are_not_validated_is_not_finished(limits):
    progress = RunProgress(step=9, validated_step=8, history=[{}])
    assert limits("max_steps=9").reached(progress)
    assert not limits("max_steps=9").finished(progress)
