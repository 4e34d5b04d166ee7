"""ODE blocks whose state holds more channels than the image that they are given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from node_cli.models.augmentation import augmented
from node_cli.models.ode_solve import ODEBlock
from node_cli.models.second_order import SecondOrderField
from node_cli.solving import SolveSpec
from node_cli.tasks.images.field import ImageField
from node_cli.tasks.images.normalization import group_norm
from node_cli.tasks.images.schema import OdeNetConfig, SonodeConfig


class AugmentedBlock(nn.Module):
    """Channels of zeros beside the others, and an ODE for all of them (Dupont et al. 2019).

    Args:
        config: the ``model`` group.
        spec: how the ODE is solved.
    """

    def __init__(self, config: OdeNetConfig, spec: SolveSpec) -> None:
        super().__init__()
        self._extra = config.augment_dim
        field = ImageField(config.channels + self._extra)
        self.block = ODEBlock(field, spec, config.T, config.learn_time)

    def forward(self, y: Tensor) -> Tensor:
        """The state at T, ``[N, channels + augment_dim, H, W]``, of ``[N, channels, H, W]``."""
        final: Tensor = self.block(augmented(y, self._extra, dim=1))
        return final


class SecondOrderBlock(nn.Module):
    r"""An ODE of second order, :math:`y'' = a(t, y, y')` (Norcliffe et al. 2020).

    The field of the ODE-Net gives the acceleration from positions and velocities. A convolution of
    the initial state gives the velocity at 0, which is 0 with ``velocity=zero``.

    Args:
        config: the ``model`` group.
        spec: how the ODE is solved.
    """

    def __init__(self, config: SonodeConfig, spec: SolveSpec) -> None:
        super().__init__()
        channels = self._channels = config.channels
        self.velocity: nn.Module | None = None
        if config.velocity == "learned":
            self.velocity = nn.Sequential(
                group_norm(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
            )
        field = SecondOrderField(ImageField(2 * channels, channels), dim=1)
        self.block = ODEBlock(field, spec, config.T, config.learn_time)

    def forward(self, y: Tensor) -> Tensor:
        """The positions at T, of the shape of ``y``, ``[N, channels, H, W]``."""
        if self.velocity is None:
            state = augmented(y, self._channels, dim=1)
        else:
            state = torch.cat((y, self.velocity(y)), dim=1)
        position: Tensor = self.block(state)[:, : self._channels]
        return position
