"""What solvers declare of themselves, and that their steps are what the loops take them for."""

import subprocess
import sys

import pytest
import torch
import yaml

from node_cli.methods import METHODS
from node_cli.schema.location import conf_dir
from node_cli.solving import SolveSpec
from node_cli.solving.counted_field import CountedField
from node_cli.solving.integration import stepper_of
from node_cli.solving.stepper import AdaptiveStepper, Stepper

OURS = [name for name, method in METHODS.items() if method.kind != "scipy"]


def spec_of(name):
    fixed = METHODS[name].kind == "fixed"
    return SolveSpec(method=name, step_size=0.1 if fixed else None)


def test_declarations_bring_no_torch():
    code = "import sys; import node_cli.methods; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", METHODS)
def test_the_config_tree_says_nothing_of_a_method_that_it_says_itself(name):
    content = yaml.safe_load((conf_dir() / "solver" / f"{name}.yaml").read_text())
    assert content["name"] == name
    assert {"kind", "family"}.isdisjoint(content)
    assert (content["order"] is None) == (not METHODS[name].orders)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_records_what_its_method_says(config_of, name):
    method = METHODS[name]
    adjoint = ["adjoint=full"] if method.kind == "scipy" else []
    model = ["model=resnet"] if method.needs else []  # which solves no ODE
    solver = config_of(f"solver={name}", *adjoint, *model).solver
    assert (solver.kind, solver.family) == (method.kind, method.family)
    assert solver.order == (4 if method.orders else method.order)
    assert solver.is_one_step == method.one_step


@pytest.mark.parametrize("name", OURS)
def test_a_stepper_is_of_the_kind_that_its_method_says(name):
    stepper = stepper_of(spec_of(name))
    assert isinstance(stepper, Stepper)
    if METHODS[name].kind == "adaptive":
        assert isinstance(stepper, AdaptiveStepper)


class Separable:
    def velocity(self, t, p):
        return torch.cos(t) * p

    def force(self, t, q):
        return torch.cos(t) - q**3

    def __call__(self, t, y):
        q, p = y.chunk(2, dim=-1)
        return torch.cat((self.velocity(t, p), self.force(t, q)), dim=-1)


@pytest.mark.parametrize("name", OURS)
def test_a_step_depends_on_its_arguments_alone(name):
    """Taken again, and after others, it gives the same, and so does what the next one knows."""

    def taken(again):
        stepper = stepper_of(spec_of(name))
        y = torch.tensor([1.0, -0.5], dtype=torch.float64)
        field = CountedField(Separable(), y)
        memory, t, found = None, 0.0, []
        for _ in range(6):
            memory = stepper.init(field, t, y, memory)
            for _ in range(again):
                stepper.step(field, t, t + 0.3, y, memory)
            step = stepper.step(field, t, t + 0.1, y, memory)
            t, y, memory = t + 0.1, step.y1, step.memory()
            found.append(y)
        return torch.stack(found)

    once = taken(0)
    assert torch.equal(once, taken(2))
    assert len(once.unique(dim=0)) == len(once)


def test_only_scipys_methods_have_no_stepper_of_ours():
    assert [name for name in METHODS if stepper_of(spec_of(name)) is None] == [
        name for name in METHODS if name.startswith("scipy-")
    ]
