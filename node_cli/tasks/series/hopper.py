"""A hopper thrown into the air, simulated with MuJoCo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from node_cli.data.installed_package import installed, installed_file, not_installed
from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points
from node_cli.errors import DataError
from node_cli.tasks.series.collection import Collection
from node_cli.tasks.series.stream import Stream

if TYPE_CHECKING:
    from node_cli.tasks.series.schema import HopperConfig

_JOINTS = ("x", "z", "pitch", "waist", "hip", "knee", "ankle")


def simulate_hopper(config: HopperConfig, seed: int) -> Collection:
    """The hopper of dm_control's suite, as Rubanova et al. 2019 (section 4.2) made their data.

    It begins with x and z uniform in [0, 0.5], angles in [-2, 2] and velocities in [-5, 5], is not
    controlled, and falls. A point is the 7 positions and the 7 velocities after each step of the
    simulation, of 0.005 s. dm_control gives its model and is not imported.

    Raises:
        DataError: a package is not installed, or has another hopper.
    """
    path = installed_file(config.name, "dm-control", "dm_control", "suite/hopper.xml")
    try:
        import mujoco
    except ImportError as error:
        raise not_installed(config.name, "mujoco") from error
    model = _model(mujoco, path)
    parts = []
    for part, count in enumerate((config.series, config.validation, config.test)):
        stream = random_stream(seed, Stream.HOPPER, part)
        starts = torch.rand(count, 2 * len(_JOINTS), dtype=torch.float64, generator=stream)
        flights = (_trajectory(mujoco, model, u, config.points) for u in starts.numpy())
        parts.append([(str(number), flight) for number, flight in enumerate(flights)])
    source = (
        f"the hopper of dm_control's suite, Apache-2.0, from {installed('dm-control')}, simulated"
        f" with {installed('mujoco')}"
    )
    columns = [*_JOINTS, *(f"{joint} velocity" for joint in _JOINTS)]
    return Collection(columns, parts, source=source)


def _model(mujoco: Any, path: Path) -> Any:
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise DataError(f"{path}: MuJoCo cannot read this model ({error}).") from error
    if (model.nq, model.nv) != (len(_JOINTS), len(_JOINTS)):
        raise DataError(f"{path}: this hopper has {model.nq} joints; {len(_JOINTS)} were expected.")
    return model


def _trajectory(mujoco: Any, model: Any, uniform: np.ndarray, points: int) -> Points:
    """From numbers uniform in [0, 1] to times ``[P]`` in seconds and states ``[P, 14]``."""
    joints = len(_JOINTS)
    data = mujoco.MjData(model)
    data.qpos[:2] = 0.5 * uniform[:2]
    data.qpos[2:] = 4 * uniform[2:joints] - 2
    data.qvel[:] = 10 * uniform[joints:] - 5
    mujoco.mj_forward(model, data)
    states = np.empty((points, 2 * joints))
    for point in range(points):
        states[point, :joints], states[point, joints:] = data.qpos, data.qvel
        mujoco.mj_step(model, data)
    return model.opt.timestep * np.arange(points), states
