import json

import pytest
import yaml

from node_cli.report.record import error_of, read_record, run_folders


def test_a_finished_run_tells_settings_results_and_costs(a_run):
    record = read_record(a_run({"tolerance.rtol": 1e-3}, accuracy=0.75, nfe=26.0))
    assert record.status == "finished"
    assert record.settings["tolerance.rtol"] == 1e-3
    assert record.values["error"] == 0.25
    assert record.values["nfe"] == record.values["nfe_forward"] == 26.0
    assert record.values["saved_bytes"] == 1e6
    assert "device_peak_bytes" not in record.values
    assert record.metric == "accuracy"


def test_a_metric_that_is_small_when_good_is_the_error_itself():
    assert error_of(-0.5, "min") == -0.5
    assert error_of(0.98, "max") == pytest.approx(0.02)


def test_a_run_without_a_summary_is_told_by_what_is_there(tmp_path):
    folder = tmp_path / "0"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(["seed=3"]))
    (folder / ".hydra" / "config.yaml").write_text(
        yaml.safe_dump({"seed": 3, "solver": {"name": "rk4"}, "debug": {"anomaly": False}})
    )
    lines = [{"step": 10, "epoch": 0.1, "loss/train": 2.0}, {"step": 20, "epoch": 0.2, "lr": 0.1}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"step": 30, "ep')
    record = read_record(folder)
    assert record.status == "unfinished"
    assert record.command == "node-train seed=3"
    assert record.settings == {"seed": 3, "solver.name": "rk4"}
    assert record.values == {"loss/train": 2.0, "lr": 0.1, "steps": 20, "epochs": 0.2}


def test_of_a_long_file_only_the_end_is_read(tmp_path):
    folder = tmp_path / "0"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("[]")
    (folder / ".hydra" / "config.yaml").write_text("seed: 0")
    line = json.dumps({"step": 1, "epoch": 0.1, "loss/train": 2.0}) + "\n"
    last = json.dumps({"step": 2, "epoch": 0.2, "loss/train": 1.5}) + "\n"
    (folder / "metrics.jsonl").write_text(line * 3000 + last)
    assert read_record(folder).values["loss/train"] == 1.5


DAMAGED = ["", "{", "[]", "{}", "\x00", '{"status": 3}', '{"status": null}']
DAMAGED += [
    f'{{"status": "failed", {rest}}}'
    for rest in ('"final": 3', '"settings": [1]', '"command": 5', '"best": 3', '"seconds": "x"')
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_summary_is_told_and_stops_nothing(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    record = read_record(tmp_path)
    assert record.status == "unreadable"
    assert record.cause


def test_runs_are_found_in_the_order_of_their_numbers(tmp_path):
    for name in ("sweep/10_b", "sweep/2_a", "2026-01-01_00-00-00", "sweep/.submitit/x"):
        (tmp_path / name / ".hydra").mkdir(parents=True)
    (tmp_path / "sweep" / "report").mkdir()
    found = [str(folder.relative_to(tmp_path)) for folder in run_folders(tmp_path)]
    assert found == ["2026-01-01_00-00-00", "sweep/2_a", "sweep/10_b"]


def test_a_run_is_its_own_folder_of_runs(a_run):
    folder = a_run()
    assert list(run_folders(folder)) == [folder]


def test_a_link_that_goes_in_a_circle_is_gone_through_once(a_run, tmp_path):
    folder = a_run()
    (tmp_path / "sweep" / "loop").symlink_to(tmp_path)
    assert list(run_folders(tmp_path)) == [folder]
