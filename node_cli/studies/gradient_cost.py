"""What one gradient costs."""

from __future__ import annotations

from node_cli.memory import SavedBytes
from node_cli.solving import record_solves, total
from node_cli.studies.subject import Row, Subject


def gradient_cost(subject: Subject) -> Row:
    """NFE forward and backward, and the bytes kept between; the gradient stays in the model."""
    subject.model.zero_grad()
    saved = SavedBytes(subject.model)
    with record_solves() as solves, saved.measure():
        loss = subject.loss()
        kept = saved.bytes_now()
        loss.backward()
    cost = total(solves)
    return {
        "nfe_forward": cost.nfe_forward,
        "nfe_backward": cost.nfe_backward,
        "saved_bytes": kept,
    }
