"""The studies on a GPU."""

import csv
import json

import pytest
from cuda.small_runs import words_of

pytestmark = pytest.mark.cuda


def rows_of(folder, study):
    with (folder / f"{study}.csv").open() as file:
        return list(csv.DictReader(file))


def test_memory_scaling_measures_the_device(run_on):
    words = (*words_of("mnist-odenet"), "data.batch_size=256", "study.steps=[2,16]")
    folder = run_on("cuda", "experiment=memory-scaling", *words)
    rows = rows_of(folder, "memory-scaling")
    peaks = {(row["mode"], int(row["steps"])): int(row["peak_bytes"]) for row in rows}
    kept = {(row["mode"], int(row["steps"])): int(row["saved_bytes"]) for row in rows}
    assert peaks["direct", 16] > 2 * peaks["direct", 2]
    assert peaks["full", 16] < 1.1 * peaks["full", 2]
    # The batch is kept too, and was there before.
    assert all(peaks[cell] > 0.9 * kept[cell] > 0 for cell in kept)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["memory"]["device_peak_bytes"] >= max(peaks.values())


def test_gradient_fidelity_finds_what_it_finds_on_the_cpu(run_on):
    words = (
        *words_of("cnf-2d"), "study=gradient-fidelity", "study.tolerances=[1e-1,1e-3]",
        "study.repeats=1",
    )  # fmt: skip
    found = [rows_of(run_on(device, *words), "gradient-fidelity") for device in ("cpu", "cuda")]
    for on_cpu, on_cuda in zip(*found, strict=True):
        assert (on_cuda["mode"], on_cuda["tolerance"]) == (on_cpu["mode"], on_cpu["tolerance"])
        for name in ("nfe_forward", "nfe_backward", "saved_bytes"):
            assert float(on_cuda[name]) == pytest.approx(float(on_cpu[name]), rel=0.2), name
        assert float(on_cuda["error"]) == pytest.approx(float(on_cpu["error"]), rel=0.5, abs=1e-5)


def test_figure_3(run_on):
    words = (
        *words_of("mnist-odenet"), "study=figure-3", "study.tolerances=[1e-1,1e-3,1e-5]",
        "study.repeats=1", "adjoint=full",
    )  # fmt: skip
    rows = rows_of(run_on("cuda", *words), "figure-3")
    errors = [float(row["error"]) for row in rows]
    assert errors[0] > errors[1] > errors[2] > 0
    assert int(rows[0]["nfe_forward"]) < int(rows[2]["nfe_forward"])
