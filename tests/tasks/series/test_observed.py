import math

import pytest
import torch

from node_cli.data.batches import OrderedBatches, ShuffledBatches
from node_cli.errors import DataError
from node_cli.tasks.series.observed import ROLES
from node_cli.tasks.series.schema import PeriodicConfig, SeriesTableConfig, SpiralsConfig
from node_cli.tasks.series.series_table import read_series
from node_cli.tasks.series.stream import Stream
from node_cli.tasks.series.synthetic import SPIRAL_STEP, periodic, spirals

SIZES = {"series": 40, "validation": 6, "test": 5, "batch_size": 10, "eval_batch_size": 4}


def spirals_of(points=100, noise=0.3, seed=0):
    config = SpiralsConfig(name="spirals", points=points, noise=noise, **SIZES)
    return spirals(config, seed)


def periodic_of(mode="interpolation", points=50, noise=0.0, seed=0):
    config = PeriodicConfig(name="periodic", points=points, noise=noise, mode=mode, **SIZES)
    return periodic(config, seed)


def test_spirals_are_those_of_the_formula():
    train, validation, test = spirals_of(noise=0.0)
    assert [len(part) for part in (train, validation, test)] == [40, 6, 5]
    assert train.values.shape == (40, 300, 2)
    assert torch.equal(train.values, train.truth)
    turns = set()
    for path in train.truth.double():
        right = path[:, 0].mean() > 0
        centre = torch.tensor([5.0 if right else -5.0, 0.0]).double()
        radius = (path - centre).norm(dim=1)
        if right:
            torch.testing.assert_close(
                radius.diff(), torch.full((299,), 0.3 * SPIRAL_STEP).double(), atol=2e-5, rtol=0
            )
        else:
            angle = 15 / radius
            torch.testing.assert_close(
                angle.diff(), torch.full((299,), -SPIRAL_STEP).double(), atol=1e-4, rtol=0
            )
        turns.add(bool(right))
    assert turns == {True, False}
    assert float(train.times[0, 100]) == 0
    assert float(train.times[0, 101]) == pytest.approx(SPIRAL_STEP)


def test_the_parts_of_spirals_share_nothing_and_follow_the_seed():
    parts, again, other = spirals_of(), spirals_of(), spirals_of(seed=1)
    for a, b, c in zip(parts, again, other, strict=True):
        assert torch.equal(a.values, b.values)
        assert not torch.equal(a.values, c.values)
    assert not torch.equal(parts[1].values[:5], parts[2].values[:5])


@pytest.mark.parametrize("points", [30, 50, 100])
def test_irregular_spirals_keep_that_many_points(points):
    train = spirals_of(points)[0]
    window = train.roles[:, 100:200]
    assert bool(((window == ROLES["observed"]).sum(dim=1) == points).all())
    assert bool(((window == ROLES["unseen"]).sum(dim=1) == 100 - points).all())
    assert bool((train.roles[:, :100] == ROLES["backward"]).all())
    assert bool((train.roles[:, 200:] == ROLES["forward"]).all())
    assert len((window == ROLES["observed"]).unique(dim=0)) == (1 if points == 100 else 40)


def test_noise_has_the_deviation_asked_for():
    train = spirals_of(noise=0.3)[0]
    assert float((train.values - train.truth).std()) == pytest.approx(0.3, rel=0.02)


def test_periodic_series_have_a_frequency_that_goes_from_one_to_another():
    train = periodic_of()[0]
    assert bool((train.times.diff(dim=1) >= 0).all())
    assert not torch.equal(train.times[0], train.times[1])
    swing = train.truth.amax(dim=1) - train.truth.amin(dim=1)
    assert float(swing.min()) > 1.9
    assert float(swing.max()) <= 2.0 + 1e-5
    turns = (train.truth.diff(dim=1).sign().diff(dim=1) != 0).sum(dim=1)
    assert bool((turns >= 2 * 5 * 0.4 - 2).all())
    assert bool((turns <= 2 * 5 * 0.8 + 2).all())


