"""Models and optimizers with a state, and how states are compared."""

import torch

from node_cli.schema.optimizer import AdamConfig
from node_cli.training.optimization import build_optimizer

ADAM = AdamConfig(name="adam", lr=0.01, betas=(0.9, 0.999), weight_decay=0.0)


def trained(config=ADAM, inputs=3):
    model = torch.nn.Linear(inputs, 2)
    optimizer = build_optimizer(config, [(1.0, model.parameters())])
    model(torch.ones(1, inputs)).sum().backward()
    optimizer.step()
    return model, optimizer


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


class Named(torch.nn.Linear):
    """A module that keeps more than tensors."""

    columns = ("x", "y", "z")

    def get_extra_state(self):
        return {"columns": list(self.columns)}

    def set_extra_state(self, state):
        self.columns = tuple(state["columns"])
