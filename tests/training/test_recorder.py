import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from node_cli.figures.curves import curves_by_epoch
from node_cli.training.recorder import Recorder


def events(folder):
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_scalars_are_the_same_in_tensorboard_and_in_the_file(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.scalars(10, 0.5, {"loss/train": 0.25, "nfe/forward": 20.0})
    recorder.scalars(20, 1.0, {"loss/train": 0.125})
    recorder.close()
    read = events(tmp_path)
    assert [(e.step, e.value) for e in read.Scalars("loss/train")] == [(10, 0.25), (20, 0.125)]
    assert [(e.step, e.value) for e in read.Scalars("nfe/forward")] == [(10, 20.0)]
    assert lines(tmp_path) == [
        {"step": 10, "epoch": 0.5, "loss/train": 0.25, "nfe/forward": 20.0},
        {"step": 20, "epoch": 1.0, "loss/train": 0.125},
    ]


def test_a_resumed_run_drops_what_it_will_do_again(tmp_path):
    recorder = Recorder(tmp_path)
    for step in (10, 20, 30):
        recorder.scalars(step, step / 100, {"loss/train": float(step)})
    recorder.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "ep')
    recorder = Recorder(tmp_path, resumed_at=20)
    recorder.scalars(30, 0.3, {"loss/train": 31.0})
    recorder.close()
    assert [(line["step"], line["loss/train"]) for line in lines(tmp_path)] == [
        (10, 10.0),
        (20, 20.0),
        (30, 31.0),
    ]
    assert [(e.step, e.value) for e in events(tmp_path).Scalars("loss/train")] == [
        (10, 10.0),
        (20, 20.0),
        (30, 31.0),
    ]


def test_figures_go_to_tensorboard_and_to_png(tmp_path):
    recorder = Recorder(tmp_path)
    figure = curves_by_epoch([{"a": 1.0}, {"a": 2.0}], {"a": "label"}, "y", "title")
    recorder.figures(5, {"curve": figure})
    recorder.close()
    assert (tmp_path / "figures" / "curve.png").read_bytes().startswith(b"\x89PNG")
    (image,) = events(tmp_path).Images("curve")
    assert image.step == 5
    assert image.encoded_image_string.startswith(b"\x89PNG")


def test_hyperparameters_are_in_the_run_itself(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.scalars(7, 1.0, {"accuracy/test": 0.5})
    recorder.hyperparameters(
        {"solver.name": "dopri5", "tolerance.rtol": 1e-3}, {"accuracy/test": 0.5}
    )
    recorder.text("config", "seed: 0")
    recorder.close()
    assert len(list(tmp_path.glob("**/events.out.tfevents.*"))) == 1
    tags = events(tmp_path).SummaryMetadata("_hparams_/session_start_info")
    assert b"solver.name" in tags.plugin_data.content
    assert "config/text_summary" in events(tmp_path).Tags()["tensors"]


def test_half_a_line_alone_is_no_obstacle(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss')
    Recorder(tmp_path, resumed_at=0).close()
    assert lines(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        Recorder(tmp_path / "absent")
