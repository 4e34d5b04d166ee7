"""What docs/predicting.md shows works as it stands there."""

import re
import runpy
import shlex
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from predictions import table

DOCS = Path(__file__).parents[2] / "docs" / "predicting.md"
TEXT = DOCS.read_text(encoding="utf-8").replace("\\\n", "")
SPRINGS, DRAW = (
    block
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    if block.startswith("import ")
)
(TRAIN,) = re.findall(r"^node-train (task=latent-series .*)$", TEXT, re.MULTILINE)
(PREDICT,) = re.findall(r"^node-predict (run new.csv .*)$", TEXT, re.MULTILINE)


@pytest.mark.slow
def test_the_springs_are_predicted_and_drawn(node_train, node_predict, tmp_path, monkeypatch):
    for name, text in (("springs", SPRINGS), ("draw", DRAW)):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delitem(sys.modules, "springs", raising=False)
    with chdir(tmp_path):
        runpy.run_path("springs.py", run_name="__main__")
    short = ("trainer.max_steps=1", "trainer.figures=false", "trainer.device=cpu")
    done = node_train(*shlex.split(TRAIN), *short)
    assert done.returncode == 0, done.stderr
    done = node_predict(*shlex.split(PREDICT))
    assert done.returncode == 0, done.stderr
    curves = table(tmp_path / "curves.csv")
    assert list(curves) == ["spring", "second", "cm", "cm_low", "cm_high"]
    assert len(curves["cm"]) == 3 * 131
    with chdir(tmp_path):
        runpy.run_path("draw.py")
    assert (tmp_path / "predicted_springs.png").stat().st_size > 10_000


def test_all_flags_are_explained(node_predict):
    flags = re.findall(r"--[a-z-]+", node_predict("--help").stdout)
    assert len(set(flags)) > 10
    untold = {"--help", "--debug", "--output", "--seed"}
    assert {flag for flag in flags if flag not in TEXT} <= untold


def test_the_commands_of_the_page_on_sdes(runs, node_predict, tmp_path):
    pytest.importorskip("torchsde")
    text = (DOCS.parent / "sde.md").read_text(encoding="utf-8")
    of_the_system, of_series = re.findall(r"`node-predict RUN (.*?)`", text)
    (tmp_path / "starts.csv").write_text("id,time,x\na,0,0.1\nb,0,-1\n")
    (tmp_path / "series.csv").write_text("id,time,x,y,z\na,0,1,2,20\n")
    for family, words, rows in (
        ("double-well", of_the_system, 2 * 101),
        ("lorenz", of_series, 61),
    ):
        done = node_predict(runs(family), *shlex.split(words))
        assert done.returncode == 0, done.stderr
        columns = table(tmp_path / "paths.csv")
        assert list(columns)[:5] == ["id", "time", "x", "x_low", "x_high"]
        assert len(columns["x"]) == rows
