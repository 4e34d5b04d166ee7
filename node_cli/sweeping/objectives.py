"""What a search minimises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from node_cli.report.record import error_of
from node_cli.schema.run import Objective


def objectives_of(
    summary: Mapping[str, Any], names: Sequence[Objective]
) -> float | tuple[float, ...] | None:
    """The objectives of a finished run, each to be made small.

    ``error`` is that of the validation set, with the best weights: the test set must not decide
    what is searched for. None where one of them is no number, as NFE without a solve.

    Args:
        summary: as ``summary.json`` has it.
        names: of the objectives.

    Returns:
        One number, or as many as there are names.
    """
    best, nfe, memory = summary["best"], summary["nfe"], summary["memory"]
    found = {
        "error": None if best["value"] is None else error_of(best["value"], best["goal"]),
        "nfe_forward": nfe["forward_mean"],
        "nfe_backward": nfe["backward_mean"],
        "saved_bytes": memory["saved_bytes_peak"],
        "seconds": summary["seconds"],
    }
    values = tuple(found[name] for name in names)
    if any(value is None or math.isnan(value) for value in values):
        return None
    return values[0] if len(values) == 1 else values
