import json
import re

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.metadata import (
    EXPERIMENT_TAG,
    SESSION_END_INFO_TAG,
    SESSION_START_INFO_TAG,
    parse_session_end_info_plugin_data,
    parse_session_start_info_plugin_data,
)

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
    recorder.begin()
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
    recorder.begin()
    for step in (10, 20, 30):
        recorder.scalars(step, step / 100, {"loss/train": float(step)})
    recorder.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "ep')
    recorder = Recorder(tmp_path)
    recorder.resume(None, 20)
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
    recorder.begin()
    figure = curves_by_epoch([{"a": 1.0}, {"a": 2.0}], {"a": "label"}, "y", "title")
    recorder.figures(5, {"curve": figure})
    recorder.close()
    assert (tmp_path / "figures" / "curve.png").read_bytes().startswith(b"\x89PNG")
    (image,) = events(tmp_path).Images("curve")
    assert image.step == 5
    assert image.encoded_image_string.startswith(b"\x89PNG")


def plugin_content(folder, tag):
    return events(folder).SummaryMetadata(tag).plugin_data.content


def test_settings_are_in_the_run_itself_for_the_hparams_tab(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.begin()
    recorder.opening({"solver.name": "dopri5", "tolerance.rtol": 1e-3, "data.augment": False})
    recorder.scalars(7, 1.0, {"accuracy/test": 0.5})
    recorder.text("config", "seed: 0")
    recorder.ending()
    recorder.close()
    assert len(list(tmp_path.glob("**/events.out.tfevents.*"))) == 1
    start = parse_session_start_info_plugin_data(plugin_content(tmp_path, SESSION_START_INFO_TAG))
    assert start.hparams["solver.name"].string_value == "dopri5"
    assert start.hparams["tolerance.rtol"].number_value == 1e-3
    assert start.hparams["data.augment"].bool_value is False
    end = parse_session_end_info_plugin_data(plugin_content(tmp_path, SESSION_END_INFO_TAG))
    assert end.status == Status.Value("STATUS_SUCCESS")
    # Without a list of all settings in each run TensorBoard gathers one, what differs first.
    assert EXPERIMENT_TAG not in events(tmp_path).Tags()["tensors"]
    assert "config/text_summary" in events(tmp_path).Tags()["tensors"]


def test_the_layout_puts_nfe_memory_and_loss_together(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.begin()
    recorder.opening({})
    recorder.close()
    tag = "custom_scalars__config__"
    (event,) = events(tmp_path).Tensors(tag)
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    (category,) = layout.category
    tags = ["loss/train", "loss/val", "nfe/forward", "nfe/backward", "memory/saved_bytes"]
    tags += ["memory/rss_peak_bytes", "memory/device_peak_bytes", "time/step_seconds"]
    for wanted in tags:
        charts = [c for c in category.chart if any(re.search(e, wanted) for e in c.multiline.tag)]
        assert len(charts) == 1, wanted
    assert not any(
        re.search(expression, "lossy/train")
        for c in category.chart
        for expression in c.multiline.tag
    )


def test_a_figure_of_each_epoch_is_kept_for_the_slider(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.begin()
    for step in (5, 10, 15):
        figure = curves_by_epoch([{"a": float(step)}], {"a": "label"}, "y", "title")
        recorder.figures(step, {"curve": figure})
    recorder.close()
    assert [image.step for image in events(tmp_path).Images("curve")] == [5, 10, 15]
