"""An SDE that counts its evaluations, as torchsde calls it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.methods import Noise
from node_cli.solving.field_result import FieldError, described, name_of, refuse_misfit
from node_cli.solving.finiteness import refuse_not_finite
from node_cli.solving.saved_bytes_guard import SavedBytesGuard
from node_cli.solving.sde.sde import PosteriorSde, Sde
from node_cli.solving.sde.spec import SdeSpec
from node_cli.solving.stats import SolveStats
from node_cli.solving.told_time import at_time
from node_cli.source_place import at_place, place_of

_SMALLEST = 1e-7  # diffusion that the difference of two drifts is divided by


class CountedSde:
    r"""The SDE as one solve sees it, of packed states ``[B, D]``.

    Counts evaluations of drift and diffusion apart, as forward until ``backward_begins`` is called
    and as backward from then on; the drift of a prior is a drift. Within one step the same
    evaluation is asked for once: torchsde's srk asks for its first stages again and again. Its
    solve functions begin by evaluating both to see their shapes, which are checked here anyway;
    they are answered with zeros, ``answer_first_look``, and nothing is evaluated.

    With ``path_kl`` a state has one value more, the KL divergence from the prior so far,

    .. math:: d\,\mathrm{KL} = \tfrac12 |u|^2\, dt, \qquad g u = f - h.

    Args:
        sde: drift and diffusion.
        shape: of a state, ``[B, *S]``.
        dtype: of a state.
        device: of a state.
        spec: how it is solved.
        stats: where to count.
        guard: looks at what the forward solve keeps.
        path_kl: see above; the SDE needs a ``prior_drift``.
    """

    def __init__(
        self,
        sde: Sde,
        shape: torch.Size,
        dtype: torch.dtype,
        device: torch.device,
        spec: SdeSpec,
        stats: SolveStats,
        guard: SavedBytesGuard,
        path_kl: bool,
    ) -> None:
        # By these names torchsde asks for them.
        self.sde_type, self.noise_type = sde.calculus, sde.noise
        self._sde, self._shape, self._dtype, self._spec = sde, shape, dtype, spec
        self._prior = sde if path_kl and isinstance(sde, PosteriorSde) else None
        if path_kl and self._prior is None:
            raise FieldError(
                at_place(
                    place_of(sde),
                    f"the SDE {name_of(sde)} has no prior_drift(t, y), which its path's KL"
                    " divergence is taken from; add it, of the shape of y.",
                )
            )
        self.stats, self._guard = stats, guard
        self.channels = shape[1:].numel() if sde.noise == "diagonal" else _channels(sde)
        self._forward = True
        self._used = 0  # evaluations of this pass
        self._unseen: set[str] = set()  # what is not yet looked at first
        # Evaluations of this step, each with its state, which keeps the key from meaning another.
        self._known: dict[tuple[str, float, int, bool], tuple[Tensor, Tensor]] = {}
        self._autocast = (
            torch.autocast(device.type, dtype=torch.get_autocast_dtype(device.type))
            if torch.is_autocast_enabled(device.type)
            else None
        )

    @property
    def noise(self) -> Noise:
        """How the diffusion acts."""
        return self._sde.noise

    @property
    def unused_channels(self) -> int:
        """Of the Brownian motion that torchsde wants: that of the KL, which has no noise."""
        return int(self._prior is not None and self.noise == "diagonal")

    def answer_first_look(self) -> None:
        """The next question for each of drift and diffusion is about shapes only."""
        self._unseen = {"f", "g"}

    def backward_begins(self) -> None:
        """From now on, evaluations and steps belong to a backward pass."""
        self.forget()
        self._forward = False
        self._used = 0

    def forget(self) -> None:
        """A step begins, or the solve is over."""
        self._known = {}

    def f(self, t: Tensor, y: Tensor) -> Tensor:
        """The drift of a packed state, of its shape."""
        if "f" in self._unseen:
            self._unseen.remove("f")
            return torch.zeros_like(y)
        if self._prior is None:
            return self._once("f", t, y, self._drift)
        f = self._once("f", t, y, self._drift)
        h = self._once("h", t, y, self._prior_drift)
        rate = self._kl_rate(f - h, self._once("g", t, y, self._diffusion))
        return torch.cat((f, rate), dim=1)

    def g(self, t: Tensor, y: Tensor) -> Tensor:
        """The diffusion of a packed state: of its shape for diagonal noise, else ``[B, D, M]``."""
        if "g" in self._unseen:
            self._unseen.remove("g")
            diagonal = self.noise == "diagonal"
            return torch.zeros_like(y) if diagonal else y.new_zeros(*y.shape, self.channels)
        g = self._once("g", t, y, self._diffusion)
        if self._prior is None:
            return g
        return torch.cat((g, g.new_zeros(len(g), 1, *g.shape[2:])), dim=1)

    def accepted(self) -> None:
        """Count a step that was kept."""
        if self._forward:
            self.stats.steps_accepted += 1
        else:
            self.stats.backward_steps_accepted += 1

    def was_rejected(self) -> None:
        """The last step that was counted as kept was thrown away for its error."""
        if self._forward:
            self.stats.steps_accepted -= 1
            self.stats.steps_rejected += 1
        else:
            self.stats.backward_steps_accepted -= 1
            self.stats.backward_steps_rejected += 1

    def _once(
        self, name: str, t: Tensor, y: Tensor, evaluate: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        if not self._forward:
            return evaluate(t, y)
        key = (name, float(t), id(y), torch.is_grad_enabled())
        if key not in self._known:
            self._known[key] = (y, evaluate(t, y))
        return self._known[key][1]

    def _drift(self, t: Tensor, y: Tensor) -> Tensor:
        return self._like_the_state("drift", self._sde.drift, t, y)

    def _prior_drift(self, t: Tensor, y: Tensor) -> Tensor:
        assert self._prior is not None
        return self._like_the_state("prior drift", self._prior.prior_drift, t, y)

    def _diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        if self.noise == "diagonal":
            return self._like_the_state("diffusion", self._sde.diffusion, t, y)
        state, g = self._evaluated("diffusion", self._sde.diffusion, t, y)
        right = (*self._shape, self.channels)
        if not isinstance(g, Tensor) or tuple(g.shape) != right or not g.is_floating_point():
            raise FieldError(
                at_place(
                    place_of(self._sde.diffusion),
                    f"the diffusion {name_of(self._sde.diffusion)} gave {described(g)}; for"
                    f" {self.noise} noise it must give [B, D, M], which is {list(right)}.",
                )
            )
        return g.to(state.dtype)

    def _like_the_state(
        self, what: str, function: Callable[[Tensor, Tensor], Tensor], t: Tensor, y: Tensor
    ) -> Tensor:
        state, given = self._evaluated(what, function, t, y)
        words = ("state has", f"the {what}", "y")
        fitting = refuse_misfit(function, given, state, self._autocast is not None, words)
        return fitting.to(state.dtype).reshape(len(state), -1)

    def _evaluated(
        self, what: str, function: Callable[[Tensor, Tensor], Tensor], t: Tensor, y: Tensor
    ) -> tuple[Tensor, Any]:
        """The state as the SDE has it, and what a function of it gave; it is counted."""
        time = t.to(dtype=y.dtype, device=y.device)
        state = (y if self._prior is None else y[:, :-1]).reshape(self._shape)
        self._count(what, t)
        if self._spec.adaptive:
            refuse_not_finite(state, "state", self._spec.method, float(t))
        with self._autocast or nullcontext():
            return state, function(time, state)

    def _count(self, what: str, t: Tensor) -> None:
        of_drift = what != "diffusion"
        stats = self.stats
        if self._forward:
            self._guard.look(t)
            stats.nfe_forward += 1
            stats.nfe_drift += of_drift
            stats.nfe_diffusion += not of_drift
        else:
            stats.nfe_backward += 1
            stats.nfe_drift_backward += of_drift
            stats.nfe_diffusion_backward += not of_drift
        self._used += 1
        limit = self._spec.max_nfe
        if limit is not None and self._used > limit:
            raise SolverError(
                f"the {'forward' if self._forward else 'backward'} solve stopped at"
                f" {at_time(float(t))}: it takes more evaluations of drift and diffusion than"
                f" solver.max_nfe={limit} allows; raise that limit or take larger steps."
            )

    def _kl_rate(self, difference: Tensor, g: Tensor) -> Tensor:
        """Half the square of u, ``[B, 1]``."""
        if self.noise == "diagonal":
            small = g.abs() < _SMALLEST
            u = difference / torch.where(small, torch.where(g < 0, -_SMALLEST, _SMALLEST), g)
        else:
            u = torch.einsum("bmd,bd->bm", torch.linalg.pinv(g), difference)
        return 0.5 * u.square().sum(dim=1, keepdim=True)


def _channels(sde: Sde) -> int:
    if sde.noise == "scalar":
        return 1
    given = getattr(sde, "noise_size", None)
    if not isinstance(given, int) or given < 1:
        raise FieldError(
            at_place(
                place_of(sde),
                f"the SDE {name_of(sde)} has {sde.noise} noise and no noise_size; add it, the"
                " number of channels M of its Brownian motion.",
            )
        )
    return given
