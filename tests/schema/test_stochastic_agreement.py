"""What does not go together where an SDE is solved is told before torch is imported."""

from typing import ClassVar

import pytest

from node_cli.errors import ConfigError
from node_cli.methods import SDE_METHODS, Stochastic
from node_cli.schema import stochastic_agreement
from node_cli.schema.agreement import disagreements
from node_cli.schema.model import ModelSchema

STOCHASTIC = ("task=dynamics", "model=sde", "data=double-well")
STRATONOVICH = "model.calculus=stratonovich solver=stratonovich-reversible_heun"


class WithKind(ModelSchema):
    kind: ClassVar[Stochastic]

    @property
    def stochastic(self):
        return self.kind


@pytest.fixture(scope="module")
def config(config_of):
    return config_of(*STOCHASTIC)


def problems(config, of, **solver):
    class Model(WithKind):
        kind: ClassVar[Stochastic]

    Model.kind = Stochastic(*of)
    changed = {"model": Model(name="a"), "solver": config.solver.model_copy(update=solver)}
    return list(disagreements(config.model_copy(update=changed)))


@pytest.mark.parametrize("name", SDE_METHODS)
@pytest.mark.parametrize("noise", ["diagonal", "additive", "scalar", "general"])
@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_a_solver_takes_its_calculus_and_its_noises(config, name, calculus, noise):
    method = SDE_METHODS[name]
    found = problems(config, (calculus, noise), name=name)
    assert (found == []) == (method.calculus == calculus and noise in method.noises)


def test_general_noise_is_refused_by_milstein_and_srk_in_words(config):
    for name in ("ito-milstein", "ito-srk"):
        assert problems(config, ("ito", "general"), name=name) == [
            f"solver={name} model=a: {name} takes diagonal, additive or scalar noise, and this"
            " model's is general; use one such as solver=ito-euler."
        ]


def test_euler_follows_the_error_for_additive_noise_only(config):
    assert problems(config, ("ito", "additive"), kind="adaptive") == []
    (told,) = problems(config, ("ito", "diagonal"), kind="adaptive")
    assert "need not converge for diagonal noise; use solver.kind=fixed" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("solver=dopri5", "dopri5 solves ODEs, and this model is an SDE in the sense of Itô"),
        ("solver=scipy-LSODA adjoint=full", "use one such as solver=ito-euler"),
        ("solver=stratonovich-heun", "solver=ito-euler, or model.calculus=stratonovich."),
        ("adjoint=seminorm", "use adjoint=direct or adjoint=full"),
        ("adjoint=checkpointed", "there are no such gradients of SDEs"),
        ("adjoint=full adjoint.solver=rk4", "leave adjoint.solver out, which is ito-milstein"),
        ("adjoint=full adjoint.solver=ito-srk", "it does not solve the adjoint of an SDE"),
        ("adjoint=full adjoint.step_size=0.1", "with the steps of the way forwards"),
        ("adjoint=full adjoint.rtol=0.1", "or use solver.kind=adaptive"),
        (f"{STRATONOVICH} adjoint=full solver.kind=adaptive", "these are not kept"),
        (f"{STRATONOVICH} adjoint=full adjoint.solver=stratonovich-heun", "adjoint of its own"),
        ("backend=torchdiffeq", "SDEs are solved by torchsde"),
        ("compile=step", "steps of ODEs alone can be compiled"),
        ("study=gradient-fidelity", "studies measure ODEs"),
        ("adjoint.check_every=2", "no reference by a tighter tolerance"),
        ("evaluation.solver=ito-milstein", "evaluation.solver=ito-milstein model=sde: an SDE is"),
        ("evaluation.step_size=0.1", "leave it out"),
        ("evaluation.round_trip=true", "no way back"),
        ("solver.max_steps=10", "it is for adaptive steps (solver.kind=adaptive)"),
        ("solver.step_size=null", "solver=ito-euler needs a step"),
        ("solver.kind=scipy", "ito-euler is fixed or adaptive"),
        ("trace=exact", "this model has no trace"),
    ],
)
def test_settings_without_sense_are_told(config_of, words, told):
    with pytest.raises(ConfigError) as error:
        config_of(*STOCHASTIC, *words.split())
    (sentence,) = str(error.value).splitlines()
    assert told in sentence


@pytest.mark.parametrize(
    "words",
    [
        "adjoint=full adjoint.solver=ito-euler",
        "solver=ito-milstein solver.kind=adaptive solver.min_step=1e-5 adjoint=full adjoint.rtol=1",
        f"{STRATONOVICH} adjoint=full",
        f"{STRATONOVICH} solver.kind=adaptive",
        "evaluation.round_trip=auto",
    ],
)
def test_what_goes_together(config_of, words):
    assert not config_of(*STOCHASTIC, *words.split()).checks_round_trip


@pytest.mark.parametrize(
    "words",
    ["solver=ito-euler", "solver=ito-srk model=resnet", "evaluation.solver=stratonovich-heun"],
)
def test_a_model_without_an_sde_takes_no_solver_of_sdes(config_of, words):
    with pytest.raises(ConfigError, match=r"solves SDEs, and this model has none; use a solver of"):
        config_of(*words.split())


@pytest.mark.parametrize("installed", [None, "0.2.5"])
def test_torchsde_is_asked_for_where_it_is_missing(config_of, monkeypatch, installed):
    def version(name):
        if installed is None:
            raise stochastic_agreement.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(stochastic_agreement, "version", version)
    config_of("task=dynamics")
    with pytest.raises(ConfigError, match=r"model=sde: .*pip install -e '\.\[sde\]'\.$"):
        config_of(*STOCHASTIC)
