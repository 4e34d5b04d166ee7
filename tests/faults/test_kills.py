"""Killed runs come to the same end as undisturbed ones; ``kills.py`` kills any number of them."""

import pytest
from faults.kills import Kills
from faults.processes import ForkedProcesses
from faults.whole_runs import differences

TEN = (
    *(["mnist-odenet"] * 3),
    *(["cnf-tabular"] * 3),
    "cnf-2d",
    "latent-spirals",
    "sweep in turn",
    "sweep by joblib",
)


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    with ForkedProcesses() as processes:
        yield Kills(tmp_path_factory.mktemp("kills"), processes, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEN)
def test_a_killed_run_is_wholly_equal_to_one_that_nobody_disturbed(kills, name):
    outcome = kills.outcome(name)
    assert not outcome.faults, outcome


@pytest.mark.slow
def test_the_comparison_sees_a_line_or_a_picture_too_many(kills, tmp_path):
    reference = kills.reference("cnf-2d") / "run"
    run = tmp_path / "run"
    assert differences(reference, reference) == []
    for path in sorted(reference.rglob("*")):
        if path.is_file():
            copy = run / path.relative_to(reference)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join([*lines, lines[-1]]))
    (events,) = run.glob("events.out.*")
    (run / "events.out.tfevents.9999999999.again.1.0").write_bytes(events.read_bytes())
    (run / "checkpoints" / "best.pt").write_bytes(b"")
    (run / ".lock").touch()
    found = [fault.split()[0].rstrip(":") for fault in differences(run, reference)]
    assert found == ["files", "best.pt", "metrics.jsonl", "TensorBoard"]
