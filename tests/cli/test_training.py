"""Whole runs of the real command."""

import json
import signal

import pytest
import torch
from commands import run_here
from runs import TINY, lines, numbers, same_weights, started, until_logged
from small_images import small_images
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from node_cli.cli import node_train as node_train_function


@pytest.mark.slow
def test_a_run_leaves_what_the_design_promises(node_train, run_folder):
    done = node_train(*TINY, "trainer.figures=true", "adjoint=on")
    assert done.returncode == 0, done.stderr
    folder = run_folder()
    *shown, where, look = done.stdout.splitlines()
    assert any(line.startswith("mnist-mini test accuracy") for line in shown)
    assert any(line.startswith("calibration_error/test") for line in shown)
    assert str(folder) in where
    assert f"tensorboard --logdir {folder}" in look

    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["data"] == "mnist-mini"
    assert summary["steps"] == 6
    assert summary["nfe"]["forward_mean"] == 2
    assert summary["nfe"]["backward_mean"] == 2
    assert summary["memory"]["saved_bytes_peak"] > 0
    assert summary["memory"]["rss_peak_bytes"] > 1e8
    assert "accuracy/test" in summary["final"]

    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"samples.png", "confusion_matrix.png", "nfe_per_epoch.png"} <= names
    assert (folder / ".hydra" / "config.yaml").exists()
    assert (folder / "node-train.log").read_text()
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"last.pt", "best.pt"}

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    promised = {
        "loss/train", "loss/val", "loss/test", "accuracy/train", "accuracy/val", "accuracy/test",
        "nfe/forward", "nfe/backward", "memory/saved_bytes", "memory/rss_peak_bytes",
        "solver/steps_accepted", "solver/steps_rejected", "time/step_seconds", "lr",
    }  # fmt: skip
    assert promised <= set(tags["scalars"])
    assert names <= {f"{tag}.png" for tag in tags["images"]}
    assert "config/text_summary" in tags["tensors"]
    written = [line for line in lines(folder) if "loss/train" in line]
    assert [line["step"] for line in written] == [2, 4, 6]
    for line in written:
        (event,) = [e for e in events.Scalars("loss/train") if e.step == line["step"]]
        assert event.value == pytest.approx(line["loss/train"], rel=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_to_the_bit(node_train, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        done = node_train(*TINY, f"hydra.run.dir={name}", f"seed={seed}")
        assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """The words of a run of a few epochs."""
    images = small_images(tmp_path_factory.mktemp("images"))
    return (*TINY, *images, "trainer.max_steps=200", "trainer.checkpoint_every=1000")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, longer):
    """A run that was not interrupted."""
    folder = tmp_path_factory.mktemp("run")
    done = run_here(node_train_function, [*longer, "hydra.run.dir=whole"], folder)
    assert done.returncode == 0, done.stderr
    return folder / "whole"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_resumes_to_the_same_numbers(
    node_train, longer, whole, tmp_path, number
):
    process = started(tmp_path, *longer, "hydra.run.dir=stopped")
    until_logged(tmp_path / "stopped", 5, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "trainer.resume=" in errors
    assert "Traceback" not in errors
    stopped = json.loads((tmp_path / "stopped" / "summary.json").read_text())
    assert stopped["status"] == "interrupted"
    assert 0 < stopped["steps"] < 200

    resumed = node_train("trainer.resume=stopped")
    assert resumed.returncode == 0, resumed.stderr
    assert numbers(tmp_path / "stopped") == numbers(whole)
    assert same_weights(tmp_path / "stopped", whole)
    summaries = [
        json.loads((run / "summary.json").read_text()) for run in (tmp_path / "stopped", whole)
    ]
    for key in ("status", "steps", "epochs", "best", "nfe"):
        assert summaries[0][key] == summaries[1][key]


@pytest.mark.slow
def test_a_run_goes_on_when_its_reader_is_gone(tmp_path):
    process = started(tmp_path, *TINY, "hydra.run.dir=run")
    assert process.stdout.readline() == "starting ...\n"
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_a_finished_run_can_be_made_longer(node_train, tmp_path):
    node_train(*TINY, "hydra.run.dir=run")
    done = node_train("trainer.resume=run", "trainer.max_steps=9")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 9


@pytest.mark.slow
def test_a_checkpoint_of_another_model_is_refused_and_kept(node_train, tmp_path):
    node_train(*TINY, "hydra.run.dir=run")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.pt"
    before = checkpoint.read_bytes()
    done = node_train("trainer.resume=run", "model.channels=8")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "model.channels=4 (now 8)" in line
    assert checkpoint.read_bytes() == before
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "finished"

    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "format": 999}, checkpoint)
    done = node_train("trainer.resume=run", "trainer.max_steps=9")
    assert done.returncode == 1
    assert "format 999" in done.stderr

    checkpoint.write_bytes(before[: len(before) // 2])
    done = node_train("trainer.resume=run", "trainer.max_steps=9")
    assert done.returncode == 1
    assert "is damaged" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "model=resnet model.blocks=2",
        "model=euler-net model.blocks=3",
        "model=rk-net solver=rk4 solver.step_size=0.5",
        "model.learn_time=true solver=dopri5",
        "model.stem=residual adjoint=seminorm solver=bosh3",
        "solver=scipy-RK45 adjoint=full",
        "optimizer=adamw optimizer.lr=1e-3 schedule=cosine schedule.warmup=0.3",
        "trainer.precision=bf16 trainer.clip_norm=1",
    ],
)
def test_the_variants_train(node_train, run_folder, words):
    other_solver = any(word.startswith("solver=") for word in words.split(" "))
    tiny = [word for word in TINY if not (other_solver and word.startswith("solver"))]
    done = node_train(*tiny, *words.split(" "))
    assert done.returncode == 0, done.stderr
    summary = json.loads((run_folder() / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert 0 <= summary["final"]["accuracy/test"] <= 1
