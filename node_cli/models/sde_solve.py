"""Where a model solves its SDE: with the run's solver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from node_cli.solving.field_result import FieldError
from node_cli.solving.sde import DrivingPath, Sde, SdeSolution, SdeSpec, solve_sde
from node_cli.source_place import at_place, place_of


class SdeSolve(nn.Module):
    r"""Solves :math:`dy = f(t, y)\, dt + g(t, y)\, dW` as the run's settings say.

    Args:
        spec: solver, steps and adjoint mode; ``Task.sde_spec`` is that of the run.
    """

    def __init__(self, spec: SdeSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(
        self,
        sde: Sde,
        y0: Tensor,
        times: Tensor | Sequence[float],
        path: int | DrivingPath,
        parameters: Iterable[Tensor] | None = None,
        path_kl: bool = False,
    ) -> SdeSolution:
        """A path from each state, in single precision or better.

        Args:
            sde: drift and diffusion, see ``node_cli.solving.sde.Sde``.
            y0: the states at the first time, ``[B, *S]``.
            times: increasing, of which the first is the initial one.
            path: the seed of the Brownian path: a pure function of the run's seed and of where the
                run is, see ``node_cli.data.path_seeds``; or a given path in its place, which gets
                gradients with ``adjoint=direct`` only.
            parameters: tensors that get gradients in every adjoint mode; by default those of
                ``sde`` where it is a module.
            path_kl: the KL divergence from the paths of the prior is wanted too.

        Raises:
            SolverError: the solve failed.
            FieldError: the weights are not known, and the adjoint mode needs them.
        """
        y0 = y0.to(torch.promote_types(y0.dtype, torch.float32))
        unknown = parameters is None and not isinstance(sde, nn.Module)
        if unknown and self.spec.adjoint != "direct" and torch.is_grad_enabled():
            raise FieldError(
                at_place(
                    place_of(sde),
                    "the SDE is no module, so that its weights are not known and get no gradient"
                    f" with adjoint={self.spec.adjoint}. Give a module, or parameters=..., which"
                    " are () where it has none.",
                )
            )
        return solve_sde(sde, y0, times, self.spec, path, parameters, path_kl)
