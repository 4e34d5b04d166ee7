"""The group ``trace``."""

from __future__ import annotations

from typing import Literal

from node_cli.schema.base import Schema

TraceName = Literal["closed-form", "exact", "hutchinson"]


NoiseName = Literal["rademacher", "gaussian"]


class TraceConfig(Schema):
    """How the trace of a flow's Jacobian is computed.

    Attributes:
        name: in training; ``none`` for tasks that need no trace.
        noise: of ``hutchinson``.
        evaluation: in validation, test and figures; ``exact`` uses the closed form where there
            is one.
    """

    name: TraceName | Literal["none"]
    noise: NoiseName
    evaluation: Literal["exact", "hutchinson"]
