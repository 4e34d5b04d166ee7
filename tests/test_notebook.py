"""Runs and solves from Python: the same checks and messages as on the command line."""

import math
import signal
import subprocess
import sys

import pytest
import torch
from runs import TINY, lines

import node_cli
from node_cli.errors import CheckpointError, ConfigError, DataError, Interrupted
from node_cli.models.ode_solve import solving_modules
from node_cli.training.loop import TrainingLoop
from node_cli.training.seeds import random_states

FLOW = (
    "task=cnf-2d",
    "data.batch_size=32",
    "data.batches=2",
    "data.validation=100",
    "data.test=100",
    "trainer.max_epochs=2",
    "trainer.log_every=1",
    "trainer.threads=1",
    "evaluation.tolerance=1e-6",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def flow(folder):
    return node_cli.train([*FLOW, f"hydra.run.dir={folder / 'flow'}"])


@pytest.fixture(scope="module")
def classifier(folder):
    """A second run in the same process."""
    return node_cli.train([*TINY, f"hydra.run.dir={folder / 'classifier'}"])


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, node_cli\n"
        "assert {'train', 'load', 'solve', 'Run'} <= set(dir(node_cli))\n"
        "heavy = {'torch', 'hydra', 'pandas', 'numpy', 'matplotlib', 'pydantic'}\n"
        "print(heavy & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.slow
def test_a_run_has_its_summary_settings_and_metrics(flow, folder):
    assert flow.folder == folder / "flow"
    assert flow.summary["status"] == "finished"
    assert flow.config.task.name == "cnf-2d"
    assert flow.config.data.batch_size == 32
    frame = flow.metrics
    assert len(frame) == len(lines(flow.folder))
    assert frame["step"].tolist() == [line["step"] for line in lines(flow.folder)]
    assert frame["nll/val"].dropna().iloc[-1] == flow.summary["final"]["nll/val"]


@pytest.mark.slow
def test_a_run_has_its_model_solved_as_in_the_evaluation(flow, classifier):
    before = torch.get_rng_state()
    model = flow.model
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    with torch.no_grad():
        assert model(torch.zeros(3, 2)).log_density.shape == (3,)
    assert {module.spec.rtol for module in solving_modules(model)} == {1e-6}
    best = torch.load(flow.folder / "checkpoints" / "best.pt", weights_only=True)["model"]
    for name, weight in model.state_dict().items():
        if isinstance(weight, torch.Tensor):
            assert torch.equal(weight, best[name])
    with torch.no_grad():
        assert classifier.model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.slow
def test_a_run_has_its_figures_as_a_notebook_shows_them(flow, classifier):
    assert classifier.figures == {}
    assert {"density", "density_over_time"} <= set(flow.figures)
    assert flow.figures["density"]._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    assert flow.figures["density_over_time"]._repr_mimebundle_()["image/gif"].startswith(b"GIF")


@pytest.mark.slow
def test_a_run_is_loaded_by_its_folder(flow):
    again = node_cli.load(str(flow.folder))
    assert again.summary == flow.summary
    assert again.config == flow.config


def test_what_is_no_run_folder_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="this is not the folder of a run"):
            node_cli.load(path)


def test_a_run_that_has_not_come_far_says_what_it_lacks(tmp_path):
    (tmp_path / ".hydra").mkdir()
    run = node_cli.load(tmp_path)
    with pytest.raises(CheckpointError, match=r"there is no summary\.json that can be read"):
        _ = run.summary
    for name in ("config", "model"):
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            getattr(run, name)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["solver=dopri55"], "did you mean dopri5"),
        (["model.channels=0"], "model.channels=0"),
        (["model=rk-net", "adjoint=full"], "RK-Net is backpropagated directly"),
        (["-m", "seed=0,1"], r"node_cli\.train makes one run"),
        (["--cfg", "job"], r"node_cli\.train makes one run"),
        (["--help"], r"node_cli\.train makes one run"),
        ("task=cnf-2d", "give a list of settings"),
    ],
    ids=str,
)
def test_mistakes_are_told_as_on_the_command_line(tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told):
        node_cli.train(words)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_cannot_begin_raises_its_own_error(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv"):
        node_cli.train(["task=cnf-tabular", "data.path=none.csv", f"hydra.run.dir={tmp_path}/run"])


@pytest.mark.slow
def test_an_interrupted_run_leaves_a_checkpoint_and_goes_on(tmp_path, monkeypatch, classifier):
    save = TrainingLoop.save

    def interrupt(self, path):
        save(self, path)
        if self.progress.step == 0:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(TrainingLoop, "save", interrupt)
        with pytest.raises(Interrupted, match=r"Resume with: node-train trainer\.resume="):
            node_cli.train([*TINY, f"hydra.run.dir={tmp_path / 'run'}"])
    assert signal.getsignal(signal.SIGINT) == before
    run = node_cli.train([f"trainer.resume={tmp_path / 'run'}"])
    assert run.summary["final"]["loss/test"] == classifier.summary["final"]["loss/test"]


def test_a_field_is_solved_with_its_gradient_and_its_cost():
    y0 = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    times = [0.0, 0.5, 1.0]
    solution = node_cli.solve(lambda t, y: -y, y0, times, rtol=1e-8, atol=1e-8)
    assert solution.values.shape == (3, 2)
    expected = y0.detach() * math.exp(-1.0)
    torch.testing.assert_close(solution.values[-1].detach(), expected, rtol=1e-7, atol=0)
    solution.values[-1].sum().backward()
    torch.testing.assert_close(y0.grad, torch.full_like(y0, math.exp(-1.0)), rtol=1e-6, atol=0)
    assert solution.stats.nfe_forward > 0
    assert solution.stats.nfe_backward == 0


def test_a_solve_takes_each_method_and_mode():
    field = torch.nn.Linear(2, 2).double()
    y0 = torch.ones(2, dtype=torch.float64)

    def gradient(**settings):
        field.zero_grad()
        values = node_cli.solve(lambda t, y: field(y), y0, [0.0, 1.0], **settings).values
        values.sum().backward()
        return field.weight.grad.clone()

    own = {"parameters": tuple(field.parameters())}
    tight = {"rtol": 1e-9, "atol": 1e-9}
    truth = gradient(**tight)
    for mode in ("full", "seminorm", "checkpointed"):
        torch.testing.assert_close(gradient(adjoint=mode, **tight, **own), truth)
    torch.testing.assert_close(gradient(backend="torchdiffeq", **tight), truth)
    torch.testing.assert_close(gradient(method="rk4", num_steps=50), truth, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"method": "dopri55"}, "did you mean dopri5"),
        ({"adjoint": "on"}, "Known: checkpointed, direct, full, seminorm"),
        ({"method": "scipy-LSODA"}, "nothing can be backpropagated"),
    ],
    ids=str,
)
def test_a_solve_that_cannot_be_is_refused(settings, told):
    y0 = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=told):
        node_cli.solve(lambda t, y: -y, y0, [0.0, 1.0], **settings)


def test_a_run_leaves_the_random_numbers_of_the_notebook(tmp_path):
    before = random_states()
    node_cli.train([*TINY, f"hydra.run.dir={tmp_path / 'run'}", "trainer.max_steps=1"])
    after = random_states()
    assert after["python"] == before["python"]
    assert after["numpy"] == before["numpy"]
    assert torch.equal(after["torch"], before["torch"])
