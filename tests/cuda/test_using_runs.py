"""What a run on a GPU leaves is of use on the CPU, and the other way round."""

import json

import numpy as np
import pytest
import torch
from commands import run_here
from cuda.small_runs import words_of

import node_cli
from node_cli.flow_cli import node_flow
from node_cli.predict_cli import node_predict
from node_cli.report_cli import node_report

pytestmark = pytest.mark.cuda


def without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_classifier_trained_on_a_gpu_classifies_on_the_cpu(run_on):
    run = node_cli.load(run_on("cuda", *words_of("mnist-odenet")))
    model = run.model
    assert {weight.device.type for weight in model.state_dict().values()} == {"cpu"}
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = model(images)
        on_cuda = model.cuda()(images.cuda())
    # Convolutions outside of a run round to TF32.
    torch.testing.assert_close(on_cuda.cpu(), logits, rtol=0.02, atol=0.02)


def test_a_flow_gives_the_same_samples_and_densities_on_both(run_on, tmp_path, monkeypatch):
    run_on("cuda", *words_of("cnf-2d"), "evaluation.tolerance=1e-5")

    def used(name):
        for words in (
            ("sample", "cuda", "-n", "50", "-o", f"{name}.npy"),
            ("log-density", "cuda", "points.npy", "-o", f"{name}-scores.npy"),
        ):
            done = run_here(node_flow, words, tmp_path)
            assert done.returncode == 0, done.stderr
        return np.load(tmp_path / f"{name}.npy"), np.load(tmp_path / f"{name}-scores.npy")

    points = np.random.default_rng(0).normal(size=(40, 2)) / 2
    np.save(tmp_path / "points.npy", points)
    on_cuda = used("gpu")
    without_a_gpu(monkeypatch)
    on_cpu = used("cpu")
    for found, wanted in zip(on_cuda, on_cpu, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        density = node_cli.load(tmp_path / "cuda").model(torch.from_numpy(points)).log_density
    np.testing.assert_allclose(density, on_cpu[1], rtol=1e-4, atol=1e-4)


def test_predictions_are_the_same_on_both(run_on, tmp_path):
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0)).numpy()
    np.save(tmp_path / "images.npy", images)
    run = run_on("cuda", *words_of("mnist-odenet"))
    for device in ("cuda", "cpu"):
        words = (str(run), "images.npy", "-o", f"{device}.csv", "--device", device)
        done = run_here(node_predict, words, tmp_path)
        assert done.returncode == 0, done.stderr
    on_cuda, on_cpu = (
        np.genfromtxt(tmp_path / f"{device}.csv", delimiter=",", skip_header=1)[:, 1:]
        for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(on_cuda, on_cpu, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("task", ["mnist-odenet", "cnf-tabular", "latent-spirals"])
@pytest.mark.parametrize(("begun", "ended"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_goes_on_elsewhere(run_on, node_train, table, task, begun, ended):
    folder = run_on(begun, *words_of(task))
    words = (f"trainer.resume={folder}", f"trainer.device={ended}", "trainer.max_steps=6")
    done = node_train(*words)
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["steps"]) == ("finished", 6)
    assert (summary["device"] == "cpu") == (ended == "cpu")
    assert (summary["memory"]["device_peak_bytes"] is None) == (ended == "cpu")


def test_a_checkpoint_is_read_where_there_is_no_gpu(run_on, node_train, monkeypatch):
    folder = run_on("cuda", *words_of("latent-spirals"))
    without_a_gpu(monkeypatch)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    refused = node_train(f"trainer.resume={folder}", "trainer.max_steps=6")
    assert refused.returncode == 2
    assert "torch sees 0 CUDA devices here. Use trainer.device=cpu or auto." in refused.stderr
    words = (f"trainer.resume={folder}", "trainer.device=auto", "trainer.max_steps=6")
    done = node_train(*words)
    assert done.returncode == 0, done.stderr


def test_a_report_of_both(run_on, tmp_path):
    for device in ("cpu", "cuda"):
        run_on(device, *words_of("cnf-2d"))
    done = run_here(node_report, ("cpu", "cuda", "--output", "report"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cnf-2d" in (tmp_path / "report" / "report.md").read_text()
