"""node-predict on series and trajectories: its numbers are those of the run's own evaluation."""

import shutil
from contextlib import chdir
from typing import NamedTuple

import numpy as np
import pytest
import torch
from predictions import final, series, table, write_table

from node_cli.notebook import load
from node_cli.tasks.series.autoregressive import predictable
from node_cli.tasks.series.observed import ROLES
from node_cli.training.trained import trained_run

CPU = torch.device("cpu")


class Rows(NamedTuple):
    """All points of the test of a run, in its order, as rows in the units of the file."""

    rows: dict
    examples: object
    scale: np.ndarray

    def chosen(self, kept, *names):
        kept = np.asarray(kept)
        return {name: np.array(self.rows[name])[kept] for name in names or self.rows}


def rows_of_the_test(run):
    used = trained_run(run)
    with chdir(run.parent):  # where the file is
        loaders = used.task.loaders(CPU)
    units, examples = used.model.units, loaders.test.examples
    names = [loaders.labels["id"][i] for i in examples.asked.nonzero()[:, 0].tolist()]
    if units.columns == ["up", "right"]:
        columns = series()
        places = [
            place
            for name in loaders.labels["id"]
            for place, other in enumerate(columns["id"])
            if other == name
        ]
        rows = {name: np.array(column)[places] for name, column in columns.items()}
    else:
        values = getattr(examples, "values", examples.truth)[examples.asked].double()
        rows = {"id": names, "time": examples.at[examples.asked].numpy()}
        rows |= dict(zip(units.columns, values.t().numpy(), strict=True))
    assert list(rows["id"]) == names
    return Rows(rows, examples, units.scale.numpy())


def mean_square(found, rows, kept, scale):
    names = [name for name in rows if name not in ("id", "time")]
    errors = [(found[n] - rows[n])[kept] / s for n, s in zip(names, scale, strict=True)]
    return np.mean(np.square(errors))


@pytest.fixture
def predicted(runs, node_predict, tmp_path):
    """What node-predict says, from some rows of the test, at the times of others."""

    def predicted(family, given, asked, *words):
        write_table(tmp_path / "given.csv", given)
        write_table(tmp_path / "asked.csv", {name: asked[name] for name in ("id", "time")})
        words = (
            "given.csv",
            "-o",
            "out.csv",
            "--times-file",
            "asked.csv",
            "--device",
            "cpu",
            *words,
        )
        done = node_predict(runs(family), *words)
        assert done.returncode == 0, done.stderr
        return table(tmp_path / "out.csv")

    return predicted


@pytest.mark.parametrize("family", ["latent", "spirals"])
def test_curves_have_the_errors_of_the_test(runs, predicted, tmp_path, family):
    run = runs(family)
    test = rows_of_the_test(run)
    there = test.examples.roles > 0
    roles = test.examples.roles[there].numpy()
    found = predicted(family, test.chosen(roles == ROLES["observed"]), test.rows)
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    first = list(test.rows)[2]
    assert list(found)[:5] == ["id", "time", first, f"{first}_low", f"{first}_high"]
    assert np.allclose(found["time"], test.rows["time"], rtol=1e-14)
    assert (found[f"{first}_low"] <= found[first]).all()
    assert (found[first] <= found[f"{first}_high"]).all()
    truth = dict(test.rows)
    truth |= dict(
        zip(list(truth)[2:], test.examples.truth[there].double().t().numpy(), strict=True)
    )
    truth = truth if family == "spirals" else test.rows
    compared = 0
    for name, number in ROLES.items():
        kept = roles == number
        if kept.any():
            error = mean_square(found, truth, kept, test.scale)
            tag = "mse_unseen/test" if name == "unseen" else f"rmse_{name}/test"
            known = final(run)[tag] ** (1 if name == "unseen" else 2)
            assert error == pytest.approx(known, rel=1e-5)
            compared += 1
    assert compared == (2 if family == "latent" else 4)


def test_a_recurrent_network_has_the_errors_of_the_test(runs, predicted, tmp_path):
    run = runs("rnn")
    test = rows_of_the_test(run)
    there = test.examples.roles > 0
    shown = (test.examples.roles == ROLES["observed"])[there].numpy()
    told = predictable(test.examples)[there].numpy()
    asked = test.chosen(told)
    found = predicted("rnn", test.chosen(shown), asked)
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    assert list(found) == ["id", "time", "up", "right"]
    for tag, kept, power in (("rmse_observed", shown, 2), ("mse_unseen", ~shown, 1)):
        error = mean_square(found, asked, kept[told], test.scale)
        assert error == pytest.approx(final(run)[f"{tag}/test"] ** power, rel=1e-5)


