"""The command that measures ours beside others."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"


@pytest.fixture
def run(monkeypatch):
    """The script as a module."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(RUN.parent))
    yield importlib.import_module("run")
    for name in set(sys.modules) - before:
        if str(RUN.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.slow
def test_contestants_take_turns_at_the_same_work(tmp_path):
    """And what is missing is said, and the rest is measured."""
    asked = ["--only", "cnf-2d", "solve", "--quick", "--turns", "1", "--out", str(tmp_path)]
    broken = f"torchode={tmp_path / 'python'}"
    (tmp_path / "python").write_text(f"#!/bin/sh\nexec {sys.executable} -S -E $@\n")
    (tmp_path / "python").chmod(0o755)
    command = [sys.executable, str(RUN), *asked, "--peers", "torchode", "--python", broken]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert "cnf-2d is left out: it needs --examples" in done.stderr
    assert "torchode is left out of solve" in done.stderr
    written = json.loads((tmp_path / "results.json").read_text())
    assert len(written["notes"]) == 2
    by_setting = {}
    for one in written["results"]:
        assert len(one["seconds"]) == 1
        assert min(one["seconds"]) > 0
        by_setting.setdefault(str(one["settings"]), {})[one["contestant"]] = one
    assert len(by_setting) == 4
    for pair in by_setting.values():
        ours, theirs = pair["ours"], pair["torchdiffeq"]
        assert ours["value"] == pytest.approx(theirs["value"], rel=1e-3)
        ratio = theirs["seconds"][0] / ours["seconds"][0]
        assert theirs["relative"] == pytest.approx([ratio] * 3)
    assert {path.name for path in tmp_path.glob("*.png")} == {"beside.png"}
    assert (tmp_path / "results.md").read_text().count("| solve |") == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "cnf"], "invalid choice: 'cnf'"),
        (["--cpu-time", "--device", "cuda"], "says nothing of work on a GPU"),
        (["--python", "diffrax"], "--python: diffrax is not PEER=PATH"),
        (["--examples", "nowhere"], "--examples: nowhere has no cnf.py"),
    ],
)
def test_what_cannot_be_is_refused_at_once(run, arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(RUN), *arguments])
    with pytest.raises(SystemExit) as stopped:
        run.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
