"""``debug=profile``: a trace of training steps in the run folder."""

import gzip
import json

from node_cli.training import profiling

TINY = (
    "task=cnf-2d",
    "model.width=4",
    "model.hidden=4",
    "solver=rk4",
    "data.batch_size=16",
    "data.batches=20",
    "data.validation=20",
    "data.test=20",
    "trainer.figures=false",
    "trainer.threads=1",
)


def steps_in(trace):
    with gzip.open(trace) as file:
        events = json.load(file)["traceEvents"]
    return sum(event.get("name", "").startswith("ProfilerStep#") for event in events)


def test_steps_are_recorded_and_what_was_recorded_stays(node_train, tmp_path, monkeypatch):
    monkeypatch.setattr(profiling, "LEFT_OUT", 2)
    monkeypatch.setattr(profiling, "RECORDED", 1)
    done = node_train(*TINY, "debug=profile", "trainer.max_steps=4", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    trace = tmp_path / "run" / "profile" / "after_step_0.json.gz"
    assert f"profile      {trace}" in done.stdout.replace("\n", "")
    assert steps_in(trace) == 1
    assert "aten::" in trace.with_name("after_step_0.txt").read_text()
    before = trace.read_bytes()
    rest = node_train("trainer.resume=run", "trainer.max_steps=8")
    assert rest.returncode == 0, rest.stderr
    assert trace.read_bytes() == before
    assert steps_in(trace.with_name("after_step_4.json.gz")) == 1


def test_nothing_is_recorded_unless_it_is_asked_for(node_train, tmp_path):
    done = node_train(*TINY, "trainer.max_steps=2", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run" / "profile").exists()


def test_a_run_that_is_too_short_says_so(node_train, tmp_path):
    done = node_train(*TINY, "debug=profile", "trainer.max_steps=2", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert "nothing was profiled: the first 4 steps are left out" in done.stdout
