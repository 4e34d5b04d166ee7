"""What a cell does with errors, without the processes around it."""

import gc
import json
import os
import signal
import weakref

import pytest
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from node_cli.command_line.choice_loader import initialized_hydra
from node_cli.command_line.folder_name import register_differing
from node_cli.command_line.fresh_folder import register_fresh_folder
from node_cli.errors import CheckpointError, ConfigError, DataError, Interrupted
from node_cli.run_folder.folder_lock import FolderLock, HeldError
from node_cli.schema.location import conf_dir
from node_cli.sweeping.cell import Cell
from node_cli.sweeping.plan import SweepPlan
from node_cli.training import run as training_run


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """Calls a cell whose run does what it is given; returns what the cell returned."""
    register_fresh_folder(claim=False)
    register_differing()

    def cell(run, launcher="basic", words=("seed=1",)):
        folder = tmp_path / "0_seed=1"
        (folder / ".hydra").mkdir(parents=True, exist_ok=True)
        (folder / ".hydra" / "overrides.yaml").write_text(OmegaConf.to_yaml(list(words)))
        with initialized_hydra(conf_dir(), ()):
            config = compose("config", list(words), return_hydra_config=True)
        with open_dict(config):
            config.hydra.runtime.output_dir = str(folder)
            config.hydra.job.num = 0
        monkeypatch.setattr(HydraConfig.instance(), "cfg", config)
        monkeypatch.setattr(training_run, "run", run)
        plan = SweepPlan(tmp_path, tuple(words), 1, launcher)
        job = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
        return Cell(plan)(job), folder

    return cell


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def raising(error):
    def run(*_arguments):
        raise error

    return run


NO_MEMORY = (
    "there is not enough memory. Use a smaller batch, a smaller model or less data, or a machine"
    " with more memory."
)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (MemoryError("cannot allocate 80 GB"), NO_MEMORY),
        (RuntimeError("CUDA out of memory"), NO_MEMORY),
        (RuntimeError("a mistake"), "unexpected RuntimeError: a mistake."),
        (ConfigError("torch sees 0 CUDA devices here."), "torch sees 0 CUDA devices here."),
    ],
)
def test_an_error_is_recorded_with_its_cause(cell, error, cause, capsys):
    result, folder = cell(raising(error))
    assert result is None
    summary = summary_of(folder)
    assert (summary["status"], summary["cause"]) == ("failed", cause)
    assert summary["command"] == "node-train seed=1"
    assert summary["settings"]["seed"] == 1
    assert f"failed: {cause}" in capsys.readouterr().err


def test_what_a_failed_run_held_in_a_cycle_is_freed(cell):
    class Held:
        pass

    alive = []

    def run(*_arguments):
        held = Held()
        held.itself = held
        alive.append(weakref.ref(held))
        raise RuntimeError("no memory")

    gc.disable()
    try:
        cell(run)
        assert alive[0]() is None
    finally:
        gc.enable()


def test_a_summary_that_cannot_be_read_is_no_hindrance(cell):
    _, folder = cell(raising(RuntimeError("first")))
    (folder / "summary.json").write_text('{"status": "fini')
    cell(raising(RuntimeError("second")))
    assert summary_of(folder)["cause"] == "unexpected RuntimeError: second."


def test_the_newest_cause_is_told(cell):
    cell(raising(RuntimeError("first")))
    _, folder = cell(raising(CheckpointError("last.pt is damaged.")))
    cause = summary_of(folder)["cause"]
    assert cause.startswith("last.pt is damaged. Remove ")
    assert str(folder) in cause


def test_a_signal_that_comes_too_late_for_a_cell_stops_the_sweep(cell):
    def run(config, folder, stop, record, cell):
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    with pytest.raises(Interrupted) as raised:
        cell(run)
    assert raised.value.exit_code == 128 + signal.SIGTERM


def test_an_interrupt_in_this_process_ends_the_sweep(cell):
    for launcher in ("basic", "joblib"):  # joblib with one process stays in this one
        with pytest.raises(Interrupted):
            cell(raising(Interrupted("stopped", 15)), launcher)


