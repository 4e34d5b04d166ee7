"""What ``compile=auto`` decides by measured seconds, here made up."""

import pytest
from torch import nn

from node_cli.models.ode_solve import OdeSolve
from node_cli.solving import SolveSpec
from node_cli.training import step_compilation
from node_cli.training.limits import Limits
from node_cli.training.progress import RunProgress
from node_cli.training.step_compilation import MEASURED, StepCompilation
from node_cli.training.terminal import Terminal


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.solve = OdeSolve(SolveSpec())


@pytest.fixture
def run(config_of, monkeypatch, tmp_path, capsys):
    """Take steps of so many seconds each; gives how they were solved, and the lines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(step_compilation, "UNKNOWN", 10.0)

    def run(seconds, progress):
        config = config_of("task=cnf-2d", "compile=auto", "trainer.max_steps=1000")
        model = Model()
        compilation = StepCompilation(config, model, Terminal("lines"))
        limits, modes = Limits(config.trainer, 1000), []
        for each in seconds:
            with compilation.around_a_step(progress, limits):
                modes.append(model.solve.spec.compile)
            compilation.measured(each)
        return modes, capsys.readouterr().out.splitlines()

    return run


def test_a_run_goes_on_compiled_where_that_is_faster(run):
    progress = RunProgress()
    modes, lines = run([1.0] * MEASURED + [0.5] * 2 * MEASURED, progress)
    assert modes == ["off"] * MEASURED + ["step"] * 2 * MEASURED
    assert progress.compiled is True
    assert lines == [
        "compile=auto: 1 s a step, at most 1000 s left, 10 s for a compilation: compiled"
    ]


def test_what_is_not_faster_compiled_is_solved_as_it_was(run):
    progress = RunProgress()
    modes, lines = run([1.0] * MEASURED + [1.2] * 2 * MEASURED, progress)
    assert modes == ["off"] * MEASURED + ["step"] * MEASURED + ["off"] * MEASURED
    assert progress.compiled is False
    assert lines[1:] == ["compile=auto: 1.2 s a step compiled, 1 s as it is: no longer compiled"]
    assert run([1.0] * 3 * MEASURED, progress) == (["off"] * 3 * MEASURED, [])


def test_a_short_rest_is_not_compiled(run):
    progress = RunProgress()
    modes, lines = run([0.01] * 3 * MEASURED, progress)
    assert set(modes) == {"off"}
    assert progress.compiled is False
    assert len(lines) == 1
    assert lines[0].endswith(": not compiled")


def test_a_resumed_run_goes_on_as_was_decided(run):
    modes, lines = run([1.0] * 3 * MEASURED, RunProgress(compiled=True))
    assert set(modes) == {"step"}
    assert lines == []
