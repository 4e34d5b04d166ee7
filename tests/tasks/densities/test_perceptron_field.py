import pytest
import torch
from torch.autograd.functional import jacobian

from node_cli.tasks.densities.perceptron_field import LAYERS, HypernetworkField, LayeredField

FIELDS = {
    "hypernetwork": lambda d: HypernetworkField(d, width=6, hidden=5),
    **{
        f"{layer}-{activation}-{len(hidden)}": (
            lambda d, layer=layer, activation=activation, hidden=hidden: LayeredField(
                d, hidden, layer, activation
            )
        )
        for layer in LAYERS
        for activation in ("tanh", "softplus")
        for hidden in ((7,), (6, 5, 4))
    },
    "spectral": lambda d: LayeredField(d, (6, 6), "concat", spectral_norm=True),
}


@pytest.fixture(params=FIELDS)
def field(request):
    torch.manual_seed(1)
    return FIELDS[request.param](3).double()


@pytest.fixture
def points():
    return torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


T = torch.tensor(0.37, dtype=torch.float64)


def true_jacobian(field, z):
    """By torch, ``[N, out, in]``."""
    return torch.stack([jacobian(lambda x: field(T, x.unsqueeze(0))[0], point) for point in z])


def test_the_jacobian_is_that_of_autograd(field, points):
    truth = true_jacobian(field, points)
    value, found = field.jacobian(T, points)
    torch.testing.assert_close(value, field(T, points))
    torch.testing.assert_close(found.permute(1, 2, 0), truth)


def test_the_traces_are_those_of_autograd(field, points):
    truth = true_jacobian(field, points).diagonal(dim1=1, dim2=2).sum(dim=1)
    for value, trace in [
        field.exact_trace(T, points),
        *([field.closed_form_trace(T, points)] if field.has_closed_form else []),
    ]:
        torch.testing.assert_close(value, field(T, points))
        torch.testing.assert_close(trace, truth)


def test_a_jacobian_vector_product_is_that_of_autograd(field, points):
    tangents = torch.randn_like(points)
    value, found = field.jvp(T, points, tangents)
    torch.testing.assert_close(value, field(T, points))
    truth = torch.einsum("nij,nj->ni", true_jacobian(field, points), tangents)
    torch.testing.assert_close(found, truth)


def test_gradients_of_the_traces_are_right(field, points):
    """Against finite differences, for the points and for every parameter."""
    parameters = list(field.parameters())
    for trace_of in (field.exact_trace, *([field.closed_form_trace] * field.has_closed_form)):
        inputs = (points[:2].clone().requires_grad_(), *parameters)
        assert torch.autograd.gradcheck(
            lambda z, *_, trace_of=trace_of: trace_of(T, z)[1], inputs, atol=1e-6
        )


def test_only_one_hidden_layer_has_a_closed_form():
    assert HypernetworkField(2, 4, 4).has_closed_form
    assert LayeredField(2, (4,), "concat").has_closed_form
    assert not LayeredField(2, (4, 4), "concat").has_closed_form


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_what_its_formula_says(layer):
    torch.manual_seed(0)
    made = LAYERS[layer](3, 4)
    z, t = torch.randn(6, 3), torch.tensor(0.6)
    weight, bias = made.at(t)
    found = z @ weight.t() + bias
    if layer == "concat":
        truth = made.linear(torch.cat((t.expand(6, 1), z), dim=1))
    elif layer == "concat-squash":
        time = t.reshape(1, 1)
        truth = made.linear(z) * torch.sigmoid(made.gate(time)) + made.shift(time)
    else:
        truth = (1 - t) * made.linear(z) + t * made.later(z)
    torch.testing.assert_close(found, truth)


def test_the_hypernetwork_field_is_the_sum_of_the_paper():
    torch.manual_seed(0)
    field = HypernetworkField(2, width=5, hidden=4)
    z, t = torch.randn(7, 2), torch.tensor(1.3)
    numbers = torch.tanh(field.time2(torch.tanh(field.time1(t.reshape(1)))))
    w, u, gate, b = field.time3(numbers).split([10, 10, 10, 5])
    total = torch.zeros(7, 2)
    for k in range(5):
        inner = torch.tanh(z @ w.view(5, 2)[k] + b[k])
        total += inner[:, None] * (u.view(5, 2)[k] * torch.sigmoid(gate.view(5, 2)[k]))
    torch.testing.assert_close(field(t, z), total / 5)


def test_spectral_normalisation_bounds_each_layer():
    torch.manual_seed(0)
    field = LayeredField(3, (16, 16), "concat-coeff", spectral_norm=True)
    for parameter in field.parameters():
        parameter.data.mul_(5)
    for _ in range(200):
        field.iterate_power()
    for layer in field.layers:
        for linear in (layer.linear, layer.later):
            largest = torch.linalg.matrix_norm(linear.weight.detach(), 2)
            assert float(largest) == pytest.approx(1, rel=1e-3)


def test_under_spectral_normalisation_a_field_stays_the_same_within_a_solve():
    torch.manual_seed(0)
    field = LayeredField(3, (16,), "concat", spectral_norm=True).train()
    z, t = torch.randn(4, 3), torch.tensor(0.1)
    with torch.no_grad():
        for layer in field.layers:
            layer.linear.parametrizations.weight.original.add_(
                torch.randn_like(layer.linear.weight)
            )
    first = field(t, z)
    assert torch.equal(field(t, z), first)
    field.iterate_power()
    assert not torch.equal(field(t, z), first)
