"""From a checkpoint back into a model, an optimizer and a gradient scaler: all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from node_cli.errors import CheckpointError
from node_cli.schema.optimizer import OptimizerConfig
from node_cli.training.checkpoint_content import brief
from node_cli.training.optimization import build_optimizer

_EXTRA = "_extra_state"  # torch's name of what a module keeps beside tensors


def restore_model(path: Path, model: nn.Module, saved: Mapping[str, Any]) -> None:
    """Load the weights of a checkpoint into a model.

    Args:
        path: of the checkpoint, for messages.
        model: takes the weights.
        saved: that ``read_checkpoint`` has passed.

    Raises:
        CheckpointError: names, shapes or kinds of number are others; the model is as it was.
    """
    own = model.state_dict()
    for name, value in own.items():
        if name == _EXTRA and name not in saved:
            continue  # an older version kept nothing beside the weights
        if name not in saved:
            raise _unfit(path, f"it has no {name}")
        if isinstance(value, Tensor) and isinstance(saved[name], Tensor):
            _compare(path, name, saved[name], value)
        elif not _alike(saved[name], value):
            raise _unfit(path, f"{name} is of another kind")
    foreign = saved.keys() - own.keys()
    if foreign:
        raise _unfit(path, f"the model has no {brief(min(foreign))}")
    model.load_state_dict(saved, strict=False)  # all was compared


def restore_optimizer(
    path: Path,
    optimizer: torch.optim.Optimizer,
    config: OptimizerConfig,
    saved: Mapping[str, Any],
) -> None:
    """Load the moments of a checkpoint into an optimizer, which keeps its own settings.

    Args:
        path: of the checkpoint, for messages.
        optimizer: that of ``config``; takes the moments.
        config: the ``optimizer`` group.
        saved: that ``read_checkpoint`` has passed.

    Raises:
        CheckpointError: they are those of other weights or another optimizer, which is as it was.
    """
    groups = optimizer.state_dict()["param_groups"]
    if [group["params"] for group in saved["param_groups"]] != [g["params"] for g in groups]:
        raise _unfit(path, "its optimizer had other weights")
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    sample = _state_of_one_weight(config)
    for number, state in saved["state"].items():
        if not 0 <= number < len(weights):
            raise _unfit(path, "its optimizer had other weights")
        if not state:
            continue
        for name, value in sample.items():
            kept = state.get(name)
            if not isinstance(kept, Tensor):
                raise _unfit(path, f"its optimizer has no {name}, which {config.name} needs")
            _compare(
                path, f"the optimizer's {name}", kept, weights[number] if value.dim() else value
            )
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})


def restore_scaler(path: Path, scaler: torch.amp.GradScaler, saved: Mapping[str, Any]) -> None:
    """Load the state of a gradient scaler; a run that had none leaves it as it is.

    Raises:
        CheckpointError: it is no such state.
    """
    own = scaler.state_dict()
    if not own or not saved:
        return
    if saved.keys() != own.keys():
        raise _unfit(path, "its gradient scaler is another")
    scaler.load_state_dict(dict(saved))


def _state_of_one_weight(config: OptimizerConfig) -> dict[str, Tensor]:
    """What an optimizer keeps of each weight, as it shows after a step."""
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    optimizer = build_optimizer(config, [(1.0, [weight])])
    optimizer.step()
    return dict(optimizer.state[weight])


def _compare(path: Path, name: str, saved: Tensor, own: Tensor) -> None:
    if saved.shape != own.shape:
        raise _unfit(
            path, f"{name} has the shape {list(saved.shape)}, where {list(own.shape)} is needed"
        )
    if saved.is_floating_point() != own.is_floating_point():
        raise _unfit(path, f"{name} is of {saved.dtype}, where {own.dtype} is needed")


def _alike(one: object, other: object) -> bool:
    """Whether plain values are built alike, such as lists of as many texts."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return True


def _unfit(path: Path, finding: str) -> CheckpointError:
    return CheckpointError(
        f"{path} does not fit this run: {finding}. Use the version of node-cli that wrote it, or"
        " start anew."
    )
