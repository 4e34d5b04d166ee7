"""The experiments that measure, as a user runs them."""

import csv
import json

import pytest
from small_images import small_images

SMALL = (
    "model.channels=4",
    "data.eval_batch_size=1000",
    "trainer.threads=1",
    "trainer.figures=false",
    "hydra.run.dir=run",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return small_images(tmp_path_factory.mktemp("images"))


def rows_of(path):
    with path.open() as file:
        return [
            {name: float(v) if name != "mode" else v for name, v in row.items()}
            for row in csv.DictReader(file)
        ]


@pytest.mark.slow
def test_memory_scaling_is_a_line_for_direct_and_flat_for_the_adjoint(node_train, images, tmp_path):
    done = node_train("experiment=memory-scaling", *SMALL, *images, "study.steps=[2,4,8]")
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "run" / "memory-scaling.csv")
    kept = {
        mode: [row["saved_bytes"] for row in rows if row["mode"] == mode]
        for mode in ("direct", "full", "seminorm", "checkpointed")
    }
    assert kept["direct"][2] - kept["direct"][1] == 2 * (kept["direct"][1] - kept["direct"][0]) > 0
    assert kept["full"][0] == kept["full"][1] == kept["full"][2] == kept["seminorm"][0]
    assert [row["nfe_forward"] for row in rows[:3]] == [8, 16, 32]
    assert all(row["peak_bytes"] >= 0 for row in rows)
    assert (tmp_path / "run" / "figures" / "memory_scaling.png").exists()
    assert "| direct | 2 | 8 |" in (tmp_path / "run" / "memory-scaling.md").read_text()
    assert "memory-scaling.csv" in done.stdout


@pytest.mark.slow
def test_gradient_fidelity_finds_smaller_errors_at_smaller_tolerances(node_train, images, tmp_path):
    done = node_train(
        "experiment=gradient-fidelity", *SMALL, *images, "study.tolerances=[1e-1,1e-5]",
        "data.batch_size=4", "trainer.max_steps=3", "study.repeats=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "run" / "gradient-fidelity.csv")
    assert len(rows) == 8
    for loose, tight in zip(rows[::2], rows[1::2], strict=True):
        assert tight["error"] < loose["error"]
        assert tight["nfe_forward"] > loose["nfe_forward"]
        assert (tight["nfe_backward"] == 0) == (tight["mode"] == "direct")
    direct, checkpointed = rows[1], rows[7]
    assert checkpointed["error"] == pytest.approx(direct["error"], rel=1e-2)
    assert checkpointed["saved_bytes"] < direct["saved_bytes"]
    assert (tmp_path / "run" / "figures" / "gradient_fidelity.png").exists()


@pytest.mark.slow
def test_figure_3_of_the_paper_comes_from_a_real_run(node_train, images, tmp_path):
    done = node_train(
        "experiment=paper/figure-3", *SMALL, *images, "study.tolerances=[1e-1,1e-3,1e-5]",
        "trainer.max_epochs=2", "study.repeats=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "run" / "figure-3.csv")
    assert rows[0]["error"] > rows[1]["error"] > rows[2]["error"] > 0
    assert rows[0]["nfe_forward"] < rows[2]["nfe_forward"]
    assert all(row["nfe_backward"] > 0 for row in rows)
    assert (tmp_path / "run" / "figures" / "figure_3.png").exists()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_the_gradient_is_checked_during_training_where_asked(node_train, images, tmp_path):
    done = node_train(
        *SMALL, *images, "data.batch_size=8", "trainer.max_steps=4", "trainer.log_every=2",
        "adjoint=full", "adjoint.check_every=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(s) for s in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    errors = [s["gradient/relative_error"] for s in lines if "gradient/relative_error" in s]
    assert len(errors) == 2
    assert all(0 < error < 1 for error in errors)


def test_an_experiment_in_a_folder_is_found_by_its_path(node_train):
    done = node_train("experiment=paper/figure-33")
    assert done.returncode == 2
    assert "did you mean paper/figure-3?" in done.stderr
    assert "paper/figure-3" in node_train("--help").stdout
