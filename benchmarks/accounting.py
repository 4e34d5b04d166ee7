"""What the accounting of a training step costs: counting, memory, TensorBoard and metrics.jsonl.

Usage:
    python benchmarks/accounting.py [OVERRIDE ...]

The same model is trained on the same batches twice, in turns of ten steps: by the training loop of
node-train, as its config says, and by four bare lines that call torchdiffeq and count nothing. The
losses must agree to the bit.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn
from torch.nn import functional
from torchdiffeq import odeint, odeint_adjoint

from node_cli.command_line.composition import validate_composed
from node_cli.models.ode_solve import ODEBlock
from node_cli.schema.location import conf_dir
from node_cli.schema.run import RunConfig
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.registry import find_task
from node_cli.training.interruption import StopRequest
from node_cli.training.loop import TrainingLoop
from node_cli.training.recorder import Recorder
from node_cli.training.terminal import Terminal

STEPS = 10  # of a turn; the loop logs once in it
TURNS = 12


class BareBlock(nn.Module):
    """An ODE block that calls torchdiffeq and nothing else."""

    def __init__(self, block: ODEBlock) -> None:
        super().__init__()
        self.field = block.field
        self.spec = block.solve.spec
        self.register_buffer("times", torch.tensor([0.0, block.solve.end_time]))

    def forward(self, y: Tensor) -> Tensor:
        solver = odeint if self.spec.adjoint == "direct" else odeint_adjoint
        spec = self.spec
        return solver(
            self.field, y, self.times, rtol=spec.rtol, atol=spec.atol, method=spec.method
        )[-1]


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {TURNS} turns of {STEPS}")
    print("| run | bare, s/step | node-train, s/step | overhead, median of turns |")
    print("|---|---|---|---|")
    # With torchdiffeq as the backend both do the same arithmetic; only the accounting differs.
    for overrides in (
        ["backend=torchdiffeq"],
        ["backend=torchdiffeq", "adjoint=full"],
        ["model=resnet"],
    ):
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            fixed = [
                "schedule=constant",
                "trainer.max_epochs=null",
                f"trainer.max_steps={STEPS * (TURNS + 1)}",
                f"trainer.overfit_batches={STEPS}",
            ]
            given = [*overrides, *fixed, *sys.argv[1:]]
            config = validate_composed(compose("config", given))
        bare, ours = compare(config)
        ratio = statistics.median(b / a for a, b in zip(bare, ours, strict=True))
        name = " ".join(overrides) or "the defaults"
        a, b = (statistics.median(turns) / STEPS for turns in (bare, ours))
        print(f"| `{name}` | {a:.3f} | {b:.3f} | {100 * (ratio - 1):+.1f} % |", flush=True)


def compare(config: RunConfig) -> tuple[list[float], list[float]]:
    """Seconds of each turn: bare, and in the training loop."""
    cpu = torch.device("cpu")
    task = find_task(config.task.name)(config)
    torch.manual_seed(config.seed)
    counted = task.build_model()
    plain = task.build_model()
    plain.load_state_dict(counted.state_dict())
    assert isinstance(plain, ImageClassifier)
    if isinstance(plain.depth, ODEBlock):
        plain.depth = BareBlock(plain.depth)
    batches = task.loaders(cpu).train
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    bare: list[float] = []
    ours: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Recorder(Path(folder))) as recorder,
        StopRequest() as stop,
    ):
        recorder.begin()
        terminal = Terminal("off")
        loop = TrainingLoop(config, task, counted, Path(folder), cpu, recorder, terminal, stop)
        loop._started = time.perf_counter()
        for turn in range(TURNS + 1):
            started = time.perf_counter()
            losses = []
            for index in range(STEPS):
                images, labels = batches.batch(0, index)
                optimizer.zero_grad()
                loss = functional.cross_entropy(plain(images), labels)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            between = time.perf_counter()
            loop.progress.batch = 0
            loop._train_epoch()
            ended = time.perf_counter()
            mean = loop.progress.epoch_sums.means()["loss/train"]
            assert mean == sum(losses) / STEPS, "the two must train alike"
            loop.progress.epoch_sums.clear()
            if turn:  # the first turn warms caches and allocators up
                bare.append(between - started)
                ours.append(ended - between)
    return bare, ours


if __name__ == "__main__":
    main()
