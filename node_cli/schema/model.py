"""What the settings of all models have in common; each family of tasks brings its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from node_cli.methods import Stochastic, Structure
from node_cli.schema.base import Schema

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig


class ModelSchema(Schema):
    """The base of the members of the group ``model``.

    Attributes:
        name: of the member; each schema says which names are its own by a ``Literal``.
    """

    name: str

    @property
    def solves_an_ode(self) -> bool:
        """Whether it has a solve that the groups ``solver`` and ``adjoint`` decide about."""
        return self.interval is not None

    @property
    def stochastic(self) -> Stochastic | None:
        """The kind of its SDE, which the groups ``solver`` and ``adjoint`` decide about likewise.

        None: it has none.
        """
        return None

    @property
    def solves(self) -> bool:
        """Whether it solves an ODE or an SDE."""
        return self.solves_an_ode or self.stochastic is not None

    @property
    def interval(self) -> float | None:
        """The length of the interval over which its ODE is solved; None: the data decide."""
        return None

    @property
    def structure(self) -> Structure | None:
        """Of its ODE: that of a Hamiltonian system, or of a separable one, whose field has halves.

        None: of no kind that a solver could keep. See ``node_cli.solving.separable``.
        """
        return None

    @property
    def has_trace(self) -> bool:
        """Whether the groups ``trace`` and ``regularization`` are for it."""
        return False

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """What this model does not go with, a sentence each, beside what holds for all models."""
        yield from ()
