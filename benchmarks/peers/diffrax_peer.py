"""The works in JAX, solved by diffrax, each step jitted as a whole."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

VERSION = importlib.metadata.version("diffrax") + ", jax " + jax.__version__
Arrays = dict[str, np.ndarray]
Field = Callable[[Any, Any, Any], Any]


def lacks(device: str) -> str | None:
    """Why it does not compute on a device; None: it does."""
    if device == "cpu" or jax.default_backend() == "gpu":
        return None
    return f"jax {jax.__version__} has no GPU, only {jax.default_backend()}; install jax[cuda13]"


def solver(settings: dict[str, Any]) -> Callable[[Field, Any, Array, Any], Any]:
    """The states at the times, by dopri5 with the settings' tolerances and gradients."""
    control = diffrax.PIDController(rtol=settings["rtol"], atol=settings["atol"])
    adjoint: diffrax.AbstractAdjoint = diffrax.RecursiveCheckpointAdjoint()
    if settings["adjoint"] in ("full", "seminorm"):
        backwards = control
        if settings["adjoint"] == "seminorm":
            backwards = diffrax.PIDController(
                rtol=settings["rtol"], atol=settings["atol"], norm=diffrax.adjoint_rms_seminorm
            )
        adjoint = diffrax.BacksolveAdjoint(stepsize_controller=backwards)
    elif settings["adjoint"] == "none":
        adjoint = diffrax.DirectAdjoint()

    def solve(field: Field, y0: Any, t: Array, weights: Any) -> Any:
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Dopri5(),
            t[0],
            t[-1],
            None,
            y0,
            args=weights,
            saveat=diffrax.SaveAt(ts=t),
            stepsize_controller=control,
            adjoint=adjoint,
            max_steps=4096,
        )
        return found.ys

    return solve


def training(
    loss_of: Callable[..., Array],
    weights: list[Array],
    optimizer: optax.GradientTransformation,
    batches: Callable[[int], tuple[Array, ...]],
) -> Callable[[int], float]:
    """A jitted step of training."""
    state = optimizer.init(weights)

    @jax.jit
    def step(weights: list[Array], state: Any, *batch: Array) -> tuple[Any, Any, Array]:
        loss, gradient = jax.value_and_grad(loss_of)(weights, *batch)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(weights, updates), state, loss

    def run(number: int) -> float:
        nonlocal weights, state
        weights, state, loss = jax.block_until_ready(step(weights, state, *batches(number)))
        return float(loss)

    return run


def weights_in(given: Arrays) -> list[Array]:
    count = sum(name.startswith("weights/") for name in given)
    return [jnp.asarray(given[f"weights/{i}"]) for i in range(count)]


def float32(array: np.ndarray) -> Array:
    return jnp.asarray(array, dtype=jnp.float32)


def linear(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T + bias


def cnf(settings: dict[str, Any], given: Arrays, device: str) -> Callable[[int], float]:
    solve = solver(settings)
    variance, width = 0.1, 64

    def field(t: Array, y: tuple[Array, Array], weights: list[Array]) -> tuple[Array, Array]:
        hidden = jnp.tanh(linear(t.reshape(1, 1), *weights[:2]))
        parameters = linear(jnp.tanh(linear(hidden, *weights[2:4])), *weights[4:]).reshape(-1)
        w, u, gate, b = jnp.split(parameters, [2 * width, 4 * width, 6 * width])
        w = w.reshape(width, 2)
        u = u.reshape(width, 2) * jax.nn.sigmoid(gate.reshape(width, 2))
        h = jnp.tanh(y[0] @ w.T + b)
        trace = (1 - h * h) @ (w * u).sum(1) / width
        return h @ u / width, -trace[:, None]

    def loss(weights: list[Array], points: Array) -> Array:
        t = jnp.asarray([settings["T"], 0.0])
        start = (points, jnp.zeros((len(points), 1)))
        z, change = solve(field, start, t, weights)
        log_density = -(z[-1] ** 2).sum(1) / (2 * variance) - math.log(2 * math.pi * variance)
        return -(log_density - change[-1][:, 0]).mean()

    batches = [float32(points) for points in given["points"]]
    adam = optax.adam(settings["lr"])
    return training(loss, weights_in(given), adam, lambda number: (batches[number],))


def latent(settings: dict[str, Any], given: Arrays, device: str) -> Callable[[int], float]:
    solve = solver(settings)
    x, t = float32(given["values"]), float32(given["times"])
    log_variance_of_noise = 2 * math.log(settings["noise"])

    def field(t: Array, z: Array, weights: list[Array]) -> Array:
        hidden = jax.nn.elu(linear(z, *weights[:2]))
        return linear(jax.nn.elu(linear(hidden, *weights[2:4])), *weights[4:6])

    def loss(weights: list[Array], noise: Array) -> Array:
        def recognize(h: Array, values: Array) -> tuple[Array, None]:
            return jnp.tanh(linear(jnp.concatenate((values, h), 1), *weights[6:8])), None

        h, _ = jax.lax.scan(recognize, jnp.zeros((len(x), 25)), x.swapaxes(0, 1), reverse=True)
        mean, log_variance = jnp.split(linear(h, *weights[8:10]), 2, axis=1)
        z = solve(field, noise * jnp.exp(0.5 * log_variance) + mean, t, weights)
        hidden = jax.nn.relu(linear(z.swapaxes(0, 1), *weights[10:12]))
        error = x - linear(hidden, *weights[12:14])
        scaled = error**2 / math.exp(log_variance_of_noise)
        likelihood = -0.5 * (math.log(2 * math.pi) + log_variance_of_noise + scaled)
        divergence = 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance)
        return (divergence.sum(-1) - likelihood.sum((-1, -2))).mean()

    draws = [float32(noise) for noise in given["noise"]]
    adam = optax.adam(settings["lr"])
    return training(loss, weights_in(given), adam, lambda number: (draws[number],))


