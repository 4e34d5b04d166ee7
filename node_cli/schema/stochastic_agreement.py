"""What the groups of a config ask of each other where an SDE is solved."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from node_cli.methods import METHODS, SDE_METHODS, SdeMethod, Stochastic

if TYPE_CHECKING:
    from node_cli.schema.model import ModelSchema
    from node_cli.schema.run import RunConfig

_CALCULI = {"ito": "Itô", "stratonovich": "Stratonovich"}
_OLDEST = (0, 2, 6)  # of torchsde, that is tested


def of_a_solver_of_sdes(config: RunConfig) -> Iterator[str]:
    """Solvers of SDEs for a model that has none."""
    chosen = {
        "solver": config.solver.name,
        "adjoint.solver": config.adjoint.solver,
        "evaluation.solver": config.evaluation.solver,
    }
    for setting, name in chosen.items():
        if name in SDE_METHODS:
            yield (
                f"{setting}={name} model={config.model.name}: {name} solves SDEs, and this model"
                f" has none; use a solver of ODEs such as {setting}=dopri5."
            )


def of_a_solver_of_odes(solver: str, model: ModelSchema) -> Iterator[str]:
    """A solver of ODEs for a model that is an SDE, whatever its steps are."""
    kind = model.stochastic
    if kind is not None and solver in METHODS:
        yield (
            f"solver={solver} model={model.name}: {solver} solves ODEs, and this model is an SDE in"
            f" the sense of {_CALCULI[kind.calculus]}; use one such as solver={_fitting(kind)}."
        )


def of_the_sde(config: RunConfig) -> Iterator[str]:
    """All that does not go with a model that has an SDE."""
    kind = config.model.stochastic
    assert kind is not None
    yield from without_torchsde(f"model={config.model.name}")
    problems = list(_of_the_solver(config, kind))
    yield from problems
    if not problems:
        yield from _of_the_steps(config, kind, SDE_METHODS[config.solver.name])
        yield from _of_the_adjoint(config, kind, SDE_METHODS[config.solver.name])
    yield from _of_the_rest(config)


def without_torchsde(asked: str) -> Iterator[str]:
    """The sentence that says how to install torchsde, where what is asked for needs it."""
    try:
        installed = version("torchsde")
    except PackageNotFoundError:
        installed = None
    if installed is None:
        lack = "SDEs are solved by torchsde, which is not installed"
    elif tuple(int(part) for part in installed.split(".")[:3] if part.isdigit()) < _OLDEST:
        lack = f"SDEs are solved by torchsde 0.2.6 or later, and {installed} is installed"
    else:
        return
    yield (
        f"{asked}: {lack}. Install it with pip install 'node-cli[sde]', in a checkout with pip"
        " install -e '.[sde]'."
    )


def _of_the_solver(config: RunConfig, kind: Stochastic) -> Iterator[str]:
    name, model = config.solver.name, config.model
    method = SDE_METHODS.get(name)
    sense, use = _CALCULI[kind.calculus], f"use one such as solver={_fitting(kind)}"
    if method is None:
        yield from of_a_solver_of_odes(name, model)
    elif method.calculus != kind.calculus:
        choice = f", or model.calculus={method.calculus}" if _chooses_calculus(config) else ""
        yield (
            f"solver={name} model={model.name}: {name} reads an SDE in the sense of"
            f" {_CALCULI[method.calculus]}, and this model's is one of {sense}; {use}{choice}."
        )
    elif kind.noise not in method.noises:
        yield (
            f"solver={name} model={model.name}: {name} takes {_listed(method.noises)} noise, and"
            f" this model's is {kind.noise}; {use}."
        )


def _fitting(kind: Stochastic) -> str:
    return next(
        method.name
        for method in SDE_METHODS.values()
        if method.calculus == kind.calculus and kind.noise in method.noises
    )


def _of_the_steps(config: RunConfig, kind: Stochastic, method: SdeMethod) -> Iterator[str]:
    adaptive = config.solver.kind == "adaptive"
    if adaptive and method.name == "ito-euler" and kind.noise != "additive":
        yield (
            f"solver={method.name} solver.kind=adaptive model={config.model.name}: where steps"
            f" follow the error, this solver need not converge for {kind.noise} noise; use"
            " solver.kind=fixed, or a solver of strong order 1 such as solver=ito-milstein."
        )


def _of_the_adjoint(config: RunConfig, kind: Stochastic, method: SdeMethod) -> Iterator[str]:
    adjoint, model = config.adjoint, config.model.name
    if adjoint.mode not in ("direct", "full"):
        yield (
            f"adjoint={adjoint.mode} model={model}: there are no such gradients of SDEs; use"
            " adjoint=direct or adjoint=full."
        )
        return
    if adjoint.step_size is not None:
        yield (
            f"adjoint.step_size={adjoint.step_size:g} model={model}: an SDE is solved backwards"
            " with the steps of the way forwards; leave adjoint.step_size out."
        )
    for key in ("rtol", "atol"):
        given = getattr(adjoint, key)
        if given is not None and config.solver.kind == "fixed":
            yield (
                f"adjoint.{key}={given:g} model={model}: its steps are given; leave adjoint.{key}"
                " out, or use solver.kind=adaptive."
            )
    if not method.backward and adjoint.mode == "full" and config.solver.kind == "adaptive":
        yield (
            f"solver={method.name} solver.kind=adaptive adjoint=full: its adjoint goes back the"
            " steps that were taken, and these are not kept; use solver.kind=fixed, or"
            " adjoint=direct."
        )
    if adjoint.solver is not None:
        yield from _of_the_backward_solver(adjoint.solver, kind, method)


def _of_the_backward_solver(name: str, kind: Stochastic, method: SdeMethod) -> Iterator[str]:
    backward = SDE_METHODS.get(name)
    if not method.backward:
        yield (
            f"adjoint.solver={name} solver={method.name}: this solver has an adjoint of its own,"
            " which is exact; leave adjoint.solver out."
        )
    elif (
        backward is None
        or backward.calculus != kind.calculus
        or kind.noise not in backward.solves_backward
    ):
        yield (
            f"adjoint.solver={name} solver={method.name}: it does not solve the adjoint of an SDE"
            f" in the sense of {_CALCULI[kind.calculus]} with {kind.noise} noise; leave"
            f" adjoint.solver out, which is {method.backward[kind.noise]}."
        )


def _of_the_rest(config: RunConfig) -> Iterator[str]:
    model = f"model={config.model.name}"
    if config.backend.name != "native":
        yield (
            f"backend={config.backend.name} {model}: SDEs are solved by torchsde, whatever the"
            " backend; leave backend out."
        )
    if config.compile.mode != "off":
        yield (
            f"compile={config.compile.mode} {model}: steps of ODEs alone can be compiled, and this"
            " model is an SDE; leave it out."
        )
    if config.study.name != "none":
        yield (
            f"study={config.study.name} {model}: studies measure ODEs, and this model is an SDE;"
            " leave the study out."
        )
    if config.adjoint.check_every is not None:
        yield (
            f"adjoint.check_every={config.adjoint.check_every} {model}: the gradient of an SDE has"
            " no reference by a tighter tolerance on the same Brownian path; leave it out."
        )
    if config.evaluation.differs:
        given = config.evaluation.model_dump(exclude={"round_trip"})
        names = " ".join(f"evaluation.{key}={value}" for key, value in given.items() if value)
        yield (
            f"{names} {model}: an SDE is solved in validation and test as in training, so that its"
            " paths have the same law; leave it out."
        )
    if config.evaluation.round_trip is True:
        yield (
            f"evaluation.round_trip=true {model}: an SDE has no way back that it could be checked"
            " by; leave it out."
        )


def _chooses_calculus(config: RunConfig) -> bool:
    return "calculus" in type(config.model).model_fields


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
