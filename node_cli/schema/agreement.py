"""What the groups of a config ask of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from node_cli.methods import METHODS
from node_cli.schema.stochastic_agreement import of_a_solver_of_sdes, of_the_sde
from node_cli.schema.study import GradientFidelityConfig, MemoryScalingConfig
from node_cli.schema.tolerance import Tolerances

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig


def disagreements(config: RunConfig) -> Iterator[str]:
    """One sentence for each pair of groups that do not go together."""
    own = list(config.model.disagreements(config))
    yield from own
    stochastic = config.model.stochastic is not None
    unfit = [] if stochastic else list(of_a_solver_of_sdes(config))
    yield from unfit
    if stochastic:
        yield from of_the_sde(config)
        yield from _of_the_step(config, "solver.step_size", config.solver.step_size)
    elif config.model.solves_an_ode and not unfit:
        of_the_structure = list(_of_the_structure(config))
        yield from of_the_structure
        if not own and not of_the_structure:
            yield from _of_the_gradients(config)
        yield from _of_the_solve(config)
        yield from _of_the_study(config)
        yield from _of_the_evaluation(config)
    elif not unfit:
        yield from _without_a_solve(config)
    if not config.model.has_trace:
        yield from _without_a_trace(config)


def _without_a_solve(config: RunConfig) -> Iterator[str]:
    model, study, adjoint = config.model, config.study, config.adjoint
    instead = "" if config.ode_model is None else f", or use model={config.ode_model}"
    if study.name != "none":
        yield (
            f"study={study.name} model={model.name}: this model solves no ODE; leave the study"
            f" out{instead}."
        )
    if adjoint.check_every is not None:
        yield (
            f"adjoint.check_every={adjoint.check_every} model={model.name}: this model solves no"
            f" ODE; leave it out{instead}."
        )
    if config.compile.mode != "off":
        yield (
            f"compile={config.compile.mode} model={model.name}: this model solves no ODE; leave it"
            f" out{instead}."
        )
    if config.evaluation.differs:
        yield (
            f"evaluation model={model.name}: this model solves no ODE; leave the settings of"
            f" evaluation out{instead}."
        )
    if config.evaluation.round_trip is True:
        yield (
            f"evaluation.round_trip=true model={model.name}: this model solves no ODE, so that"
            f" there is no way back; leave it out{instead}."
        )


def _without_a_trace(config: RunConfig) -> Iterator[str]:
    name = config.model.name
    if config.trace.name != "none":
        yield f"model={name} trace={config.trace.name}: this model has no trace; use trace=none."
    weights = config.regularization.weights
    if weights:
        given = " ".join(f"regularization.{penalty}={w:g}" for penalty, w in weights.items())
        yield f"model={name} {given}: this model is no flow; use regularization=none."


def _of_the_structure(config: RunConfig) -> Iterator[str]:
    """Solvers that need what the model's ODE is not.

    What is advised takes fixed steps as well, so that the other settings go with it.
    """
    model = config.model
    chosen = {"solver": config.solver.name, "evaluation.solver": config.evaluation.solver}
    for setting, name in chosen.items():
        if name is None or METHODS[name].takes(model.structure):
            continue
        is_a = "one that is not separable" if model.structure else "none"
        others = ["rk4"] if model.structure is None else ["implicit_midpoint", "rk4"]
        instead = " or ".join(f"{setting}={other}" for other in others)
        yield (
            f"{setting}={name} model={model.name}: {_is_for(name)}, and this model is {is_a}; use"
            f" another solver such as {instead}."
        )


def _is_for(name: str) -> str:
    words = {"hamiltonian": "Hamiltonian", "separable": "separable Hamiltonian"}
    return f"{name} is for {words[METHODS[name].needs or '']} systems"


def _of_the_study(config: RunConfig) -> Iterator[str]:
    study, solver = config.study, config.solver
    backward = config.adjoint.solver or solver.name
    if isinstance(study, GradientFidelityConfig | MemoryScalingConfig):
        for mode in study.modes:
            if mode == "direct" and solver.kind == "scipy":
                yield f"study={study.name} solver={solver.name}: SciPy has no direct gradients."
            if mode == "checkpointed" and not (
                solver.is_one_step and config.backend.name == "native"
            ):
                yield (
                    f"study={study.name} solver={solver.name} backend={config.backend.name}:"
                    " checkpointed gradients need one-step solvers of our own; leave that mode"
                    " out of study.modes."
                )
            if mode in ("full", "seminorm") and not METHODS[backward].takes(None):
                yield (
                    f"study={study.name} solver={solver.name}: {_is_for(backward)}, and the"
                    f" augmented system of mode {mode} is none; leave that mode out of study.modes."
                )
    if isinstance(study, MemoryScalingConfig) and solver.kind != "fixed":
        yield (
            f"study=memory-scaling solver={solver.name}: its steps are given; use a fixed-step"
            " solver such as solver=rk4."
        )
    if study.name == "figure-3" and config.model.interval is None:
        yield (
            f"study=figure-3 model={config.model.name}: it is drawn for models with one interval;"
            " use study=gradient-fidelity or study=memory-scaling."
        )
    if study.name in ("gradient-fidelity", "figure-3") and solver.kind == "fixed":
        yield (
            f"study={study.name} solver={solver.name}: it varies the tolerance; use an adaptive"
            " solver such as solver=dopri5."
        )


def _of_the_gradients(config: RunConfig) -> Iterator[str]:
    solver, adjoint = config.solver, config.adjoint
    if solver.kind == "scipy" and not adjoint.continuous:
        yield (
            f"solver={solver.name} adjoint={adjoint.mode}: SciPy runs outside of torch, so"
            " nothing can be backpropagated through it; use adjoint=full or adjoint=seminorm."
        )
    elif adjoint.mode == "checkpointed" and not solver.is_one_step:
        yield (
            f"solver={solver.name} adjoint=checkpointed: only the steps of one-step solvers"
            " can be replayed one by one; use one such as solver=dopri5, or adjoint=full."
        )
    backward = adjoint.solver or solver.name
    if adjoint.continuous and not METHODS[backward].takes(None):
        setting = "solver" if adjoint.solver is None else "adjoint.solver"
        others = "" if adjoint.solver else ", or adjoint=checkpointed or direct"
        yield (
            f"{setting}={backward} adjoint={adjoint.mode}: {_is_for(backward)}, and the augmented"
            " system that is solved backwards is none; use another solver for it such as"
            f" adjoint.solver=rk4{others}."
        )


def _of_the_solve(config: RunConfig) -> Iterator[str]:
    if config.solver.num_steps is None:
        yield from _of_the_step(config, "solver.step_size", config.solver.step_size)
    yield from _of_the_backward_solve(config)
    yield from _of_the_backend(config)
    yield from _of_the_compilation(config)


def _of_the_step(config: RunConfig, name: str, step: float | None) -> Iterator[str]:
    end = config.model.interval
    if step is not None and end is not None and step > end:
        yield f"{name}={step:g}: must be at most model.T={end:g}, the length of the interval."


def _of_the_backward_solve(config: RunConfig) -> Iterator[str]:
    solver, adjoint, tolerance = config.solver, config.adjoint, config.tolerance
    backward = adjoint.solver or solver.name
    if METHODS[backward].kind == "fixed":
        if adjoint.step_size is None and solver.kind != "fixed":
            yield (
                f"adjoint.solver={backward} needs a step: give adjoint.step_size (for example 0.1)."
            )
    elif adjoint.step_size is not None:
        yield (
            f"adjoint.step_size={adjoint.step_size:g}: {backward} chooses its own steps. Leave"
            " adjoint.step_size out, or use a fixed-step solver such as adjoint.solver=rk4."
        )
    trained = Tolerances(tolerance.rtol, tolerance.atol)
    yield from _of_the_tolerances("adjoint", trained.or_else(adjoint.rtol, adjoint.atol))


def _of_the_evaluation(config: RunConfig) -> Iterator[str]:
    evaluation, solver, tolerance = config.evaluation, config.solver, config.tolerance
    name = evaluation.solver or solver.name
    steps = {"step_size": evaluation.step_size, "num_steps": evaluation.num_steps}
    given = {key: value for key, value in steps.items() if value is not None}
    if METHODS[name].kind == "fixed":
        if not given and solver.kind != "fixed":
            yield (
                f"evaluation.solver={name} needs a step: give evaluation.step_size (for example"
                " 0.1) or evaluation.num_steps (for example 10)."
            )
        yield from _of_the_step(config, "evaluation.step_size", evaluation.step_size)
        for key in ("tolerance", "rtol", "atol"):
            if getattr(evaluation, key) is not None:
                yield (
                    f"evaluation.{key}={getattr(evaluation, key):g}: {name} takes fixed steps and"
                    f" has no tolerance. Leave evaluation.{key} out, or add"
                    " evaluation.solver=dopri5."
                )
    else:
        for key, value in given.items():
            yield (
                f"evaluation.{key}={value:g}: {name} chooses its own steps. Leave evaluation.{key}"
                " out, or use a fixed-step solver such as evaluation.solver=rk4."
            )
    trained = Tolerances(tolerance.rtol, tolerance.atol)
    yield from _of_the_tolerances("evaluation", evaluation.tolerances(trained))


def _of_the_tolerances(group: str, tolerances: Tolerances) -> Iterator[str]:
    rtol, atol = tolerances
    if rtol == 0 and atol == 0:
        yield (
            f"{group}.rtol={rtol:g} {group}.atol={atol:g}: no solver is without any error; at"
            " least one of them must be > 0."
        )


def _of_the_backend(config: RunConfig) -> Iterator[str]:
    if config.backend.name != "torchdiffeq":
        return
    solver, adjoint = config.solver, config.adjoint
    chosen = {
        "solver": solver.name,
        "adjoint.solver": adjoint.solver,
        "evaluation.solver": config.evaluation.solver,
    }
    for setting, name in chosen.items():
        if name is not None and not METHODS[name].in_torchdiffeq:
            yield (
                f"{setting}={name} backend=torchdiffeq: torchdiffeq has no such solver; use"
                " backend=native."
            )
    if adjoint.mode == "checkpointed":
        yield (
            "adjoint=checkpointed backend=torchdiffeq: torchdiffeq has no such mode; use"
            " backend=native."
        )
    if solver.min_step is not None:
        yield (
            f"solver.min_step={solver.min_step:g} backend=torchdiffeq: torchdiffeq takes such a"
            " step whatever its error; use backend=native."
        )
    if METHODS[solver.name].orders and (solver.order or 0) < 4:
        yield (
            f"solver.order={solver.order} backend=torchdiffeq: must be at least 4 there; use"
            " backend=native."
        )


def _of_the_compilation(config: RunConfig) -> Iterator[str]:
    mode, solver = config.compile.mode, config.solver.name
    if mode == "off":
        return
    if METHODS[solver].tableau is None:
        yield (
            f"compile={mode} solver={solver}: steps of explicit Runge-Kutta methods alone can be"
            " compiled; use compile=off, or a solver such as solver=dopri5 or solver=rk4."
        )
    elif config.backend.name != "native":
        yield (
            f"compile={mode} backend={config.backend.name}: steps of our own solvers alone can be"
            " compiled; use compile=off or backend=native."
        )