def dynamics(settings: dict[str, Any], given: Arrays, device: str) -> Callable[[int], float]:
    solve = solver(settings)
    t = float32(given["times"])

    def field(t: Array, y: Array, weights: list[Array]) -> Array:
        return linear(jnp.tanh(linear(y**3, *weights[:2])), *weights[2:])

    def loss(weights: list[Array], first: Array, states: Array) -> Array:
        return jnp.abs(solve(field, first, t, weights) - states).mean()

    batches = [
        (float32(first), float32(states))
        for first, states in zip(given["first"], given["states"], strict=True)
    ]
    rmsprop = optax.rmsprop(settings["lr"], decay=0.99, eps=1e-8, eps_in_sqrt=False)
    return training(loss, weights_in(given), rmsprop, lambda number: batches[number])


def convolution(x: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    pads = [(padding, padding)] * 2
    layout = ("NCHW", "OIHW", "NCHW")
    found = jax.lax.conv_general_dilated(
        x, weight, (stride, stride), pads, dimension_numbers=layout
    )
    return found + bias[:, None, None]


def group_norm(x: Array, weight: Array, bias: Array) -> Array:
    groups = x.reshape(len(x), min(32, x.shape[1]), -1)
    mean, variance = groups.mean(-1, keepdims=True), groups.var(-1, keepdims=True)
    scaled = ((groups - mean) / jnp.sqrt(variance + 1e-5)).reshape(x.shape)
    return scaled * weight[:, None, None] + bias[:, None, None]


def mnist(settings: dict[str, Any], given: Arrays, device: str) -> Callable[[int], float]:
    solve = solver(settings)
    relu = jax.nn.relu

    def with_time(t: Array, x: Array, weight: Array, bias: Array) -> Array:
        times = jnp.full_like(x[:, :1], t)
        return convolution(jnp.concatenate((times, x), 1), weight, bias, 1, 1)

    def field(t: Array, x: Array, w: list[Array]) -> Array:
        x = with_time(t, relu(group_norm(x, *w[0:2])), *w[2:4])
        return group_norm(with_time(t, relu(group_norm(x, *w[4:6])), *w[6:8]), *w[8:10])

    def loss(w: list[Array], images: Array, labels: Array) -> Array:
        x = convolution(images, *w[0:2], 1, 0)
        x = convolution(relu(group_norm(x, *w[2:4])), *w[4:6], 2, 1)
        x = convolution(relu(group_norm(x, *w[6:8])), *w[8:10], 2, 1)
        x = solve(field, x, jnp.asarray([0.0, 1.0]), w[10:20])[-1]
        x = relu(group_norm(x, *w[20:22])).mean((2, 3))
        return optax.softmax_cross_entropy_with_integer_labels(linear(x, *w[22:24]), labels).mean()

    batches = [
        (float32(images), jnp.asarray(labels))
        for images, labels in zip(given["images"], given["labels"], strict=True)
    ]
    sgd = optax.sgd(settings["lr"], momentum=0.9)
    return training(loss, weights_in(given), sgd, lambda number: batches[number])


def plain(settings: dict[str, Any], given: Arrays, device: str) -> Callable[[int], float]:
    tolerance = settings["tolerance"]
    mode = "direct" if settings["gradient"] else "none"
    solve = solver({"rtol": tolerance, "atol": tolerance, "adjoint": mode})
    starts = [float32(start) for start in given["starts"]]
    weights = weights_in(given)

    def field(t: Array, y: Array, weights: list[Array]) -> Array:
        return jnp.tanh(y @ weights[0]) @ weights[1]

    def value(weights: list[Array], y0: Array) -> Array:
        t = jnp.asarray([0.0, settings["T"]])
        return (solve(field, y0, t, weights)[-1] ** 2).mean()

    if settings["gradient"]:
        step = jax.jit(jax.value_and_grad(value))
        return lambda number: float(jax.block_until_ready(step(weights, starts[number]))[0])
    step = jax.jit(value)
    return lambda number: float(step(weights, starts[number]))


def van_der_pol(settings: dict[str, Any], given: Arrays, device: str) -> Callable[[int], float]:
    tolerance = settings["tolerance"]
    solve = solver({"rtol": tolerance, "atol": tolerance, "adjoint": "none"})
    mu, t = float32(given["mu"]), float32(given["times"])
    starts = [float32(start) for start in given["starts"]]

    def field(t: Array, y: Array, mu: Array) -> Array:
        x, v = y[..., 0], y[..., 1]
        return jnp.stack((v, mu * (1 - x * x) * v - x), axis=-1)

    @jax.jit
    def step(y0: Array) -> Array:
        return (solve(field, y0, t, mu) ** 2).mean()

    return lambda number: float(step(starts[number]))


WORKS = {
    "cnf-2d": cnf,
    "latent-spirals": latent,
    "dynamics": dynamics,
    "mnist-odenet": mnist,
    "solve": plain,
    "van-der-pol": van_der_pol,
}
