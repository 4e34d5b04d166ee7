"""Series of packages and of the PhysioNet Challenge 2012: small files in their formats."""

import gzip
import importlib.util
import math

import numpy as np
import pytest
import torch

from node_cli.data import installed_package
from node_cli.errors import DataError
from node_cli.tasks.series.archive import read_archive, read_ts_file
from node_cli.tasks.series.glucose import read_glucose
from node_cli.tasks.series.hopper import simulate_hopper
from node_cli.tasks.series.observed import ROLES
from node_cli.tasks.series.physionet import VARIABLES, read_physionet
from node_cli.tasks.series.schema import (
    ArchiveConfig,
    GlucoseConfig,
    HopperConfig,
    PhysionetConfig,
)
from node_cli.tasks.series.series_table import read_series

SHARED = {"mode": "interpolation", "hidden": 0.0, "batch_size": 2, "eval_batch_size": 2}


def glucose(**changes):
    plain = {"name": "glucose", "hours": 24, "points": None, "validation": 0.25, "test": 0.25}
    return GlucoseConfig(**SHARED | plain | changes)


def archive(name="japanese-vowels", **changes):
    return ArchiveConfig(**SHARED | {"name": name, "validation": 0.5} | changes)


def hopper(**changes):
    plain = {"name": "hopper", "series": 3, "validation": 2, "test": 1, "points": 20}
    return HopperConfig(**SHARED | plain | changes)


def physionet(root, **changes):
    plain = {"name": "physionet", "root": str(root), "sets": ("a",), "quantum": 0.1}
    return PhysionetConfig(**SHARED | plain | {"validation": 0.2, "test": 0.2} | changes)


