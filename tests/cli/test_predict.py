"""node-predict: its numbers are those of the run's own evaluation, whatever the task."""

import gzip
from contextlib import chdir

import numpy as np
import pytest
import torch
from PIL import Image
from predictions import final, table, write_table

from node_cli.errors import ConfigError, DataError
from node_cli.flow_cli import node_flow
from node_cli.notebook import load
from node_cli.tasks.images.mnist import MINI_FOLDER
from node_cli.training.trained import trained_run

IMAGES = MINI_FOLDER / "t10k-images-idx3-ubyte.gz"
LABELS = MINI_FOLDER / "t10k-labels-idx1-ubyte.gz"


def idx(path, header):
    """The bytes of an IDX file behind its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def test_images_have_the_accuracy_and_the_loss_of_the_test(runs, node_predict, tmp_path):
    run = runs("images")
    done = node_predict(run, IMAGES, "-o", "out.csv", "--device", "cpu")
    assert (done.returncode, done.stdout) == (0, "1000 rows in out.csv\n"), done.stderr
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    found, labels = table(tmp_path / "out.csv"), idx(LABELS, 8)
    probabilities = np.stack([found[f"p({digit})"] for digit in range(10)], axis=1)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.array_equal(found["class"], probabilities.argmax(axis=1))
    assert (found["class"] == labels).mean() == final(run)["accuracy/test"]
    loss = -np.log(probabilities[np.arange(1000), labels]).mean()
    assert loss == pytest.approx(final(run)["loss/test"], rel=1e-6)


def test_images_of_all_kinds_of_files_give_the_same(runs, node_predict, tmp_path):
    run, pixels = runs("images"), idx(IMAGES, 16).reshape(-1, 28, 28)[:3]
    plain = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes()
    (tmp_path / "plain-idx3-ubyte").write_bytes(plain)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(plain))
    np.save(tmp_path / "bytes.npy", pixels)
    np.save(tmp_path / "last.npy", pixels[..., None].astype(np.int64))
    np.save(tmp_path / "floats.npy", pixels[:, None] / 255)
    (tmp_path / "folder" / "b").mkdir(parents=True)
    for name, image in zip(("a.png", "b/c.png", "d.PNG"), pixels, strict=True):
        Image.fromarray(image).save(tmp_path / "folder" / name)
    Image.fromarray(pixels[1]).convert("RGB").save(tmp_path / "folder" / "b" / "c.png")
    (tmp_path / "folder" / ".hidden").write_text("")
    kinds = ("plain-idx3-ubyte", "packed.gz", "bytes.npy", "last.npy", "floats.npy", "folder")
    tables = []
    for number, name in enumerate(kinds):
        done = node_predict(run, name, "-o", f"{number}.csv", "--device", "cpu")
        assert done.returncode == 0, done.stderr
        tables.append(table(tmp_path / f"{number}.csv"))
    assert tables[-1].pop("image").tolist() == ["a.png", "b/c.png", "d.PNG"]
    for other in tables[1:]:
        assert list(other) == list(tables[0])
        assert all(np.allclose(other[name], tables[0][name], atol=1e-6) for name in other)
    single = node_predict(run, "folder/a.png", "-o", "-", "--device", "cpu")
    assert single.stdout.startswith("image,class,p(0),")
    assert len(single.stdout.splitlines()) == 2
    assert single.stderr == ""


def examples(run):
    """Those of the test of a run."""
    return trained_run(run).task.loaders(torch.device("cpu")).test.examples


def columns(values):
    """Coordinates by the names that they have where a file does not name them."""
    return {f"x{number}": column for number, column in enumerate(values.double().t().tolist(), 1)}


def test_points_have_the_accuracy_and_the_loss_of_the_test(runs, node_predict, tmp_path):
    run = runs("concentric")
    x, shell = examples(run)
    write_table(tmp_path / "points.csv", columns(x))
    assert node_predict(run, "points.csv", "-o", "out.csv", "--device", "cpu").returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    found, shell = table(tmp_path / "out.csv"), shell.numpy()
    right = (found["class"] == "shell") == (shell > 0)
    assert right.mean() == pytest.approx(final(run)["accuracy/test"])
    loss = ((found["answer"] - (2 * shell - 1)) ** 2).mean()
    assert loss == pytest.approx(final(run)["loss/test"], rel=1e-6)
    refused = node_predict(run, "out.csv", "-o", "x.csv")
    assert refused.returncode == 1


def test_heights_have_the_errors_of_the_test(runs, node_predict, tmp_path):
    run = runs("ball")
    test = examples(run)
    times, truth = test.times.double().numpy(), test.truth.double().numpy()
    write_table(tmp_path / "times.csv", {"time": times})
    assert node_predict(run, "times.csv", "-o", "out.csv", "--device", "cpu").returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    found = table(tmp_path / "out.csv")
    assert np.allclose(found["time"], times, rtol=1e-14)
    window = trained_run(run).config.data.window
    for name, there in (("inside", times <= window), ("beyond", times > window)):
        error = np.sqrt(((found["height"] - truth)[there] ** 2).mean())
        assert error == pytest.approx(final(run)[f"rmse_{name}/test"], rel=1e-5)


def test_heights_at_times_that_the_command_line_names(runs, node_predict, tmp_path):
    run = runs("ball")
    done = node_predict(run, "-o", "-", "--times", "0:1:0.25", "--device", "cpu")
    assert [line.split(",")[0] for line in done.stdout.split()] == [
        "time", "0", "0.25", "0.5", "0.75", "1",
    ]  # fmt: skip
    assert node_predict(run, "-o", "a.npy", "--device", "cpu").returncode == 0
    evenly = np.load(tmp_path / "a.npy")
    assert evenly[0, 0] == 0
    assert evenly[-1, 0] == pytest.approx(1.5 * trained_run(run).config.data.window)
    np.save(tmp_path / "times.npy", np.array([0.5, 1.0]))
    assert node_predict(run, "times.npy", "-o", "b.npy", "--device", "cpu").returncode == 0
    by_list = node_predict(run, "-o", "c.npy", "--times", "0.5,1", "--device", "cpu")
    assert by_list.returncode == 0
    assert np.array_equal(np.load(tmp_path / "b.npy"), np.load(tmp_path / "c.npy"))


@pytest.mark.parametrize("family", ["table", "plane"])
def test_log_densities_have_the_likelihood_of_the_test(runs, node_predict, tmp_path, family):
    run = runs(family)
    names = ("a", "b") if family == "table" else ("x1", "x2")
    with chdir(run.parent):  # where the file of the table is
        points = examples(run).t().tolist()
    write_table(tmp_path / "points.csv", dict(zip(names, points, strict=True)))
    assert node_predict(run, "points.csv", "-o", "out.csv", "--device", "cpu").returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    found = table(tmp_path / "out.csv")["log_density"]
    assert -found.mean() == pytest.approx(final(run)["nll/test"], rel=1e-6)
    words = [run, tmp_path / "points.csv", "-o", tmp_path / "flow.npy"]
    assert node_flow(["log-density", *map(str, words)]) == 0
    assert np.allclose(np.load(tmp_path / "flow.npy"), found, atol=1e-5)


def test_samples_are_those_of_node_flow(runs, node_predict, tmp_path):
    run = runs("table")
    words = ("--samples", 30, "--seed", 4, "--device", "cpu", "--batch-size", 7)
    assert node_predict(run, "-o", "out.npy", *words).returncode == 0
    words = [run, "-n", 30, "--seed", 4, "-o", tmp_path / "flow.npy"]
    assert node_flow(["sample", *map(str, words)]) == 0
    assert np.allclose(np.load(tmp_path / "out.npy"), np.load(tmp_path / "flow.npy"))


def test_the_same_from_python(runs, node_predict, tmp_path):
    run = runs("ball")
    frame = load(run).predict(times=[0.0, 0.5, 1.0], device="cpu")
    assert node_predict(run, "-o", "a.csv", "--times", "0:1:0.5", "--device", "cpu").returncode == 0
    assert list(frame.columns) == ["time", "height"]
    found = table(tmp_path / "a.csv")
    assert np.allclose(frame["height"], found["height"], rtol=1e-14)
    np.save(tmp_path / "images.npy", np.zeros((2, 28, 28), np.uint8))
    frame = load(runs("images")).predict(tmp_path / "images.npy", batch_size=1, device="cpu")
    assert frame["class"].tolist() == [frame["class"][0]] * 2
    assert np.allclose(frame.filter(like="p(").sum(axis=1), 1)
    with pytest.raises(DataError, match="times: 1 does not come after 2"):
        load(run).predict(times=[2, 1])
    with pytest.raises(ConfigError, match="must be one of auto, cpu"):
        load(run).predict(times=[1, 2], device="gpu")


def test_a_row_without_a_density_is_told(runs, node_predict, tmp_path):
    (tmp_path / "points.csv").write_text("a,b\n0,1\n1e300,0\n")
    done = node_predict(runs("table"), "points.csv", "-o", "out.csv", "--device", "cpu")
    assert done.returncode == 0
    assert done.stderr.startswith("1 of 2 rows have no finite number, the first of them row 1 ")
    near, far = table(tmp_path / "out.csv")["log_density"]
    assert np.isfinite(near)
    assert far == -np.inf
