"""Direct gradients with fixed steps go through torch.func, twice, and through a compiler."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap

from node_cli.methods import METHODS
from node_cli.solving import SolveSpec, solve
from node_cli.solving.runge_kutta import RungeKutta

FIXED = [name for name, method in METHODS.items() if method.kind == "fixed" and not method.needs]
MATRIX = torch.tensor([[-0.3, 1.2], [-1.2, -0.3]], dtype=torch.float64)
TIMES = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
START = torch.tensor([1.0, 0.5], dtype=torch.float64)


def end(y0, matrix=MATRIX, method="rk4", steps=40):
    """The state at time 1 of dy/dt = A y, whose solution is exp(A) y0."""
    spec = SolveSpec(method=method, num_steps=steps)
    return solve(lambda t, y: y @ matrix.T, y0, TIMES, spec).values[-1]


def of_autograd(function, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


@pytest.mark.parametrize("method", FIXED)
def test_the_gradients_of_torch_func_are_those_of_autograd(method):
    def loss_of_start(y0):
        return end(y0, method=method, steps=7).square().sum()

    def loss_of_matrix(matrix):
        return end(START, matrix, method, 7).square().sum()

    torch.testing.assert_close(grad(loss_of_start)(START), of_autograd(loss_of_start, START))
    torch.testing.assert_close(grad(loss_of_matrix)(MATRIX), of_autograd(loss_of_matrix, MATRIX))


@pytest.mark.parametrize("method", FIXED)
def test_vmap_solves_each_as_alone(method):
    starts = torch.stack((START, -2 * START, START.flip(0)))

    def solved(y0):
        return end(y0, method=method, steps=7)

    alone = torch.stack([solved(y0) for y0 in starts])
    torch.testing.assert_close(vmap(solved)(starts), alone, rtol=1e-12, atol=1e-12)
    gradients = vmap(grad(lambda y0: solved(y0).square().sum()))(starts)
    expected = torch.stack([of_autograd(lambda y0: solved(y0).square().sum(), y) for y in starts])
    torch.testing.assert_close(gradients, expected, rtol=1e-12, atol=1e-12)


def test_vmap_over_parameters_is_an_ensemble():
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)).double() for _ in range(3)]
    stacked = {
        name: torch.stack([dict(net.named_parameters())[name].detach() for net in nets])
        for name, _ in nets[0].named_parameters()
    }
    spec = SolveSpec(method="midpoint", num_steps=5)

    def solved(parameters):
        def field(t, y):
            return functional_call(nets[0], parameters, (y,))

        return solve(field, START, TIMES, spec).values

    alone = torch.stack([solve(lambda t, y, n=n: n(y), START, TIMES, spec).values for n in nets])
    torch.testing.assert_close(vmap(solved)(stacked), alone.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_the_jacobian_is_the_exponential_of_the_matrix(jacobian):
    found = jacobian(lambda y0: end(y0, steps=200))(START)
    torch.testing.assert_close(found, torch.matrix_exp(MATRIX), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("method", FIXED)
def test_gradients_can_be_differentiated_again(method):
    def loss(y0):
        return end(y0.sin(), MATRIX, method, 5).square().sum()

    assert torch.autograd.gradcheck(loss, START.clone().requires_grad_())
    assert torch.autograd.gradgradcheck(loss, START.clone().requires_grad_())
    once_more = torch.autograd.functional.hessian(loss, START)
    torch.testing.assert_close(hessian(loss)(START), once_more)


@pytest.mark.parametrize("method", ["dopri5", "adams"])
def test_vmap_over_steps_that_follow_the_state_is_refused(method):
    spec = SolveSpec(method=method)
    with pytest.raises(ValueError, match="use a fixed-step solver such as rk4"):
        vmap(lambda y0: solve(lambda t, y: -y, y0, TIMES, spec).values)(START)


class Net:
    def __init__(self):
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))

    def at(self, t, y):
        return t * self.net(y)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("name", [m.name for m in METHODS.values() if m.tableau])
def test_a_step_is_one_graph(name, enabled):
    """Nothing in it waits for a value, so a compiler sees all of it."""
    stepper, field = RungeKutta(METHODS[name]), Net()
    adaptive = METHODS[name].kind == "adaptive"

    def taken(y0, t0, t1):
        step = stepper.step(field, t0, t1, y0, stepper.init(field, t0, y0))
        return (step.y1, step.error(), step.values([0.2])) if adaptive else (step.y1,)

    torch._dynamo.reset()
    y0 = torch.randn(4, 2)
    with torch.set_grad_enabled(enabled):
        compiled = torch.compile(taken, fullgraph=True, backend="eager")(y0, 0.1, 0.3)
        for one, other in zip(compiled, taken(y0, 0.1, 0.3), strict=True):
            torch.testing.assert_close(one, other)
