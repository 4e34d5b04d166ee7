"""A user's own Hamiltonian model, with the solvers that keep its structure."""

import json
import re

import pytest
from plugins.small_task import SMALL

FIELD = '''class Field(nn.Module):
    """H = T(p) + V(q), each a network of one value."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.kinetic, self.potential = (
            nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, 1)) for _ in range(2)
        )

    def velocity(self, t: Tensor, p: Tensor) -> Tensor:
        return slope(self.kinetic, p)

    def force(self, t: Tensor, q: Tensor) -> Tensor:
        return -slope(self.potential, q)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        q, p = y.chunk(2, dim=-1)
        return torch.cat((self.velocity(t, p), self.force(t, q)), dim=-1)


def slope(energy: nn.Module, x: Tensor) -> Tensor:
    learns = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if learns and x.requires_grad else x.detach().requires_grad_()
        return torch.autograd.grad(energy(x).sum(), x, create_graph=learns)[0]


'''
STRUCTURE = """
    @property
    def structure(self):
        return "separable"
"""


@pytest.fixture
def hamiltonian(pendulum):
    """The file of the task pendulum, with a separable field."""
    text = pendulum.read_text()
    units = '"""Units in each of two hidden layers."""\n'
    text = text.replace(units, units + STRUCTURE)
    text = re.sub(r"class Field\(.*?(?=class Trajectories)", lambda _: FIELD, text, flags=re.DOTALL)
    pendulum.write_text(text)
    return pendulum


@pytest.mark.parametrize(
    ("solver", "adjoint"),
    [("leapfrog", "direct"), ("yoshida4", "checkpointed"), ("implicit_midpoint", "direct")],
)
def test_it_is_trained(tmp_path, node_train, hamiltonian, solver, adjoint):
    words = (f"solver={solver}", f"adjoint={adjoint}", "hydra.run.dir=run")
    done = node_train("--plugin", "pendulum.py", *SMALL, *words)
    assert done.returncode == 0, done.stderr
    nfe = json.loads((tmp_path / "run" / "summary.json").read_text())["nfe"]
    assert nfe["forward_mean"] > 20
    assert (nfe["backward_mean"] > 0) == (adjoint == "checkpointed")


def test_without_the_declaration_it_is_refused(node_train, hamiltonian):
    hamiltonian.write_text(hamiltonian.read_text().replace(STRUCTURE, ""))
    done = node_train("--plugin", "pendulum.py", *SMALL, "solver=leapfrog")
    assert done.returncode == 2
    assert "leapfrog is for separable Hamiltonian systems, and this model is none" in done.stderr


def test_without_the_halves_it_is_refused_with_its_place(node_train, hamiltonian):
    hamiltonian.write_text(hamiltonian.read_text().replace("velocity(", "speed("))
    done = node_train("--plugin", "pendulum.py", *SMALL, "solver=leapfrog")
    assert done.returncode == 1
    assert "pendulum.py, line " in done.stderr
    assert "the vector field Field gives only the whole" in done.stderr
