"""The group ``compile``."""

from __future__ import annotations

from typing import Literal, get_args

from node_cli.schema.base import Schema

Compile = Literal["off", "step"]
CompileMode = Literal["off", "step", "auto"]

COMPILE: tuple[Compile, ...] = get_args(Compile)


class CompileConfig(Schema):
    """Whether the steps of the solver are compiled, by torch.compile.

    Attributes:
        mode: ``step`` compiles a step and its gradient; ``auto`` does so where the rest of the run
            is long enough to gain by it.
    """

    mode: CompileMode
