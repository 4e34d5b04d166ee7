"""The device that a command is told to use."""

from __future__ import annotations

import torch

from node_cli.errors import ConfigError
from node_cli.schema.trainer import is_device


def device_named(name: str, option: str) -> torch.device:
    """The device of a name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Args:
        name: ``auto`` is the first CUDA device, or the CPU where there is none.
        option: by which the user named it, for messages.

    Raises:
        ConfigError: it is no such name, or torch does not see that device.
    """
    equals = "=" if "." in option else " "
    if not is_device(name):
        raise ConfigError(f"{option}{equals}{name}: must be one of auto, cpu, cuda, cuda:N.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"{option}{equals}{name}: torch sees {torch.cuda.device_count()} CUDA devices here."
            f" Use {option}{equals}cpu or auto."
        )
    return device
