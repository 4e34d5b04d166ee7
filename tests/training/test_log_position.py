import json

import pytest
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from node_cli.errors import WritingError
from node_cli.figures.curves import curves_by_epoch
from node_cli.training.log_position import LogPosition
from node_cli.training.recorder import Recorder


def log(recorder, steps):
    for step in steps:
        recorder.scalars(step, step / 10, {"loss/train": float(step)})
        figure = curves_by_epoch([{"a": float(step)}], {"a": "label"}, "y", "title")
        recorder.figures(step, {"curve": figure})


def begun(folder, steps):
    recorder = Recorder(folder)
    recorder.begin()
    log(recorder, steps)
    return recorder


def logged(folder):
    """Steps of the lines, of the scalars and of the images, in the order of the files."""
    lines = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").open()]
    scalars, images = [], []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                (images if value.HasField("image") else scalars).append(event.step)
    return lines, scalars, images


def test_what_came_after_a_checkpoint_is_logged_once(tmp_path):
    recorder = begun(tmp_path, [1, 2])
    position = LogPosition.of({"log": recorder.position().state()})
    log(recorder, [2, 3, 4])  # at the same step too
    recorder.close()
    for _ in range(2):  # killed once more before the next checkpoint
        recorder = Recorder(tmp_path)
        recorder.resume(position, 2)
        log(recorder, [3, 4])
        recorder.close()
    assert logged(tmp_path) == ([1, 2, 3, 4],) * 3
    files = sorted(tmp_path.glob("events.out.*"))
    assert [path.stat().st_size > 0 for path in files] == [True, False, True]


def test_a_position_counts_the_files_of_all_processes_of_a_run(tmp_path):
    recorder = begun(tmp_path, [1])
    first = recorder.position()
    recorder.close()
    recorder = Recorder(tmp_path)
    recorder.resume(first, 1)
    log(recorder, [2])
    second = recorder.position()
    log(recorder, [3])
    recorder.close()
    recorder = Recorder(tmp_path)
    recorder.resume(second, 2)
    recorder.close()
    assert logged(tmp_path) == ([1, 2],) * 3


def test_a_log_that_lost_its_end_is_cut_to_what_is_whole(tmp_path):
    recorder = begun(tmp_path, [1, 2])
    position = recorder.position()
    recorder.close()
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:-3])
    (events,) = tmp_path.glob("events.out.*")
    events.write_bytes(events.read_bytes()[:-3])
    recorder = Recorder(tmp_path)
    recorder.resume(position, 2)
    recorder.close()
    assert logged(tmp_path) == ([1], [1, 2], [1])


def test_a_log_that_is_gone_is_begun_anew(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.resume(LogPosition(100, {"events.out.tfevents.1.gone": 50}), 2)
    log(recorder, [3])
    recorder.close()
    assert logged(tmp_path) == ([3],) * 3


def test_foreign_names_open_and_remove_nothing_else(tmp_path):
    for name in ("mine.txt", "summary.json"):
        (tmp_path / name).write_text("mine")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    outside = tmp_path / "events.out.tfevents.1"
    outside.write_text("mine")
    (folder / "events.out.tfevents.2").symlink_to(outside)
    names = [
        "../mine.txt",
        str(tmp_path / "summary.json"),
        "notes.txt",
        "events.out.tfevents.2",
        "",
    ]
    recorder = Recorder(folder)
    recorder.resume(LogPosition(0, dict.fromkeys(names, 0)), 1)
    recorder.close()
    for path in (tmp_path / "mine.txt", tmp_path / "summary.json", folder / "notes.txt", outside):
        assert path.read_text() == "mine"


def test_nothing_is_cut_through_a_link(tmp_path):
    (tmp_path / "mine.txt").write_text("mine\n")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").symlink_to(tmp_path / "mine.txt")
    for position in (LogPosition(), None):
        with pytest.raises(WritingError, match=r"metrics\.jsonl is a link"):
            Recorder(folder).resume(position, 1)
    assert (tmp_path / "mine.txt").read_text() == "mine\n"


@pytest.mark.parametrize(
    "log",
    [
        [],
        {"lines": -1},
        {"lines": 2**70},
        {"lines": "1"},
        {"lines": 1, "events": {"a": -1}},
        {"lines": 1, "events": {"a": 1.5}},
        {"lines": 1, "more": 2},
    ],
    ids=str,
)
def test_a_position_that_cannot_be_is_refused(log):
    with pytest.raises(ValidationError):
        LogPosition.of({"log": log})


def test_a_checkpoint_of_before_has_no_position():
    assert LogPosition.of({}) is None
