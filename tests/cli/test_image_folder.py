"""Images of the user's own, on the command line: scikit-learn's digits, written as a folder."""

import csv

import numpy as np
import pytest
from PIL import Image
from runs import TINY, same_weights, weights


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("digits")
    found = load_digits()
    for place, (image, label) in enumerate(zip(found.images, found.target, strict=True)):
        if place < 300:
            path = folder / f"digit {label}" / f"{place}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray((image * 255 / 16).astype(np.uint8)).save(path)
    return folder


def words(folder, *more):
    return [*TINY, "data=image-folder", f"data.path={folder}", "data.size=16", *more]


def test_digits_train_and_a_run_in_two_parts_gives_the_same_numbers(
    node_train, node_predict, digits, tmp_path
):
    constant = "schedule=constant"
    more = ("trainer.figures=true", "trainer.keep_predictions=true", "hydra.run.dir=whole")
    whole = node_train(*words(digits, constant, *more))
    assert whole.returncode == 0, whole.stderr
    assert "data image-folder" in whole.stdout
    assert "300 images of 10 classes, 16x16, grey: " in whole.stdout
    check_predictions(node_predict, digits, tmp_path)
    assert weights(tmp_path / "whole")["head.4.weight"].shape == (10, 4)
    figures = {path.stem for path in (tmp_path / "whole" / "figures").iterdir()}
    assert {"samples", "confusion_matrix"} <= figures
    node_train(*words(digits, constant, "trainer.max_steps=3", "hydra.run.dir=half"))
    changed = next((digits / "digit 3").iterdir())
    before = changed.read_bytes()
    changed.write_bytes(next((digits / "digit 4").iterdir()).read_bytes())
    refused = node_train("trainer.resume=half", "trainer.max_steps=6")
    changed.write_bytes(before)
    assert refused.returncode == 1
    assert "belongs to a run on other data, which have changed since" in refused.stderr
    resumed = node_train("trainer.resume=half", "trainer.max_steps=6")
    assert resumed.returncode == 0, resumed.stderr
    assert same_weights(tmp_path / "whole", tmp_path / "half")


def check_predictions(node_predict, digits, tmp_path):
    """Of the folder's own files, read and enlarged as in training, without the folder."""
    folder = tmp_path / "asked"
    folder.mkdir()
    for number in (3, 7):
        path = next((digits / f"digit {number}").iterdir())
        (folder / f"{number}.png").write_bytes(path.read_bytes())
    done = node_predict("whole", folder, "-o", "answers.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["3.png", "7.png"]
    names = [name for name in rows[0] if name.startswith("p(")]
    assert names == [f"p(digit {number})" for number in range(10)]
    for row in rows:
        probabilities = [float(row[name]) for name in names]
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert row["class"] == f"digit {np.argmax(probabilities)}"
    with (tmp_path / "whole" / "predictions.csv").open() as file:
        assert len(list(csv.reader(file))) > 1
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "colours.png")
    refused = node_predict("whole", "colours.png", "-o", "x.csv")
    assert refused.returncode != 0
    assert "colours.png: this image is in colours, of 16x16 pixels; the run" in refused.stderr


def test_images_in_colours_set_the_channels(node_train, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(30):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(20, 17, 3), dtype=np.uint8)).save(path)
    done = node_train(
        *TINY, "data=image-folder", "data.path=images", "trainer.max_steps=1",
        "hydra.run.dir=run", "data.augment=true", "trainer.figures=true",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "run")["stem.0.weight"].shape == (4, 3, 3, 3)


def test_a_folder_is_needed(node_train):
    ended = node_train("data=image-folder")
    assert ended.returncode == 2
    assert "data=image-folder needs a folder: give data.path=FOLDER" in ended.stderr
