"""node-flow: what it is given wrong is told in one sentence, and leaves no file."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from node_cli.cli import node_train
from node_cli.flow_cli import node_flow

TINY = ["task=cnf-2d", "data.batch_size=16", "data.batches=2", "data.validation=20"]
TINY += ["data.test=20", "trainer.max_steps=1", "trainer.threads=1", "trainer.figures=false"]
TINY += ["solver=euler", "solver.step_size=0.5"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow") / "run"
    assert node_train([*TINY, f"hydra.run.dir={folder}"]) == 0
    return folder


def refused(capfd, folder, *words):
    """The one sentence with which a command line ends; nothing is left behind."""
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    code = node_flow(list(map(str, words)))
    shown = capfd.readouterr().err
    assert code in (1, 2), shown
    (line,) = shown.splitlines()
    assert line.startswith("node-flow: ")
    assert line.isprintable()
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    return line


def header(text, data=b"\0" * 32):
    text = text.encode("latin1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def shaped(shape, dtype="<f8", order="False"):
    return header(f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n")


POINTS = {
    "empty.npy": b"",
    "magic.npy": b"PK\x03\x04" + b"\0" * 60,
    "cut.npy": b"\x93NUMPY\x01\x00\xff",
    "huge.npy": shaped("(1000000000000, 2)"),
    "overflow.npy": shaped("(9223372036854775807, 9223372036854775807)"),
    "digits.npy": shaped(f"({'9' * 4000}, 2)"),
    "negative.npy": shaped("(-1, 2)"),
    "text_shape.npy": shaped("'ab'"),
    "object.npy": shaped("(2, 2)", "|O"),
    "structured.npy": shaped("(1, 2)", [("a", "<f8"), ("b", "<f8")]),
    "complex.npy": shaped("(1, 2)", "<c16"),
    "dtype.npy": shaped("(2, 2)", "nonsense"),
    "scalar.npy": shaped("()"),
    "flat.npy": shaped("(4,)"),
    "cube.npy": shaped("(1, 2, 2)"),
    "no_rows.npy": shaped("(0, 2)"),
    "three.npy": shaped("(1, 3)"),
    "code.npy": header("__import__('os').abort()\n"),
    "nested.npy": header("(" * 3000 + "\n"),
    "open.npy": header("{'descr': '''\n"),
    "nan.npy": shaped("(1, 2)")[:-32] + np.array([np.nan, 1.0]).tobytes(),
    "blank.csv": b"\n\n",
    "header.csv": b"x1,x2\n",
    "names.csv": b"a,b\n1,2\n",
    "ragged.csv": b"1,2\n3\n",
    "quotes.csv": b'"1,2\n3,4\n',
    "utf16.csv": "1,2\n".encode("utf-16"),
    "escape.csv": b"1,\x1b[31m\n2,3\n",
}


@pytest.mark.parametrize("name", POINTS)
def test_points_that_are_none_are_told(run, tmp_path, capfd, name):
    (tmp_path / name).write_bytes(POINTS[name])
    line = refused(capfd, tmp_path, "log-density", run, tmp_path / name, "-o", tmp_path / "o.csv")
    assert name in line


@pytest.mark.parametrize("dtype", [">f8", "<f2", "<i4", "|b1", "<u8", "<f4"])
def test_real_numbers_of_any_kind_are_points(run, tmp_path, dtype):
    values = np.asfortranarray(np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype))
    np.save(tmp_path / "points.npy", values)
    (tmp_path / "points.csv").write_bytes(b"\xef\xbb\xbfx1,x2\r\n0,1\r\n1,0\r\n1,1\r\n")
    for suffix in ("npy", "csv"):
        words = [
            "log-density",
            run,
            tmp_path / f"points.{suffix}",
            "-o",
            tmp_path / f"{suffix}.npy",
        ]
        assert node_flow([*map(str, words)]) == 0
    assert np.array_equal(np.load(tmp_path / "npy.npy"), np.load(tmp_path / "csv.npy"))


def test_too_many_samples_are_refused_before_they_are_drawn(run, tmp_path, capfd):
    words = ["sample", run, "-o", tmp_path / "o.csv", "-n"]
    assert "need 16000.0 GB of memory" in refused(capfd, tmp_path, *words, 10**12)
    assert "must be an integer" in refused(capfd, tmp_path, *words, 10**100)
    assert "must be an integer" in refused(capfd, tmp_path, *words, "9" * 5000)


def test_an_output_that_cannot_be_is_told(run, tmp_path, capfd):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "points.csv").write_text("1,2\n")
    sample = ["sample", run, "-n", 3, "-o"]
    assert "this is a folder" in refused(capfd, tmp_path, *sample, tmp_path / "folder.csv")
    assert "there is no folder" in refused(capfd, tmp_path, *sample, tmp_path / "no" / "o.csv")
    words = ["log-density", run, tmp_path / "points.csv", "-o", tmp_path / "points.csv"]
    assert "name another" in refused(capfd, tmp_path, *words)


def test_a_disk_that_is_full_leaves_no_half_file(run, tmp_path, capfd, monkeypatch):
    def full(file, values):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    line = refused(capfd, tmp_path, "sample", run, "-n", 3, "-o", tmp_path / "o.npy")
    assert "no space left" in line


def without(part):
    def change(content):
        del content[part]

    return change


def narrower(content):
    name = next(name for name, value in content["model"].items() if value.ndim == 2)
    content["model"][name] = content["model"][name][:1]


def misnamed(content):
    name = next(iter(content["model"]))
    content["model"]["other"] = content["model"].pop(name)


CHANGES = {
    "no weights": without("model"),
    "no config": without("config"),
    "weights of nothing": lambda content: content.update(model={}),
    "weights that are a list": lambda content: content.update(model=[1]),
    "settings that are a list": lambda content: content.update(config=[1]),
    "settings of nothing": lambda content: content.update(config={}),
    "an unknown setting": lambda content: content["config"].update(colour="red"),
    "another shape": narrower,
    "another name": misnamed,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_checkpoint_that_is_not_whole_is_told(run, tmp_path, capfd, what):
    content = torch.load(run / "checkpoints" / "best.pt", weights_only=True)
    CHANGES[what](content)
    (tmp_path / "checkpoints").mkdir()
    torch.save(content, tmp_path / "checkpoints" / "best.pt")
    line = refused(capfd, tmp_path, "sample", tmp_path, "-n", 3, "-o", tmp_path / "o.csv")
    assert str(Path("checkpoints") / "best.pt") in line
