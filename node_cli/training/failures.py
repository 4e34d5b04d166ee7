"""A solve that failed and memory that ran out, in the words of a training run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

from node_cli.errors import is_out_of_memory
from node_cli.schema.adjoint import AdjointMode
from node_cli.schema.agreement import disagreements
from node_cli.schema.run import RunConfig
from node_cli.solving import SolveSpec
from node_cli.solving.failures import MemoryShortageError, Training, UnfinishedSolveError
from node_cli.solving.saved_bytes_guard import shortage
from node_cli.solving.sde.spec import SdeSpec


@contextmanager
def told_in_training(config: RunConfig, study: bool = False) -> Iterator[None]:
    """Put around what trains, evaluates or measures a model.

    Args:
        config: the whole run.
        study: whether a study says which adjoint modes are used, and not the run.

    Raises:
        MemoryShortageError: an allocation failed outside of a solve, as in the backward pass.
        SolverError: a solve failed, with what training can change about it.
    """
    training = Training(
        config.optimizer.lr,
        config.trainer.clip_norm,
        config.data.batch_size,
        () if study else possible_modes(config),
    )
    try:
        yield
    except UnfinishedSolveError as failure:
        failure.tell(training)
        raise
    except (MemoryError, RuntimeError, ValueError) as error:
        if not is_out_of_memory(error):
            raise
        modes: list[AdjointMode] = []
        if config.model.stochastic is not None:
            modes = SdeSpec.from_config(config).sparing_modes
        elif config.model.solves_an_ode:
            modes = SolveSpec.from_config(config).sparing_modes
        without_memory = MemoryShortageError(shortage(error), modes)
        without_memory.tell(training)
        raise without_memory from error


def possible_modes(config: RunConfig) -> list[AdjointMode]:
    """The adjoint modes that go with the rest of the run's settings."""
    return [
        mode
        for mode in get_args(AdjointMode)
        if not any(
            disagreements(
                config.model_copy(
                    update={"adjoint": config.adjoint.model_copy(update={"mode": mode})}
                )
            )
        )
    ]


def about_infinite_loss(loss: float, steps: int) -> str:
    """What to do about a loss that is not finite, after so many steps."""
    if steps == 0:
        return (
            f"the loss is {loss:g} before the first step, so that it is not the training that"
            " diverged. Look at the data (values that are not finite, or of another scale), at the"
            " initial weights (another seed), or use tighter tolerances."
        )
    return (
        f"the loss is {loss:g} at step {steps + 1}: training diverged. Try a smaller optimizer.lr,"
        " gradient clipping (trainer.clip_norm=1) or tighter tolerances."
    )