DONE = {
    "status": "finished",
    "command": "node-train seed=1",
    "best": {"value": 0.75, "goal": "max"},
    "nfe": {"forward_mean": 20.0, "backward_mean": 0.0},
    "memory": {"saved_bytes_peak": 1},
    "seconds": 1.0,
}


def test_what_was_finished_is_not_run_again(cell, capsys):
    _, folder = cell(raising(RuntimeError("first")))
    (folder / "summary.json").write_text(json.dumps(DONE))
    result, _ = cell(raising(AssertionError("it must not run")))
    assert result == 0.25
    assert summary_of(folder) == DONE
    assert "cell 1 of 1 · seed=1 · finished before" in capsys.readouterr().out


def test_the_lock_of_a_process_that_was_killed_as_it_ended_goes(cell):
    _, folder = cell(raising(RuntimeError("first")))
    (folder / "summary.json").write_text(json.dumps(DONE))
    (folder / ".lock").write_text("{}")
    result, _ = cell(raising(AssertionError("it must not run")))
    assert result == 0.25
    assert not (folder / ".lock").exists()
    with FolderLock(folder):  # of a process that is there
        result, _ = cell(raising(AssertionError("it must not run")))
        assert result == 0.25
        assert (folder / ".lock").exists()


def test_another_run_is_never_overwritten(cell):
    _, folder = cell(raising(RuntimeError("first")))
    other = json.dumps({"status": "failed", "command": "node-train seed=2"})
    (folder / "summary.json").write_text(other)
    with pytest.raises(ConfigError, match="already holds another run"):
        cell(raising(RuntimeError("second")))
    assert (folder / "summary.json").read_text() == other


def test_where_a_sweep_was_told_to_stop_no_cell_begins(cell, tmp_path):
    (tmp_path / ".stop").touch()
    result, folder = cell(raising(AssertionError("it must not run")), launcher="joblib")
    assert result is None
    assert not (folder / "summary.json").exists()


def test_a_cell_that_another_process_holds_is_left_alone(cell, capsys):
    result, folder = cell(raising(HeldError("0_seed=1: another process works on it; let it end.")))
    assert result is None
    assert not (folder / "summary.json").exists()
    assert "another process works on it" in capsys.readouterr().err


def test_a_cell_that_cannot_go_on_keeps_what_it_came_to(cell):
    def interrupted(config, folder, *_arguments):
        (folder / "summary.json").write_text(
            json.dumps({"status": "interrupted", "steps": 300, "command": "node-train seed=1"})
        )
        raise DataError("points.csv: no such file.")

    _, folder = cell(interrupted)
    summary = summary_of(folder)
    assert summary["status"] == "failed"
    assert summary["cause"] == "points.csv: no such file."
    assert summary["steps"] == 300


def test_a_cell_in_the_place_of_another_run_is_refused(cell, tmp_path):
    folder = tmp_path / "0_seed=1"
    (folder / ".hydra").mkdir(parents=True)

    def written_before(*_arguments):
        raise AssertionError("it is not run")

    record = {"status": "interrupted", "command": "node-train seed=2"}
    (folder / "summary.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"already holds another run \(node-train seed=2\)"):
        cell(written_before)
    assert json.loads((folder / "summary.json").read_text()) == record


def test_a_worker_whose_sweep_was_killed_begins_no_cell(cell, monkeypatch):
    pid = os.getpid()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    monkeypatch.setattr("node_cli.sweeping.cell.end_when_orphaned", lambda: None)
    monkeypatch.setattr("node_cli.sweeping.cell.is_orphan", lambda: True)
    pids = iter([pid, pid + 1])
    monkeypatch.setattr("node_cli.sweeping.cell.os.getpid", lambda: next(pids, pid))

    def begun(*_arguments):
        raise AssertionError("it has begun")

    try:
        assert cell(begun, "joblib")[0] is None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
