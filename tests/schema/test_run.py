import pytest

from node_cli.errors import ConfigError
from node_cli.methods import METHODS, SDE_METHODS, SOLVERS
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir
from node_cli.tasks.registry import tasks_with
from node_cli.tasks.validation import validate

CATALOGUE = Catalogue([conf_dir()])


def needed_by(solver):
    """What a solver cannot be without: SciPy's the adjoint, others a model that suits them.

    A model without an ODE suits all that are for ODEs.
    """
    if solver in SDE_METHODS:
        return [*STOCHASTIC, f"model.calculus={SDE_METHODS[solver].calculus}"]
    method = METHODS[solver]
    return ["adjoint=full"] * (method.kind == "scipy") + ["model=resnet"] * bool(method.needs)


STOCHASTIC = ["task=dynamics", "model=sde", "data=double-well"]
# What a member cannot be without.
NEEDED = {
    "model=sde": STOCHASTIC,
    "study=memory-scaling": ["solver=rk4"],
    "data=image": ["task=cnf-2d", "data.path=picture.png"],
    "data=table": ["task=cnf-tabular", "data.path=table.csv"],
    "data=csv": ["task=latent-spirals", "data.path=series.csv"],
    "data=image-folder": ["data.path=images"],
    "data=physionet": ["task=latent-series", "data.root=physionet"],
    "model=lagrangian": ["task=dynamics", "data=damped-oscillator"],
    "task=cnf-tabular": ["data.path=table.csv"],
    "trace=closed-form": ["task=cnf-2d"],
    "trace=exact": ["task=cnf-2d"],
    "trace=hutchinson": ["task=cnf-2d"],
    "regularization=rnode": ["task=cnf-2d"],
}


def needed_of(group, member):
    """The task of a model or of data, and the trace of a flow of several hidden layers."""
    if group not in ("model", "data"):
        return []
    trace = ["trace=exact"] if member.startswith("concat") else []
    return [f"task={tasks_with(group, member)[0]}", *trace]


@pytest.mark.parametrize("debug", CATALOGUE.groups["debug"])
@pytest.mark.parametrize("task", CATALOGUE.groups["task"])
def test_every_debug_member_goes_with_every_task(config_of, task, debug):
    config_of(f"task={task}", f"debug={debug}", *NEEDED.get(f"task={task}", []))


def test_defaults_follow_the_field(config_of):
    config = config_of()
    assert config.task.name == "mnist-odenet"
    assert config.model.name == "odenet"
    assert config.model.T == 1.0
    assert config.solver.name == "dopri5"
    assert (config.tolerance.rtol, config.tolerance.atol) == (1e-3, 1e-4)
    assert config.adjoint.mode == "direct"
    assert config.data.name == "mnist-mini"


@pytest.mark.parametrize(
    ("group", "member"),
    [
        (group, member)
        for group, members in CATALOGUE.groups.items()
        for member in members
        if group not in ("solver", "hydra")
    ],
)
def test_every_member_of_every_group_is_a_valid_config(config_of, group, member):
    config_of(f"{group}={member}", *NEEDED.get(f"{group}={member}", needed_of(group, member)))


@pytest.mark.parametrize("solver", CATALOGUE.groups["solver"])
def test_every_solver_is_a_valid_config_and_says_its_own_name(config_of, solver):
    assert config_of(f"solver={solver}", *needed_by(solver)).solver.name == solver


def test_every_known_method_has_its_file():
    assert set(CATALOGUE.groups["solver"]) == set(SOLVERS)


def test_every_member_has_a_description_for_the_help_page():
    for group, members in CATALOGUE.groups.items():
        for member in members.values():
            assert member.description, f"{group}/{member.name}"


@pytest.mark.parametrize(
    ("word", "mode"), [("on", "full"), ("off", "direct"), ("true", "full"), ("False", "direct")]
)
def test_adjoint_can_be_switched_on_and_off(config_of, word, mode):
    assert config_of(f"adjoint={word}").adjoint.mode == mode


def test_the_paper_experiment_is_that_of_the_torchdiffeq_example(config_of):
    config = config_of("experiment=mnist-paper")
    assert config.trainer.max_epochs == 160
    assert [round(m * 160) for m in config.schedule.milestones] == [60, 100, 140]
    assert (config.tolerance.rtol, config.tolerance.atol) == (1e-3, 1e-3)
    assert config.adjoint.mode == "full"
    assert config.data.name == "mnist"


