"""node-predict: what it is given wrong is told in one sentence, and nothing is lost."""

import shutil

import numpy as np
import pytest
from PIL import Image

IMAGES = {
    "empty.npy": (b"", "no whole .npy file"),
    "text.txt": (b"hello", "no file of images; give an IDX file"),
    "cut.gz": (b"\x1f\x8b", "cannot be unpacked"),
    "cut-idx3-ubyte": (b"\0\0\x08\x03\0\0", "its header of 3 dimensions"),
    "labels-idx1-ubyte": (b"\0\0\x08\x01\0\0\0\x01\x05", "an array of 1; the run was trained on"),
    "none.png": (b"\x89PNG", "no whole PNG file"),
}
ARRAYS = {
    "large": (np.zeros((2, 32, 32), np.uint8), "an array of 2 x 32 x 32; the run was trained on"
              " images of 28 x 28 pixels, grey"),
    "colours": (np.zeros((2, 3, 28, 28), np.uint8), "an array of 2 x 3 x 28 x 28"),
    "nothing": (np.zeros((0, 28, 28), np.uint8), "an array of 0 x 28 x 28"),
    "floats": (np.full((1, 28, 28), 7.0), "floats beyond 0 to 1"),
    "nan": (np.full((1, 28, 28), np.nan), "floats beyond 0 to 1"),
    "ones": (np.ones((1, 28, 28), np.uint8), "its brightest pixel is 1 of 255"),
    "whole": (np.full((1, 28, 28), 300), "its pixels are from 300 to 300"),
    "complex": (np.ones((1, 28, 28), complex), "it must hold real numbers"),
}  # fmt: skip
PICTURES = {
    "small": (Image.new("L", (20, 28)), "one of 28 x 20 pixels"),
    "red": (Image.new("RGB", (28, 28), "red"), "one in colours"),
    "clear": (Image.new("RGBA", (28, 28), (0, 0, 0, 9)), "transparent"),
    "deep": (Image.fromarray(np.zeros((28, 28), np.uint16)), "16 bits"),
}


def test_images_that_do_not_fit(runs, refused, tmp_path):
    run = runs("images")
    given = {**IMAGES}
    for name, (array, told) in ARRAYS.items():
        np.save(tmp_path / f"{name}.npy", array)
        given[f"{name}.npy"] = None, told
    for name, (picture, told) in PICTURES.items():
        picture.save(tmp_path / f"{name}.png")
        given[f"{name}.png"] = None, told
    (tmp_path / "folder").mkdir()
    given["folder"] = None, "there is no .png file in this folder"
    given["gone.npy"] = None, "there is no such file"
    for name, (content, _) in given.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    for name, (_, told) in given.items():
        line = refused(run, name, "-o", "out.csv")
        assert name in line
        assert told in line
    (tmp_path / "folder" / "notes.txt").write_text("x")
    assert "notes.txt is no .png file" in refused(run, "folder", "-o", "out.csv")


ROWS = {
    "a,b\n": "no row below it",
    "": "the file is empty",
    "1,2,3\n": "has 3 columns; the run's data have 2",
    "x,b\n1,2\n": "has the columns x, b; the run's data have a, b",
    "1,nan\n": "every value must be a finite number",
    "1,2\n3\n": "line 2",
}


@pytest.mark.parametrize("text", ROWS)
def test_rows_that_do_not_fit(runs, refused, tmp_path, text):
    (tmp_path / "rows.csv").write_text(text)
    line = refused(runs("table"), "rows.csv", "-o", "out.csv")
    assert "rows.csv" in line
    assert ROWS[text] in line


