"""What an SDE is made of."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from node_cli.methods import Calculus, Noise


@runtime_checkable
class Sde(Protocol):
    r"""The SDE :math:`dy = f(t, y)\, dt + g(t, y)\, dW`.

    With ``diagonal`` noise, each value of a state ``[B, *S]`` has a Brownian motion of its own, and
    its diffusion depends on no other value. With the other kinds a state is ``[B, D]``, the
    Brownian motion has M channels, and there is an attribute ``noise_size`` that says M. It is 1,
    and need not be said, for ``scalar`` noise; for ``additive`` noise the diffusion does not depend
    on the state.

    Attributes:
        calculus: in which the integral is meant.
        noise: how the diffusion acts.
    """

    calculus: Calculus
    noise: Noise

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        """f, of the shape of ``y``; ``t`` is a scalar of its dtype."""
        ...

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        """g: of the shape of ``y`` for diagonal noise, else ``[B, D, M]``."""
        ...


@runtime_checkable
class PosteriorSde(Sde, Protocol):
    r"""One with a prior :math:`dy = h(t, y)\, dt + g(t, y)\, dW` of the same diffusion."""

    def prior_drift(self, t: Tensor, y: Tensor) -> Tensor:
        """h, of the shape of ``y``."""
        ...
