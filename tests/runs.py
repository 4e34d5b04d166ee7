"""Small runs, and what their folders hold."""

import json

import torch

# The smallest run that goes through everything.
TINY = (
    "model.channels=4",
    "data.batch_size=16",
    "trainer.max_steps=6",
    "trainer.log_every=2",
    "trainer.threads=1",
    "trainer.figures=false",
    "solver=euler",
    "solver.step_size=0.5",
)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def numbers(folder):
    """Every logged scalar that does not depend on the machine."""
    varying = ("time/", "memory/rss")
    return [
        {tag: value for tag, value in line.items() if not tag.startswith(varying)}
        for line in lines(folder)
    ]


def weights(folder):
    content = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    return content["model"]


def same_weights(one, other):
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
