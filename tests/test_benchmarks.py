"""The command that measures ours beside others."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from solving.problems import Network

from node_cli.solving import SolveSpec, compilation, solve

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"
ON_A_GPU = RUN.with_name("on_a_gpu.py")


@pytest.fixture
def script(monkeypatch):
    """Loads a script as a module."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(RUN.parent))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(RUN.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def run(script):
    return script("run")


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
    found = written(tmp_path)
    assert len(found["notes"]) == 2
    by_setting = {}
    for one in found["results"]:
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
        (["--compile", "graphs"], "--compile graphs are CUDA graphs; give --device cuda"),
        (["--compile", "off", "off"], "one of the ways is there twice"),
    ],
)
def test_what_cannot_be_is_refused_at_once(run, arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(RUN), *arguments])
    with pytest.raises(SystemExit) as stopped:
        run.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def written(folder):
    return json.loads((folder / "results.json").read_text())


def test_ours_takes_part_in_several_ways_at_once(run, script, monkeypatch, tmp_path):
    monkeypatch.setattr(compilation, "BACKEND", "eager")
    monkeypatch.setattr(compilation.done, "refused", {})
    plain = script("plain_solve")

    def small(given):
        yield plain.solving(plain.Problem(batch=3, dimension=2), True, **run._ours(given))

    monkeypatch.setitem(run.WORKS, "solve", small)
    monkeypatch.setattr(run, "_hold_to", lambda threads: None)
    words = ["--only", "solve", "--turns", "2", "--compile", "off", "step", "--peers"]
    monkeypatch.setattr(sys, "argv", [str(RUN), *words, "--out", str(tmp_path)])
    before = compilation.done.count
    try:
        run.main()
    finally:
        torch.set_default_device(None)
    assert compilation.done.count > before
    found = {one["contestant"]: one for one in written(tmp_path)["results"]}
    assert list(found) == ["ours", "torchdiffeq", "ours, compiled"]
    ours = found["ours"]["value"]
    for one in found.values():
        assert len(one["seconds"]) == 2
        assert one["difference"] == pytest.approx(abs(one["value"] - ours) / ours, abs=1e-12)
        assert one["difference"] < 1e-4
        assert one["peak"] is None


@pytest.mark.slow
def test_the_script_for_a_gpu_tells_what_fails_and_goes_on(tmp_path):
    """On a CPU, and without the examples that a work needs."""
    words = ["--device", "cpu", "--only", "cnf-2d", "solve", "--turns", "1", "--compile", "off"]
    words += ["--peers", "--tests", "tests/cuda/test_waiting.py", "--out", str(tmp_path)]
    command = [sys.executable, str(ON_A_GPU), *words]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=hidden)
    assert done.returncode == 1, done.stderr
    assert "not passed: cnf-2d" in done.stdout
    found = written(tmp_path)
    parts = {part["name"]: part for part in found["parts"]}
    assert {name: part["outcome"] for name, part in parts.items()} == {
        "tests": "passed",
        "cnf-2d": "failed",
        "solve": "passed",
        "memory": "left out",
        "losses": "passed",
    }
    assert "12 skipped" in parts["tests"]["said"][-1]
    assert "it needs --examples" in " ".join(parts["cnf-2d"]["said"])
    assert parts["memory"]["said"] == ["only torch on a GPU tells the peak memory of a step"]
    assert found["machine"]["torch"] == torch.__version__
    assert {"device", "CUDA", "jax", "diffrax", "torchdiffeq"} <= set(found["machine"])
    assert {one["contestant"] for one in found["results"]["solve"]} == {"ours", "torchdiffeq"}
    assert found["results"]["memory"] == []
    table = (tmp_path / "results.md").read_text()
    assert table.count("| solve |") == len(found["results"]["solve"]) + 1
    assert "| cnf-2d | failed |" in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "cuda"], "there is no GPU that torch can use; --device cpu"),
        (["--device", "cpu", "--out", str(RUN.parent)], "has files in it; give a new folder"),
        (["--device", "cpu", "--only", "cnf"], "invalid choice: 'cnf'"),
    ],
)
def test_what_the_script_for_a_gpu_cannot_do_is_said(script, arguments, said, monkeypatch, capsys):
    on_a_gpu = script("on_a_gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", [str(ON_A_GPU), *arguments])
    with pytest.raises(SystemExit) as stopped:
        on_a_gpu.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_preparations_leave_what_is_compiled_and_nothing_else(script, monkeypatch, tmp_path):
    on_a_gpu = script("on_a_gpu")
    words = ["--device", "cpu", "--out", str(tmp_path), "--only", "solve"]
    monkeypatch.setattr(sys, "argv", [str(ON_A_GPU), *words])
    part = on_a_gpu._steps(on_a_gpu._arguments(), "solve", 1.0)
    command = on_a_gpu._prepared(part, tmp_path).command
    differ = [pair for pair in zip(part.command, command, strict=True) if len(set(pair)) == 2]
    folders = (str(tmp_path / "solve"), str(tmp_path / "solve-prepared"))
    assert differ == [("3", "1"), folders]