def test_flags_that_a_task_has_no_use_for(runs, refused, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n")
    flow, out = runs("table"), ("-o", "out.csv")
    line = refused(flow, "rows.csv", *out, "--times", "0:1:0.1")
    assert line == "--times: task=cnf-tabular predicts at no times; leave it out."
    assert "samples need no file" in refused(flow, "rows.csv", *out, "--samples", 3)
    assert refused(flow, *out).startswith("INPUT is missing")
    assert "so many samples need" in refused(flow, *out, "--samples", 10**13)
    line = refused(runs("concentric"), "rows.csv", *out, "--samples", 3)
    assert line == "--samples: task=concentric draws no samples; leave it out."


TIMES = {
    "0:1": "must be START:STOP:STEP",
    "0:1:0": "the step must be > 0",
    "1:0:0.1": "the step must be > 0 and the stop not before the start",
    "0:1:1e-9": "more than 1000000 times",
    "0,2,1": "1 does not come after 2",
    "0,0": "0 does not come after 0",
    "nan": "must be START:STOP:STEP",
    "0:inf:1": "must be START:STOP:STEP",
    "-1:1:0.5": "time -1: the flight of the ball is known from 0 on",
}
FILES = {
    "": "there is no time in it",
    "time\n": "there is no time in it",
    "time\n1\n0.5\n": "0.5 does not come after 1",
    "1\nx\n": "time 2 is no finite number",
    "1\nnan\n": "time 2 is no finite number",
    "1,2,3\n": "its lines have 3 values",
    "a,1\n": "there is one ball; give times without ids",
}


def test_times_that_are_none(runs, refused, tmp_path):
    ball = runs("ball")
    for text, told in TIMES.items():
        assert told in refused(ball, "-o", "out.csv", "--times", text)
    for text, told in FILES.items():
        (tmp_path / "times.csv").write_text(text)
        assert told in refused(ball, "-o", "out.csv", "--times-file", "times.csv")
    words = ("-o", "out.csv", "--times", "1", "--times-file", "times.csv")
    assert "not allowed with" in refused(ball, *words)


CSV = "id,time,up,right"
SERIES = {
    "": "INPUT given.csv",
    f"{CSV}\n": "no row below it",
    "id,time,up\na,1,2\n": "it has the columns up; the run's data have up, right",
    "id,time,up,left\na,1,2,3\n": "it has the columns up, left; the run's data have up, right",
    "name,time,up,right\na,1,2,3\n": "there is no column id",
    f"{CSV}\na,2,1,1\na,1,1,1\n": "an earlier time",
    f"{CSV}\na,nan,1,1\n": "the time is",
    f"{CSV}\na,1,1,one\n": "right is 'one'",
    f"{CSV}\na,1,,2\na,2,2,2\n": "up is missing at time 1",
    f"{CSV}\na,1,1,2\n": "series a has only the time 1",
}


@pytest.mark.parametrize("family", ["latent", "rnn", "trajectories"])
def test_series_that_do_not_fit(runs, refused, tmp_path, family):
    run = runs(family)
    for text, told in SERIES.items():
        (tmp_path / "given.csv").write_text(text)
        assert told in refused(run, "given.csv", "-o", "out.csv")
    assert "no such file" in refused(run, "gone.csv", "-o", "out.csv").lower()
    (tmp_path / "given.csv").write_text(f"{CSV}\na,1,1,2\na,2,2,2\n")
    for text, told in {
        "id,time\nb,1\n": "the file of times has the series b, and INPUT has not",
        "id,time\na,3\nb,1\n": "the file of times has the series b, and INPUT has not",
        "id,time\na,3\na,2\n": "2 does not come after 3",
    }.items():
        (tmp_path / "times.csv").write_text(text)
        words = ("given.csv", "-o", "out.csv", "--times-file", "times.csv")
        assert told in refused(run, *words)
    assert refused(run, "-o", "out.csv").startswith("INPUT is missing")


def test_what_a_recurrent_network_cannot_say(runs, refused, tmp_path):
    (tmp_path / "given.csv").write_text(f"{CSV}\na,1,1,2\na,2,2,2\n")
    words = (runs("rnn"), "given.csv", "-o", "out.csv")
    line = refused(*words, "--times", "1,1.5")
    assert "time 1 of series a: model=ode-rnn predicts from what it has seen before" in line
    assert "model=ode-rnn draws none" in refused(*words, "--samples", 3)
    words = (runs("trajectories"), *words[1:])
    assert "task=dynamics draws no samples" in refused(*words, "--samples", 3)


def test_runs_that_cannot_predict(runs, refused, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n")
    asked = ("rows.csv", "-o", "out.csv")
    assert "gone" in refused("gone", *asked)
    (tmp_path / "folder").mkdir()
    assert "this is not the folder of a run" in refused("folder", *asked)
    shutil.copytree(runs("table"), tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "best.pt").unlink()
    assert "has no best checkpoint yet" in refused("run", *asked)
    (tmp_path / "run" / "checkpoints" / "last.pt").write_bytes(b"half")
    assert "is damaged" in refused("run", *asked, "--checkpoint", "last")
    (tmp_path / "run" / "checkpoints" / "last.pt").unlink()
    assert "there is no checkpoint" in refused("run", *asked)


def test_outputs_that_cannot_be(runs, refused, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n")
    shutil.copytree(runs("table"), tmp_path / "run")
    given = {
        "out.txt": "must end in .csv or .npy",
        "no/out.csv": "there is no folder",
        "rows.csv": "which is read; name another",
        "run/predictions.csv": "whose files are not replaced; name another",
        "run/checkpoints/../predictions.csv": "whose files are not replaced; name another",
    }
    for output, told in given.items():
        assert told in refused("run", "rows.csv", "-o", output)
    (tmp_path / "folder.csv").mkdir()
    assert "this is a folder" in refused("run", "rows.csv", "-o", "folder.csv")


def test_the_last_checkpoint_and_another_place_of_the_input(runs, node_predict, tmp_path):
    (tmp_path / "rows.csv").write_text("1,2\n")
    words = ("-o", "out.csv", "--checkpoint", "last", "rows.csv", "--batch-size", 1)
    done = node_predict(runs("table"), *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").read_text().startswith("log_density\n")