@pytest.mark.parametrize(
    ("overrides", "fragments"),
    [
        (["tolerance.rtol=-1e-3"], ["tolerance.rtol=-0.001", "a finite number >= 0"]),
        (["tolerance.rtol=nan"], ["tolerance.rtol=nan", "a finite number >= 0"]),
        (["tolerance.rtol=0", "tolerance.atol=0"], ["at least one of them must be > 0"]),
        (["optimizer.lr=inf"], ["optimizer.lr=inf", "a finite number > 0"]),
        (["optimizer.lr=big"], ["optimizer.lr=big", "a finite number > 0"]),
        (["optimizer.nesterov=true", "optimizer.momentum=0"], ["optimizer.momentum > 0"]),
        (["seed=1.5"], ["seed=1.5", "an integer from 0"]),
        (["seed=-1"], ["seed=-1", "an integer from 0"]),
        (["seed=true"], ["seed=true", "an integer from 0"]),
        (["trainer.max_steps=-3"], ["trainer.max_steps=-3", "an integer >= 1"]),
        (["trainer.max_epochs=null"], ["a run must end"]),
        (["trainer.device=gpu"], ["trainer.device=gpu", "cuda:N"]),
        (["trainer.precision=fp16", "trainer.device=cpu"], ["needs a CUDA device"]),
        (["trainer.precision=bf17"], ["did you mean bf16?"]),
        (["model.T=0"], ["model.T=0", "a finite number > 0"]),
        (["model.T=-1"], ["model.T=-1", "a finite number > 0"]),
        (["model.channels=48"], ["multiple of 32", "32 and 64"]),
        (["model.stem=cnov"], ["did you mean conv?"]),
        (["model=resnet", "model.blocks=0"], ["model.blocks=0", "an integer >= 1"]),
        (["solver=rk4", "solver.step_size=null"], ["solver=rk4 needs a step"]),
        (["solver=rk4", "solver.step_size=2"], ["at most model.T=1"]),
        (["solver.step_size=0.1"], ["dopri5 chooses its own steps", "solver=rk4"]),
        (["solver=euler", "solver.max_steps=5"], ["has no such limit"]),
        (["solver=scipy-LSODA"], ["adjoint=full or adjoint=seminorm"]),
        (["solver=explicit_adams", "solver.order=9"], ["an integer from 2 to 8"]),
        (["solver=adams", "adjoint=checkpointed"], ["replayed one by one", "adjoint=full"]),
        (["solver=adams", "backend=torchdiffeq"], ["torchdiffeq has no such solver"]),
        (["adjoint=checkpointed", "backend=torchdiffeq"], ["use backend=native"]),
        (["solver=scipy-RK45", "adjoint=checkpointed"], ["use adjoint=full"]),
        (["adjoint.rtol=1e-5"], ["adjoint=direct solves nothing backwards"]),
        (["adjoint=full", "adjoint.solver=dopri55"], ["did you mean dopri5?"]),
        (["adjoint=full", "adjoint.solver=rk4"], ["give adjoint.step_size"]),
        (["adjoint=full", "adjoint.step_size=0.1"], ["dopri5 chooses its own steps"]),
        (["adjoint=full", "adjoint.rtol=0", "adjoint.atol=0"], ["must be > 0"]),
        (["solver=rk4", "solver.min_step=1e-3"], ["has no such limit"]),
        (["study=memory-scaling"], ["use a fixed-step solver"]),
        (["study=figure-3", "solver=rk4"], ["use an adaptive solver"]),
        (["study=gradient-fidelity", "model=resnet"], ["solves no ODE"]),
        (["study=gradient-fidelity", "study.modes=[]"], ["study.modes", "a list of direct"]),
        (["study=gradient-fidelity", "study.modes=[ful]"], ["study.modes"]),
        (["study=gradient-fidelity", "solver=adams"], ["leave that mode out"]),
        (
            [
                "study=gradient-fidelity",
                "study.modes=[checkpointed]",
                "solver=scipy-RK45",
                "adjoint=full",
            ],
            ["leave that mode out"],
        ),
        (["model=resnet", "adjoint.check_every=5"], ["solves no ODE"]),
        (["solver.max_nfe=0"], ["solver.max_nfe=0", "an integer >= 1"]),
        (["solver.max_saved_bytes=0"], ["solver.max_saved_bytes=0", "an integer >= 1"]),
        (["solver.order=4"], ["the order of dopri5 is 5"]),
        (["solver.name=dopri55"], ["did you mean dopri5?"]),
        (["model=rk-net", "adjoint=full"], ["use adjoint=direct"]),
        (["model=rk-net", "solver=implicit_adams"], ["Runge-Kutta"]),
        (["solver=leapfrog"], ["leapfrog is for separable Hamiltonian systems", "solver=rk4"]),
        (
            ["task=dynamics", "data=pendulum", "model=hamiltonian", "solver=leapfrog"],
            ["this model is one that is not separable", "solver=implicit_midpoint"],
        ),
        (["adjoint.mode=ful"], ["did you mean full?"]),
        (["data.root=/somewhere"], ["Did you mean data=mnist?"]),
        (["data=mnist", "data.root=null"], ["needs the folder of its files"]),
        (["data.validation=6000"], ["from 1 to 5999"]),
        (["schedule=step", "schedule.milestones=[0.5,0.2]"], ["must increase"]),
        (["task.name=mnist"], ["did you mean mnist-odenet?"]),
        (["optimizer.name=sdg"], ["did you mean sgd?"]),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(config_of, overrides, fragments):
    with pytest.raises(ConfigError) as raised:
        config_of(*overrides)
    message = str(raised.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


def test_all_problems_are_told_at_once(config_of):
    with pytest.raises(ConfigError) as raised:
        config_of("tolerance.rtol=-1", "optimizer.lr=0", "trainer.max_steps=-3")
    assert len(str(raised.value).splitlines()) == 3


def test_models_that_solve_no_ode_do_not_care_about_the_solver(config_of):
    config_of("model=resnet", "solver=scipy-LSODA")


def test_an_unknown_setting_is_refused_with_the_nearest_spelling(config_of):
    plain = config_of().model_dump(mode="json")
    plain["tolerance"]["rtoll"] = 1e-3
    with pytest.raises(ConfigError, match=r"did you mean tolerance\.rtol\?"):
        validate(plain)


def test_a_missing_group_is_told(config_of):
    plain = config_of().model_dump(mode="json")
    del plain["solver"]
    with pytest.raises(ConfigError, match=r"solver.* is missing"):
        validate(plain)


def test_the_dumped_config_validates_to_itself(config_of):
    config = config_of("optimizer=adamw", "schedule=cosine", "model=euler-net")
    assert validate(config.model_dump(mode="json")) == config