def test_a_part_that_fails_or_does_not_end_is_told(script, tmp_path):
    on_a_gpu = script("on_a_gpu")
    python = [sys.executable, "-c"]
    fails = on_a_gpu.Part("fails", [*python, "print('first'); raise SystemExit('why')"], 100.0)
    endless = "import subprocess; subprocess.run(['sleep', '1000'])"
    stays = on_a_gpu.Part("stays", [*python, endless], 0.5)
    lasts = on_a_gpu.Part("lasts", [*python, "print('done')"], 100.0)
    on_a_gpu._run_together([fails, stays], tmp_path, os.environ)
    on_a_gpu._run_together([lasts], tmp_path, os.environ)
    assert (fails.outcome, sorted(fails.said)) == ("failed", ["exit code 1", "first", "why"])
    assert stays.outcome == "stopped"
    assert stays.said[-1] == "its limit is 0.5 s"
    assert (lasts.outcome, lasts.said) == ("passed", ["done"])


@pytest.mark.parametrize(
    ("difference", "outcome", "said"),
    [
        (1e-4, "passed", "at most 1.0e-04 from ours"),
        (0.5, "failed", "cnf-2d adjoint, 0.001/0.0001, diffrax: 5.0e-01 from ours"),
        (float("nan"), "failed", "nan from ours"),
    ],
)
def test_losses_that_differ_are_a_failure(script, difference, outcome, said):
    result = script("results").Result
    settings = {"adjoint": "full", "rtol": 1e-3, "atol": 1e-4}
    one = result("cnf-2d", settings, "diffrax", [1.0], (1.0, 1.0, 1.0), 1.0, 2.0, difference)
    part = script("on_a_gpu")._losses({"cnf-2d": [one], "memory": []})
    assert part.outcome == outcome
    assert said in part.said[0]


@pytest.mark.parametrize("mode", ["direct", "checkpointed", "full"])
def test_recorded_graphs_give_what_they_would_give(script, mode, monkeypatch):
    """With a record that runs the graph again, in the places of memory of a CUDA graph."""
    cuda_graphs = script("cuda_graphs")
    replays = []

    def record(function):
        outputs = function()

        def replay():
            replays.append(1)
            for old, new in zip(outputs, function(), strict=True):
                if isinstance(old, torch.Tensor):  # not what the field counts
                    old.copy_(new)

        return replay, outputs

    name = f"recorded-{mode}"
    cuda_graphs.register(name, inner="eager", record=record)
    monkeypatch.setattr(compilation.done, "refused", {})

    def losses(compiled):
        torch.manual_seed(0)
        field = Network()
        optimizer = torch.optim.SGD(field.parameters(), lr=0.01)
        y0 = torch.linspace(-1, 1, 10, dtype=torch.float64).view(5, 2)
        spec = SolveSpec(rtol=1e-6, atol=1e-7, adjoint=mode, compile=compiled)

        def step(number):
            optimizer.zero_grad()
            t = torch.tensor([0.0, 0.3, 1.0 + 0.1 * number], dtype=torch.float64)
            loss = solve(field, y0, t, spec).values.square().sum()
            loss.backward()
            optimizer.step()
            return loss.item()

        return [cuda_graphs.as_graphs(step, name)(number) for number in range(5)]

    plain = losses("off")
    assert not replays
    assert losses("step") == pytest.approx(plain, rel=1e-10)
    assert len(replays) > 10
    assert cuda_graphs.refused == []
    assert compilation.BACKEND == "inductor"


def test_a_graph_that_cannot_be_recorded_runs_as_it_is(script):
    cuda_graphs = script("cuda_graphs")

    def record(function):
        raise RuntimeError("no stream\nmore")

    graphs = cuda_graphs.RecordedGraphs(lambda x: [2 * x], record)
    for number in range(3):
        (found,) = graphs(torch.full((2,), float(number)))
        assert found.tolist() == [2.0 * number] * 2
    assert cuda_graphs.refused == ["no stream"]