def test_extrapolation_shows_the_first_half_only():
    train = periodic_of("extrapolation")[0]
    assert float(train.times[train.roles == ROLES["observed"]].max()) <= 2.5
    assert float(train.times[train.roles == ROLES["forward"]].min()) > 2.5


def test_only_some_points_are_kept_in_their_order():
    train = periodic_of(points=30)[0]
    observed = train.only("observed")
    assert observed.times.shape == (40, 30)
    assert bool((observed.roles == ROLES["observed"]).all())
    for i in range(3):
        there = train.roles[i] == ROLES["observed"]
        assert torch.equal(observed.times[i], train.times[i][there])
        assert torch.equal(observed.values[i], train.values[i][there])
    extrapolation = periodic_of("extrapolation", points=30)[0].only("observed")
    padding = extrapolation.roles == 0
    assert bool(padding.any())
    assert not bool(extrapolation.known[padding].any())
    assert not bool(extrapolation.times[padding].any())


def test_the_union_of_times_leads_back_to_each():
    series = periodic_of("extrapolation", points=30)[0].only("observed")
    union, index = series.union()
    assert bool((union.diff() > 0).all())
    there = series.roles > 0
    assert torch.equal(union[index][there], series.times[there])
    regular = spirals_of()[0]
    assert regular.regular
    union, index = regular.union()
    assert torch.equal(union[index], regular.times)


def test_batches_are_shuffled_anew_and_a_function_of_their_place():
    train = spirals_of()[0]
    data = ShuffledBatches(train, 10, 0, torch.device("cpu"), Stream.ORDER)
    assert len(data) == 4
    epochs = [
        torch.cat([data.batch(epoch, i).values[:, 0, 0] for i in range(4)]) for epoch in (0, 1)
    ]
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.equal(epochs[0].sort().values, train.values[:, 0, 0].sort().values)
    again = ShuffledBatches(train, 10, 0, torch.device("cpu"), Stream.ORDER).batch(1, 3)
    assert torch.equal(again.values[:, 0, 0], epochs[1][30:])
    lengths = [len(batch) for batch in OrderedBatches(train, 15, torch.device("cpu"))]
    assert lengths == [15, 15, 10]


ROWS = "\n".join(
    f"{name},{t},{math.sin(t + offset)},{'' if t == 2 else t * offset}"
    for offset, name in enumerate("abcdefgh", start=1)
    for t in (0.5, 1, 2, 3.25)
)


@pytest.fixture
def table(tmp_path):
    def table(text, **changes):
        path = tmp_path / "series.csv"
        path.write_text(text)
        settings = {
            "name": "csv",
            "path": str(path),
            "id": "id",
            "time": "time",
            "mode": "extrapolation",
            "hidden": 0.25,
            "validation": 0.2,
            "test": 0.2,
            "batch_size": 2,
            "eval_batch_size": 2,
            "window": None,
        }
        return read_series(SeriesTableConfig(**{**settings, **changes}), 0)

    return table


def test_a_table_of_series_with_missing_values(table):
    found = table(f"id,time,wave,ramp\n{ROWS}\n")
    assert found.units.columns == ["wave", "ramp"]
    train, _, test = found.parts
    assert [len(part) for part in found.parts] == [4, 2, 2]
    assert train.times[0].tolist() == [0, 0.5, 1.5, 2.75]
    assert not bool(train.known[:, 2, 1].any())
    assert bool(train.known[:, :, 0].all())
    assert bool((train.roles[:, 3] == ROLES["forward"]).all())
    values = train.values[train.known[:, :, 0]][:, 0]
    assert float(values.mean()) == pytest.approx(0, abs=1e-6)
    assert float(values.std(correction=0)) == pytest.approx(1, rel=1e-5)
    back = found.units.own_values(test.values)[0, :, 0]
    offsets = [math.sin(0.5 + offset) for offset in range(1, 9)]
    assert min(abs(float(back[0]) - o) for o in offsets) < 1e-5