def installed(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a file of a package that then counts as installed."""

    def package(module, place, content):
        path = tmp_path / module / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (tmp_path / module / "__init__.py").write_text("raise SystemExit('not to be imported')")
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()

    return package


DAYS = b"""isig,datetime,glucose
22.59,2010-03-24 09:51:00,258
22.52,2010-03-24 09:56:00,260
22.5,2010-03-24 12:00:00,200
20.1,2010-03-26 00:00:00,100
20.1,2010-03-26 06:30:00,110
20.2,2010-03-26 06:30:00,120
20.1,2010-03-27 01:00:00,130
20.1,2010-03-27 20:00:00,135
20.1,2010-03-28 01:00:00,140
20.1,2010-03-28 02:00:00,150
"""


def test_days_of_glucose_in_their_order(package):
    package("bokeh_sampledata", "_data/CGM.csv.gz", gzip.compress(DAYS, mtime=0))
    found = read_glucose(glucose(), 0)
    assert [len(part) for part in found.parts] == [2, 1, 1]
    (first, (times, values)), (_, (later, doubled)) = found.parts[0]
    assert first == "2010-03-24 00:00"
    assert times.tolist() == [9 + 51 / 60, 9 + 56 / 60, 12]
    assert values[:, 0].tolist() == [258, 260, 200]
    assert later.tolist() == [0, 6.5]
    assert doubled[:, 0].tolist() == [100, 115]  # the mean of two at one time
    assert "public domain" in found.source
    assert "bokeh-sampledata" in found.source


def test_parts_of_days_with_more_than_one_measurement(package):
    package("bokeh_sampledata", "_data/CGM.csv.gz", gzip.compress(DAYS, mtime=0))
    found = read_glucose(glucose(hours=8), 0)
    times = [times.tolist() for part in found.parts for _, (times, _) in part]
    assert times == [[111 / 60, 116 / 60, 4], [0, 6.5], [1, 2]]


def test_points_of_a_day_are_kept_at_random_and_in_order(package):
    package("bokeh_sampledata", "_data/CGM.csv.gz", gzip.compress(DAYS, mtime=0))
    kept = [read_glucose(glucose(points=2), seed).parts[0][0][1][0].tolist() for seed in range(8)]
    assert all(len(times) == 2 and times[0] < times[1] for times in kept)
    assert len({tuple(times) for times in kept}) > 1
    assert kept[3] == read_glucose(glucose(points=2), 3).parts[0][0][1][0].tolist()


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"a,b\n1,2\n", mtime=0), gzip.compress(DAYS, mtime=0)[:-30],
     gzip.compress(DAYS.replace(b"258", b"high"), mtime=0)],
    ids=["other", "columns", "cut", "words"],
)  # fmt: skip
def test_another_file_of_glucose_is_told(package, content):
    package("bokeh_sampledata", "_data/CGM.csv.gz", content)
    with pytest.raises(DataError, match=r"CGM.csv.gz: .* Install bokeh-sampledata again"):
        read_glucose(glucose(), 0)


@pytest.mark.parametrize(
    ("read", "config", "name"),
    [
        (read_glucose, glucose(), "bokeh-sampledata"),
        (read_archive, archive(), "aeon"),
        (simulate_hopper, hopper(), "dm-control"),
    ],
)
def test_a_missing_package_is_told_with_the_command(monkeypatch, read, config, name):
    monkeypatch.setattr(installed_package, "find_spec", lambda module: None)
    with pytest.raises(DataError) as told:
        read(config, 0)
    assert f"needs the package {name}, which is not installed; pip install {name}" in str(
        told.value
    )
    assert "'.[datasets]'" in str(told.value)


def test_a_package_without_the_file(package):
    package("aeon", "other.txt", b"")
    with pytest.raises(DataError, match=r"has no file .*JapaneseVowels_TRAIN.ts; install another"):
        read_archive(archive(), 0)


def ts_file(series, classes="1 2"):
    lines = ["#A comment", "@problemName X", f"@classLabel true {classes}", "@data", *series]
    return "\n".join(lines).encode()


def test_series_of_the_archive(package):
    train = [f"{i},{i + 1},?:{10 * i},0,1:{1 + i % 2}" for i in range(6)]
    test = ["1,2:3,4:2", "1:3:1"]
    for part, series in (("TRAIN", train), ("TEST", test)):
        package("aeon", f"datasets/data/BasicMotions/BasicMotions_{part}.ts", ts_file(series))
    found = read_archive(archive("basic-motions", validation=0.3), 0)
    assert found.classes == ["1", "2"]
    assert found.columns == ["x1", "x2"]
    assert [sorted(labels) for labels in found.labels] == [[0, 0, 1, 1], [0, 1], [0, 1]]
    name, (times, values) = found.parts[2][0]
    assert name == "1"
    assert times.tolist() == [0, 0.1]
    assert values.tolist() == [[1, 3], [2, 4]]
    firsts = [int(values[0, 0]) for part in found.parts[:2] for _, (_, values) in part]
    assert sorted(firsts) == list(range(6))
    for part, labels in zip(found.parts[:2], found.labels, strict=False):
        assert [int(values[0, 0]) % 2 for _, (_, values) in part] == labels
    assert all(math.isnan(values[2, 0]) for _, (_, values) in found.parts[0])
    table = read_series(archive("basic-motions", validation=0.3), 0)
    assert table.parts[0].labels.tolist() == found.labels[0]
    assert not bool(table.parts[0].known[:, 2, 0].any())
    assert table.parts[2].roles.tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ts_file(["1,2:3,4:7"]), "line 5: this is no series of numbers with its class"),
        (ts_file(["1,2:3:1"]), "line 5: this is no series"),
        (ts_file(["1,x:3,4:1"]), "line 5: this is no series"),
        (ts_file(["1,2:3,4:1", "1,2:1"]), "different numbers of dimensions"),
        (b"@data", "there is no series"),
    ],
)
def test_a_damaged_ts_file(tmp_path, text, says):
    (tmp_path / "x.ts").write_bytes(text)
    with pytest.raises(DataError, match=says):
        read_ts_file(tmp_path / "x.ts", 1.0)


@installed("aeon")
@pytest.mark.parametrize(
    ("name", "counts", "width", "lengths", "classes"),
    [("japanese-vowels", (216, 54, 370), 12, (7, 29), 9), ("basic-motions", (32, 8, 40), 6,
      (100, 100), 4)],
)  # fmt: skip
def test_what_aeon_ships(name, counts, width, lengths, classes):
    found = read_archive(archive(name, validation=0.2), 0)
    assert tuple(map(len, found.parts)) == counts
    sizes = [len(times) for part in found.parts for _, (times, _) in part]
    assert (min(sizes), max(sizes)) == lengths
    assert {values.shape[1] for part in found.parts for _, (_, values) in part} == {width}
    assert {label for part in found.labels for label in part} == set(range(classes))


@installed("bokeh_sampledata")
def test_what_bokeh_sampledata_ships():
    found = read_glucose(glucose(validation=0.1, test=0.1), 0)
    assert [len(part) for part in found.parts] == [160, 20, 20]
    values = np.concatenate([values for part in found.parts for _, (_, values) in part])
    assert (values.min(), values.max()) == (40, 400)
    assert len(values) == 52_281 - 3  # three times are there twice


@installed("mujoco", "dm_control")
def test_a_hopper_falls_freely_before_it_lands():
    found = simulate_hopper(hopper(points=100), 0)
    assert [len(part) for part in found.parts] == [3, 2, 1]
    assert len(found.columns) == 14
    _, (times, states) = found.parts[0][0]
    np.testing.assert_allclose(np.diff(times), 0.005, rtol=1e-12)
    starts = np.array([states[0] for part in found.parts for _, (_, states) in part])
    assert ((starts[:, :2] >= 0) & (starts[:, :2] <= 0.5)).all()
    assert (np.abs(starts[:, 2:7]) <= 2).all()
    assert (np.abs(starts[:, 7:]) <= 5).all()
    # Euler's semi-implicit steps: a position moves by the velocity after the step.
    np.testing.assert_allclose(np.diff(states[:, :7], axis=0), 0.005 * states[1:, 7:], atol=1e-12)
    again = simulate_hopper(hopper(points=100), 0).parts[0][0][1][1]
    assert np.array_equal(states, again)
    assert not np.array_equal(states, simulate_hopper(hopper(points=100), 1).parts[0][0][1][1])


RECORD = """Time,Parameter,Value
00:00,RecordID,{id}
00:00,Age,54
00:00,Gender,0
00:00,Height,-1
00:00,ICUType,4
00:00,Weight,-1
00:07,HR,{rate}
00:08,HR,75
00:37,HR,77
00:37,Temp,35.1
07:30,GCS,15
"""


def write_stays(root, deaths, name="a"):
    (root / f"set-{name}").mkdir(parents=True, exist_ok=True)
    lines = ["RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death"]
    for number, died in enumerate(deaths):
        record = 132539 + number
        text = RECORD.format(id=record, rate=70 + number)
        (root / f"set-{name}" / f"{record}.txt").write_text(text)
        if died is not None:
            lines.append(f"{record},6,1,5,-1,{died}")
    (root / f"Outcomes-{name}.txt").write_text("\n".join(lines) + "\n")


def test_stays_of_physionet(tmp_path):
    write_stays(tmp_path, [0, 1] * 5 + [None])
    found = read_physionet(physionet(tmp_path), 0)
    assert len(VARIABLES) == len(set(VARIABLES)) == 41
    assert found.classes == ("survived", "died")
    assert [len(part) for part in found.parts] == [7, 2, 2]
    assert [sorted(labels) for labels in found.labels][1:] == [[0, 1], [0, 1]]
    assert sorted(found.labels[0]) == [-1, 0, 0, 0, 1, 1, 1]
    rate, weight, age = (VARIABLES.index(name) for name in ("HR", "Weight", "Age"))
    for part, labels in zip(found.parts, found.labels, strict=True):
        for (_, (times, values)), label in zip(part, labels, strict=True):
            np.testing.assert_allclose(times, [0, 0.1, 0.6, 7.5], atol=1e-12)
            assert values[0, age] == 54
            assert math.isnan(values[0, weight])
            number = round(2 * values[1, rate] - 75) - 70  # two values became their mean
            assert label == (-1 if number == 10 else number % 2)
            assert values[2, rate] == 77
            assert int(np.isfinite(values).sum()) == 7


def test_long_times_are_scaled_for_the_model_alone(tmp_path):
    write_stays(tmp_path, [0, 1] * 5)
    for path in (tmp_path / "set-a").iterdir():
        path.write_text(path.read_text() + "47:30,HR,80\n")
    table = read_series(physionet(tmp_path), 0)
    assert table.about == ["time is divided by 9.5 for the model"]
    train = table.parts[0]
    assert float(train.at[0].max()) == pytest.approx(47.5)
    assert float(train.times[0].max()) == pytest.approx(5)


def test_times_are_kept_where_they_are_not_to_be_quantised(tmp_path):
    write_stays(tmp_path, [0, 1] * 3)
    _, (times, values) = read_physionet(physionet(tmp_path, quantum=0.0), 0).parts[0][0]
    np.testing.assert_allclose(times, [0, 7 / 60, 8 / 60, 37 / 60, 7.5])
    assert values[2, VARIABLES.index("HR")] == 75


def test_more_than_one_set(tmp_path):
    write_stays(tmp_path, [0, 1] * 3)
    write_stays(tmp_path, [1, 0] * 4, "b")
    found = read_physionet(physionet(tmp_path, sets=("a", "b")), 0)
    assert sum(map(len, found.parts)) == 14


def test_variables_that_nobody_measured_stay_missing(tmp_path):
    write_stays(tmp_path, [0, 1] * 5)
    train = read_series(physionet(tmp_path), 0).parts[0]
    assert bool(train.values.isfinite().all())
    measured = ("Age", "Gender", "ICUType", "HR", "Temp", "GCS")
    assert train.known.any(dim=(0, 1)).tolist() == [name in measured for name in VARIABLES]
    assert train.known.sum(dim=(1, 2)).tolist() == [7] * len(train)
    assert bool((train.roles == ROLES["observed"]).all())
    assert train.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("HR", "Pulse"), r"132540.txt, line 8: 00:07,Pulse,71 is not a"),
        (lambda text: text.replace("07:30", "7.5"), "line 12: 7.5,GCS,15 is not a time such as"),
        (lambda text: text.replace("35.1", "warm"), "line 11: 00:37,Temp,warm is not"),
        (lambda text: text.replace("35.1", "35.1,C"), "line 11: 4 values; it must have 3"),
        (lambda text: text.replace("Time,", ""), "first line is not Time,Parameter,Value"),
    ],
)
def test_a_damaged_stay_is_told_with_its_line(tmp_path, change, says):
    write_stays(tmp_path, [0, 1] * 5)
    path = tmp_path / "set-a" / "132540.txt"
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=says):
        read_physionet(physionet(tmp_path), 0)


def test_files_of_physionet_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match=r"Outcomes-a.txt: there is no such file.*data.root=PATH"):
        read_physionet(physionet(tmp_path), 0)
    write_stays(tmp_path, [])
    with pytest.raises(DataError, match="there is no folder set-a with files of stays"):
        read_physionet(physionet(tmp_path), 0)
    write_stays(tmp_path, [0] * 5)
    with pytest.raises(DataError, match="only one class, survived; at least two are needed"):
        read_physionet(physionet(tmp_path), 0)
    write_stays(tmp_path, [0] * 5 + [1])
    with pytest.raises(DataError, match="the class died has 1 series; it needs at least 3"):
        read_physionet(physionet(tmp_path), 0)
    (tmp_path / "Outcomes-a.txt").write_text("RecordID,In-hospital_death\n132539,yes\n")
    with pytest.raises(DataError, match="line 2: In-hospital_death must be 0 or 1"):
        read_physionet(physionet(tmp_path), 0)