@pytest.mark.parametrize("family", ["trajectories", "pendulum"])
def test_trajectories_have_the_errors_of_the_test(runs, predicted, tmp_path, family):
    run = runs(family)
    test = rows_of_the_test(run)
    ids = np.array(test.rows["id"])
    first = [int(np.flatnonzero(ids == name)[0]) for name in dict.fromkeys(ids.tolist())]
    found = predicted(family, test.chosen(first), test.rows)
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    beyond = test.examples.beyond[test.examples.there].numpy()
    for name, kept in (("inside", ~beyond), ("beyond", beyond)):
        error = mean_square(found, test.rows, kept, test.scale)
        assert error == pytest.approx(final(run)[f"mse_{name}/test"], rel=1e-5)


def test_times_before_and_beyond_are_solved_from_the_first_state(runs, node_predict, tmp_path):
    """A field that does not know the time: going back from where it went leads to the start."""
    run = runs("pendulum")
    write_table(tmp_path / "start.csv", {"id": ["a"], "time": [1.0], "q": [0.4], "p_q": [0.1]})
    words = ("--device", "cpu", "--times")
    assert node_predict(run, "start.csv", "-o", "a.csv", *words, "0.5:2:0.5").returncode == 0
    found = table(tmp_path / "a.csv")
    assert found["time"].tolist() == [0.5, 1, 1.5, 2]
    assert (found["q"][1], found["p_q"][1]) == pytest.approx((0.4, 0.1), rel=1e-6)
    end = {"id": ["a"], "time": [2.0], "q": [found["q"][3]], "p_q": [found["p_q"][3]]}
    write_table(tmp_path / "end.csv", end)
    assert node_predict(run, "end.csv", "-o", "b.csv", *words, "0.5:2:0.5").returncode == 0
    back = table(tmp_path / "b.csv")
    for name in ("q", "p_q"):
        assert np.allclose(back[name], found[name], atol=2e-3)


def test_times_that_are_chosen_and_samples_that_are_drawn(runs, node_predict, tmp_path):
    run = runs("latent")
    write_table(tmp_path / "given.csv", series())
    for name, words in (
        ("few", ("--samples", 3, "--band", 0.5)),
        ("same", ("--samples", 3, "--band", 0.5)),
        ("other", ("--samples", 3, "--band", 0.5, "--seed", 1)),
        ("far", ("--horizon", 10)),
    ):
        done = node_predict(run, "given.csv", "-o", f"{name}.npy", "--device", "cpu", *words)
        assert done.returncode == 0, done.stderr
    few, same, other, far = (
        np.load(tmp_path / f"{name}.npy") for name in ("few", "same", "other", "far")
    )
    assert np.array_equal(few, same)
    assert not np.array_equal(few["up"], other["up"])
    assert few["id"][0] == "circle 0"
    columns = series()
    for name in ("circle 0", "circle 19"):
        own = [t for i, t in zip(columns["id"], columns["time"], strict=True) if i == name]
        times = few["time"][few["id"] == name]
        assert len(times) == 101
        assert times[0] == own[0]
        assert times[-1] == pytest.approx(own[-1] + (own[-1] - own[0]) / 2)
        assert far["time"][far["id"] == name][-1] == pytest.approx(own[-1] + 10)
    frame = load(run).predict(tmp_path / "given.csv", samples=3, band=0.5, device="cpu")
    assert np.allclose(frame["right_high"], few["right_high"], rtol=1e-12)
    assert frame["id"].tolist() == few["id"].tolist()


def test_a_run_predicts_without_its_data(runs, node_predict, tmp_path):
    """All that it needs is in the checkpoint, and columns may stand in another order."""
    for family in ("latent", "rnn", "trajectories"):
        run = runs(family)
        write_table(tmp_path / "given.csv", series())
        turned = {name: series()[name] for name in ("right", "time", "up", "id")}
        write_table(tmp_path / "turned.csv", turned)
        for name in ("given", "turned"):
            done = node_predict(run, f"{name}.csv", "-o", f"{name}.npy", "--times", "105,106")
            assert done.returncode == 0, done.stderr
        found, other = (np.load(tmp_path / f"{name}.npy") for name in ("given", "turned"))
        assert np.array_equal(found, other)


def test_a_checkpoint_from_before_units_were_kept(runs, node_predict, node_train, tmp_path):
    """The run's data, where they still are, tell them."""
    for family in ("latent", "trajectories"):
        run = tmp_path / family
        shutil.copytree(runs(family), run)
        for path in (run / "checkpoints").iterdir():
            content = torch.load(path, weights_only=True)
            del content["model"]["_extra_state"]
            torch.save(content, path)
        write_table(tmp_path / "series.csv", series())
        for name, of in (("old", run), ("new", runs(family))):
            words = (of, "series.csv", "-o", f"{name}.npy", "--times", "105,106")
            done = node_predict(*words, "--device", "cpu")
            assert done.returncode == 0, done.stderr
        old, new = (np.load(tmp_path / f"{name}.npy") for name in ("old", "new"))
        assert np.array_equal(old, new)
        done = node_train(f"trainer.resume={family}", "trainer.max_steps=5")
        assert done.returncode == 0, done.stderr
        (tmp_path / "series.csv").unlink()