def test_interpolation_hides_points_inside(table):
    found = table(f"id,time,wave,ramp\n{ROWS}\n", mode="interpolation", hidden=0.5)
    assert bool(((found.parts[0].roles == ROLES["unseen"]).sum(dim=1) == 2).all())


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("", ["the file is empty"]),
        ("time,x\na,1\n", ["no column id"]),
        ("name,time,x\na,1,2\n", ["no column id", "data.id=NAME"]),
        ("id,time\na,1\n", ["no column of values"]),
        ("id,time,x\na,1,2\na,1,3\n", ["line 3", "the same time"]),
        ("id,time,x\na,2,2\nb,1,3\na,1,3\n", ["line 4", "an earlier time", "id a"]),
        ("id,time,x\na,soon,2\n", ["line 2", "the time is 'soon'"]),
        ("id,time,x\na,,2\n", ["line 2", "the time is empty"]),
        ("id,time,x\na,1,much\n", ["line 2", "x is 'much'"]),
        ("id,time,x\na,1\n", ["line 2", "2 values where the first line has 3"]),
        ("id,time,x\na,1,2\nb,1,2\n", ["2 series; at least 3"]),
        ("id,time,x\na,1,2\nb,1,2\nc,1,2\nd,1,2\n", ["column x is constant"]),
        ("id,time,x\na,1,\nb,1,\nc,1,NA\nd,1,\n", ["column x is empty"]),
        ("id,time,x\na,1,14.62\nb,1,14.62\nc,1,14.62\nd,2,14.62\n", ["column x is constant"]),
        ("id,time,x,x\na,1,2,3\n", ["x stands there twice"]),
        ("id,time,x,\na,1,2,3\n", ["column 4 has no name"]),
        ("id,time,x\na,1,inf\n", ["line 2", "x is 'inf'"]),
        ("id,time,x\na,inf,1\n", ["line 2", "the time is 'inf'"]),
        ('id,time,x\na,1,"2\n', ["quotation mark is not closed"]),
    ],
)
def test_a_bad_table_of_series_is_told_with_its_line(table, text, fragments):
    with pytest.raises(DataError) as raised:
        table(text)
    for fragment in ("series.csv", *fragments):
        assert fragment in str(raised.value)


KINDS = [*((f"s{i}", (10, 9)[i % 2]) for i in range(10)), ("u", "")]
LABELLED = "\n".join(
    f"{name},{t},{place + t},{label if t != 1 else ''}"
    for place, (name, label) in enumerate(KINDS)
    for t in range(3)
)


def test_classes_of_a_table(table):
    found = table(f"id,time,wave,kind\n{LABELLED}\n", label="kind")
    assert found.units.columns == ["wave"]
    assert found.classes == ["9", "10"]  # in the order of numbers
    assert [len(part) for part in found.parts] == [7, 2, 2]
    assert [sorted(part.labels.tolist()) for part in found.parts] == [
        [-1, 0, 0, 0, 1, 1, 1],
        [0, 1],
        [0, 1],
    ]
    for part in found.parts:
        start = found.units.own_values(part.truth)[:, 0, 0].round().long()
        expected = torch.where(start == 10, -1, 1 - start % 2)
        assert part.labels.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("label", "text", "says"),
    [
        ("sort", LABELLED, r"there is no column sort; .*Give data.label=NAME"),
        ("kind", LABELLED.replace("s3,0,3,9", "s3,0,3,10"), "line 13: kind is 9, and 10 in a row"),
        ("kind", LABELLED.replace(",9\n", ",10\n"), "its series have only one class, 10"),
        ("kind", LABELLED.replace("s3,0,3,9", "s3,0,3,x").replace("s3,2,5,9", "s3,2,5,x"),
         "the class x has 1 series; it needs at least 3"),
    ],
)  # fmt: skip
def test_a_table_whose_classes_cannot_be_used(table, label, text, says):
    with pytest.raises(DataError, match=says):
        table(f"id,time,wave,kind\n{text}\n", label=label)
