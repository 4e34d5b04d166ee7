"""Solvers that need a Hamiltonian system, held against what the model's is."""

import copy

import pytest
import yaml

from node_cli.errors import ConfigError
from node_cli.methods import METHODS
from node_cli.schema.location import conf_dir
from node_cli.tasks.images.schema import OdeNetConfig
from node_cli.tasks.validation import validate
from node_cli.training.failures import possible_modes

SPLITTING = [name for name, method in METHODS.items() if method.needs == "separable"]
SYMPLECTIC = [name for name, method in METHODS.items() if method.needs]


@pytest.fixture(params=["separable"])
def structure(request, monkeypatch):
    """Of the default model, as if it said so."""
    monkeypatch.setattr(OdeNetConfig, "structure", property(lambda _: request.param))
    return request.param


@pytest.fixture(scope="module")
def plain(config_of):
    """The defaults, and those of a study."""
    return config_of("study=memory-scaling", "solver=rk4").model_dump(mode="json")


def told(plain, **settings):
    """What is said of settings such as ``adjoint__solver``; empty where they are taken."""
    try:
        checked(plain, **settings)
    except ConfigError as error:
        return str(error)
    return ""


def checked(plain, study="none", **settings):
    plain = copy.deepcopy(plain)
    if study == "none":
        plain["study"] = {"name": "none"}
    for name, value in settings.items():
        if name == "solver":
            plain["solver"] = yaml.safe_load((conf_dir() / "solver" / f"{value}.yaml").read_text())
            continue
        group, setting = name.split("__")
        plain[group][setting] = value
    return validate(plain)


@pytest.mark.parametrize("place", ["solver", "evaluation.solver"])
@pytest.mark.parametrize("solver", SYMPLECTIC)
@pytest.mark.parametrize("structure", [None, "hamiltonian", "separable"], indirect=True)
def test_a_model_takes_the_solvers_that_it_suits(plain, structure, solver, place):
    setting = place.replace(".", "__")
    said = told(plain, **{setting: solver})
    if structure == "separable" or (structure and solver not in SPLITTING):
        assert said == ""
        return
    kind = "separable Hamiltonian" if solver in SPLITTING else "Hamiltonian"
    assert said.startswith(f"{place}={solver} model=odenet: {solver} is for {kind} systems")
    assert "\n" not in said
    assert ("one that is not separable" in said) == (structure == "hamiltonian")
    # What it advises is taken.
    advised = [word for word in said.rstrip(".").split() if word.startswith(f"{place}=")][1:]
    assert len(advised) == (2 if structure == "hamiltonian" else 1)
    for word in advised:
        assert told(plain, **{setting: word.split("=")[1]}) == ""


@pytest.mark.parametrize("mode", ["full", "seminorm"])
@pytest.mark.parametrize("solver", SYMPLECTIC)
def test_the_continuous_adjoint_wants_another_solver(plain, structure, solver, mode):
    said = told(plain, solver=solver, adjoint__mode=mode)
    assert said.startswith(f"solver={solver} adjoint={mode}: {solver} is for ")
    assert "the augmented system that is solved backwards is none" in said
    assert said.endswith("such as adjoint.solver=rk4, or adjoint=checkpointed or direct.")
    assert told(plain, solver=solver, adjoint__mode=mode, adjoint__solver="rk4") == ""
    for other in ("checkpointed", "direct"):
        assert told(plain, solver=solver, adjoint__mode=other) == ""
    said = told(plain, adjoint__mode=mode, adjoint__solver=solver)
    assert said.startswith(f"adjoint.solver={solver} adjoint={mode}: ")
    assert said.endswith("use another solver for it such as adjoint.solver=rk4.")


@pytest.mark.parametrize("solver", SYMPLECTIC)
def test_modes_that_cannot_be_are_not_advised(plain, structure, solver):
    assert set(possible_modes(checked(plain, solver=solver))) == {"direct", "checkpointed"}
    config = checked(plain, solver=solver, adjoint__mode="full", adjoint__solver="dopri5")
    assert "full" in possible_modes(config)


def test_studies_leave_out_the_modes_that_cannot_be(plain, structure):
    said = told(plain, study="memory-scaling", solver="leapfrog")
    assert "the augmented system of mode full is none; leave that mode out" in said
    modes = ["direct", "checkpointed"]
    assert told(plain, study="memory-scaling", solver="leapfrog", study__modes=modes) == ""


@pytest.mark.parametrize("solver", ["adams", *SYMPLECTIC])
def test_torchdiffeq_has_none_of_them(plain, structure, solver):
    for place in ("solver", "evaluation.solver"):
        settings = {place.replace(".", "__"): solver}
        assert told(plain, **settings, backend__name="torchdiffeq") == (
            f"{place}={solver} backend=torchdiffeq: torchdiffeq has no such solver; use"
            " backend=native."
        )
