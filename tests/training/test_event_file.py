import errno
import os
import threading
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import custom_scalars, hparams, scalar, text

from node_cli.run_folder import writing
from node_cli.training.event_file import EventFile, event_files, shorten_events

DAY = 86_400


def logged(path):
    return [
        (event.step, [(value.tag, value.simple_value) for value in event.summary.value])
        for event in LegacyEventFileLoader(str(path)).Load()
        if event.HasField("summary")
    ]


def written(folder, steps, purge_step=None):
    events = EventFile(folder, purge_step)
    for step in steps:
        events.add(scalar("loss/train", float(step)), step)
    events.close()
    return event_files(folder)[-1]


def test_the_events_are_those_of_torchs_own_writer(tmp_path):
    layout = {"costs": {"loss": ["Multiline", ["^loss/train$"]]}}
    _, start, end = hparams({"solver.name": "dopri5", "tolerance.rtol": 1e-3}, {})
    theirs = SummaryWriter(str(tmp_path / "theirs"), purge_step=4)
    theirs.add_scalar("loss/train", 0.25, 3)
    theirs.add_text("config", "seed: 0")
    theirs.add_custom_scalars(layout)
    for summary in (start, end):
        theirs.file_writer.add_summary(summary)
    theirs.close()
    (tmp_path / "ours").mkdir()
    ours = EventFile(tmp_path / "ours", purge_step=4)
    ours.add(scalar("loss/train", 0.25), 3)
    for summary in (text("config", "seed: 0"), custom_scalars(layout), start, end):
        ours.add(summary)
    ours.close()

    def events(folder):
        (path,) = (tmp_path / folder).iterdir()
        found = []
        for event in LegacyEventFileLoader(str(path)).Load():
            for name in ("wall_time", "source_metadata"):
                event.ClearField(name)
            found.append(event)
        return found

    assert events("ours") == events("theirs")
    names = [next((tmp_path / folder).iterdir()).name for folder in ("ours", "theirs")]
    assert [name.split(".")[:3] for name in names] == [["events", "out", "tfevents"]] * 2
    assert len(names[0].split(".")[3]) == 10


def test_files_are_read_in_order_after_the_clock_went_back(tmp_path, monkeypatch):
    first = written(tmp_path, [1, 2])
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - DAY)
    second = written(tmp_path, [3, 4], purge_step=3)
    assert second.name > first.name
    accumulator = EventAccumulator(str(tmp_path))
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("loss/train")] == [1, 2, 3, 4]
    times = [event.wall_time for event in LegacyEventFileLoader(str(second)).Load()]
    assert times == sorted(times)
    assert times[0] >= int(first.name.split(".")[3])


def test_it_is_written_by_the_thread_that_logs(tmp_path):
    before = threading.active_count()
    events = EventFile(tmp_path)
    events.add(scalar("loss/train", 1.0), 1)
    assert threading.active_count() == before
    events.close()


def test_readers_do_not_wait_long(tmp_path, monkeypatch):
    events = EventFile(tmp_path)
    (path,) = event_files(tmp_path)
    events.add(scalar("loss/train", 1.0), 1)
    assert logged(path) == []
    passed = time.monotonic() + 60.0
    monkeypatch.setattr(time, "monotonic", lambda: passed)
    events.add(scalar("loss/train", 2.0), 2)
    assert [step for step, _ in logged(path)] == [1, 2]
    events.close()


def test_a_full_disk_is_an_error_of_the_call_that_meets_it(tmp_path, monkeypatch):
    events = EventFile(tmp_path)
    (path,) = event_files(tmp_path)

    def full(file, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.name))

    monkeypatch.setattr(writing._NamedFile, "write", full)
    events.add(scalar("loss/train", 1.0), 1)
    with pytest.raises(OSError, match="No space left") as raised:
        events.sync()
    assert raised.value.filename == str(path)
    events.close()  # tells nothing again
    assert logged(path) == []


def test_a_file_is_cut_after_its_last_whole_record(tmp_path):
    path = written(tmp_path, [1, 2, 3])
    whole = path.read_bytes()
    for size in range(len(whole) + 1, -1, -1):
        path.write_bytes(whole)
        shorten_events(path, size)
        cut = path.read_bytes()
        assert len(cut) <= size
        assert whole.startswith(cut)
        kept = [step for step, _ in logged(path)] if cut else []
        assert kept == [1, 2, 3][: len(kept)]
    path.write_bytes(whole[:-5])  # as after a loss of power
    shorten_events(path, len(whole))
    assert [step for step, _ in logged(path)] == [1, 2]


def test_links_are_no_event_files(tmp_path):
    outside = written(tmp_path, [1])
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "events.out.tfevents.0000000001.link.1.0").symlink_to(outside)
    (folder / "events.out.tfevents.0000000002.folder.1.0").mkdir()
    assert event_files(folder) == []
    assert [step for step, _ in logged(written(folder, [5]))] == [5]
