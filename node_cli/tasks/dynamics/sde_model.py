"""An SDE whose drift and diffusion are learned."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from node_cli.methods import Calculus, Noise
from node_cli.models.mlp_field import MlpField, Perceptron
from node_cli.models.model_with_units import ModelWithUnits
from node_cli.models.sde_solve import SdeSolve
from node_cli.solving.sde import SdeSpec
from node_cli.tasks.dynamics.stochastic_schema import SdeConfig

_SMALLEST = 1e-4  # diffusion, so that no likelihood is infinite


class SdeModel(ModelWithUnits):
    r""":math:`dx = f(t, x)\, dt + g(x)\, dW` of D values.

    The diffusion is diagonal, and that of a value depends on it alone, as solvers beyond Euler's
    need it.

    Args:
        config: the ``model`` group.
        dimensions: D.
        spec: how the run solves.
    """

    def __init__(self, config: SdeConfig, dimensions: int, spec: SdeSpec) -> None:
        super().__init__()
        self.calculus: Calculus = config.calculus
        self.noise: Noise = config.noise
        self.noise_size = dimensions
        self._drift = MlpField(dimensions, config.hidden, config.activation, config.time)
        if config.noise == "additive":
            self._constant: nn.Parameter | None = nn.Parameter(torch.zeros(dimensions))
        else:
            self._constant = None
            self._diffusions = nn.ModuleList(
                Perceptron(1, config.hidden, 1, config.activation) for _ in range(dimensions)
            )
        self.solve = SdeSolve(spec)

    def forward(self, first: Tensor, times: Tensor, path_seed: int) -> Tensor:
        """A path from each state.

        Args:
            first: states at the first time, ``[B, D]``.
            times: increasing, ``[W]``.
            path_seed: of the Brownian paths.

        Returns:
            ``[B, W, D]``.
        """
        solution = self.solve(self, first, times, path_seed)
        values: Tensor = solution.values
        return values.transpose(0, 1)

    def sampled(
        self, first: Tensor, start: Tensor, elapsed: Tensor, samples: int, path_seed: int
    ) -> Tensor:
        """Paths from each state, at times of its own.

        One solve goes over all of these times; with one sample and the same times for all states
        it is that of ``forward``.

        Args:
            first: states at the first times, ``[B, D]``.
            start: these times, ``[B]``.
            elapsed: times since then, none below 0, ``[B, W]``.
            samples: K, of each state.
            path_seed: of the Brownian paths.

        Returns:
            ``[K, B, W, D]``.
        """
        times, places = torch.unique(elapsed, return_inverse=True)
        if float(times[0]) > 0:
            times, places = torch.cat((times.new_zeros(1), times)), places + 1
        if len(times) == 1:  # a solve goes on from there
            times = torch.cat((times, times + 1))
        later = _Later(self, start.repeat(samples).unsqueeze(1))
        solution = self.solve(later, first.repeat(samples, 1), times, path_seed, ())
        paths = solution.values.unflatten(1, (samples, len(first))).permute(1, 2, 0, 3)
        wide = places.unsqueeze(-1).expand(samples, -1, -1, paths.shape[-1])
        return torch.gather(paths, 2, wide)

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        """f, ``[B, D]``, at times ``[]`` or ``[B, 1]``."""
        drift: Tensor = self._drift(t, y)
        return drift

    def ito_drift(self, t: Tensor, y: Tensor) -> Tensor:
        r"""The drift of the same SDE in the sense of Itô, ``[B, D]``.

        .. math:: f_I = f_S + \tfrac12 g\, \frac{\partial g}{\partial x}

        Args:
            t: times, ``[]`` or ``[B, 1]``.
            y: states, ``[B, D]``.
        """
        drift = self.drift(t, y)
        if self.calculus == "ito" or self.noise == "additive":
            return drift
        trained = torch.is_grad_enabled()
        with torch.enable_grad():
            at = y.detach().requires_grad_()
            scales = self.scales(at)  # that of a value depends on it alone
            (slopes,) = torch.autograd.grad(scales.sum(), at, create_graph=trained)
        return drift + 0.5 * scales * slopes

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        """g: ``[B, D]`` for diagonal noise, the matrix ``[B, D, D]`` for additive."""
        scales = self.scales(y)
        return scales if self.noise == "diagonal" else torch.diag_embed(scales)

    def scales(self, y: Tensor) -> Tensor:
        """The diagonal of g, positive, ``[B, D]``."""
        if self._constant is not None:
            raw = self._constant.expand_as(y)
        else:
            parts = zip(self._diffusions, y.split(1, dim=-1), strict=True)
            raw = torch.cat([perceptron(value) for perceptron, value in parts], dim=-1)
        return functional.softplus(raw) + _SMALLEST

    def surprise(self, t: Tensor, y: Tensor, later: Tensor, step: Tensor) -> Tensor:
        r"""The negative log-likelihood of an increment by Euler and Maruyama, a value of a state.

        With Itô's drift f it is

        .. math:: \tfrac12 \left(\frac{(x' - x - f h)^2}{g^2 h} + \log 2 \pi g^2 h\right)

        Args:
            t: when it begins, ``[B]``.
            y: the states x there, ``[B, D]``.
            later: the states x' after it, ``[B, D]``.
            step: its length h, ``[B]``.

        Returns:
            ``[B, D]``.
        """
        h = step.unsqueeze(-1)
        variance = self.scales(y).square() * h
        missed = later - y - self.ito_drift(t.unsqueeze(-1), y) * h
        return 0.5 * (missed.square() / variance + variance.log() + math.log(2 * math.pi))


class _Later:
    """The same SDE for states whose time 0 is another each, ``[B, 1]``."""

    def __init__(self, sde: SdeModel, start: Tensor) -> None:
        self._sde, self._start = sde, start
        self.calculus, self.noise, self.noise_size = sde.calculus, sde.noise, sde.noise_size

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        return self._sde.drift(self._start + t, y)

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        return self._sde.diffusion(t, y)
