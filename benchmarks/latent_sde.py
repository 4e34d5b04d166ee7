"""A training step of ours beside one of torchsde's latent SDE examples, on the same work.

Usage:
    git clone https://github.com/google-research/torchsde
    pip install torchsde fire tqdm
    python benchmarks/latent_sde.py torchsde/examples/latent_sde.py
    python benchmarks/latent_sde.py torchsde/examples/latent_sde_lorenz.py

The same weights, steps, likelihood and optimizer, in turns, one thread. Brownian paths cannot be
the same, so that losses at the same weights are compared as means over several steps, with their
standard errors.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
import torchsde
from side_by_side import add_device_option, load_example, machine
from torch import Tensor, nn

from node_cli.solving.sde import SdeSpec
from node_cli.solving.sde.spec import SdeAdjoint
from node_cli.tasks.latent_sde.latent_sde import LatentSde, LatentSdeOfOneSeries, LatentSdeOfSeries
from node_cli.tasks.latent_sde.lorenz import stochastic_lorenz
from node_cli.tasks.latent_sde.schema import (
    LatentSdeConfig,
    OuSegmentsConfig,
    StochasticLorenzConfig,
)
from node_cli.tasks.latent_sde.segments import ou_segments
from node_cli.tasks.latent_sde.series import Series

WARM_UP = 2
LEARNING_RATE = 1e-3
SCALE = 0.05  # of the likelihood of the one series, as in the example
LORENZ_NOISE = 0.1  # of the other; the example's 0.01 makes losses that vary too much to compare


class Work(NamedTuple):
    """Two models with the same weights, and their losses on the same data by the step's number."""

    theirs: nn.Module
    ours: LatentSde
    their_loss: Callable[[], Tensor]
    our_loss: Callable[[int], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="latent_sde.py or latent_sde_lorenz.py")
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each")
    parser.add_argument("--batch", type=int, default=512, help="paths or series in a step")
    add_device_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_device(arguments.device)
    example = load_example(arguments.example)
    of_lorenz = "lorenz" in arguments.example.stem
    print(f"{machine(arguments.device)}, {arguments.example.name}, batch {arguments.batch}")
    print("| gradients | theirs, s/step | ours, s/step | theirs / ours | their loss | our loss |")
    print("|---|---|---|---|---|---|")
    modes: tuple[SdeAdjoint, ...] = ("direct", "full")
    for mode in modes:
        torch.manual_seed(0)
        prepare = lorenz if of_lorenz else one_series
        report(
            mode,
            prepare(example, mode, arguments.batch, arguments.device),
            arguments.steps,
            arguments.device,
        )


def report(mode: SdeAdjoint, work: Work, steps: int, device: str) -> None:
    # One thread's time, which other processes do not add to; what a GPU does takes none of it.
    clock = time.process_time if device == "cpu" else time.perf_counter
    losses: list[list[float]] = [[], []]
    seconds: list[list[float]] = [[], []]
    with torch.no_grad():
        for number in range(steps):
            losses[0].append(float(work.their_loss()))
            losses[1].append(float(work.our_loss(1000 + number)))
    sides = [
        (torch.optim.Adam(work.theirs.parameters(), lr=LEARNING_RATE), lambda _: work.their_loss()),
        (torch.optim.Adam(work.ours.parameters(), lr=LEARNING_RATE), work.our_loss),
    ]
    for number in range(steps + WARM_UP):
        for (optimizer, loss_of), spent in zip(sides, seconds, strict=True):
            started = clock()
            optimizer.zero_grad()
            loss_of(number).backward()
            optimizer.step()
            spent.append(clock() - started)
    a, b = (spent[WARM_UP:] for spent in seconds)
    ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
    shown = [
        f"{statistics.mean(values):.2f} ± {statistics.stdev(values) / math.sqrt(steps):.2f}"
        for values in losses
    ]
    print(
        f"| {'adjoint' if mode == 'full' else mode} | {statistics.median(a):.3f} |"
        f" {statistics.median(b):.3f} | {ratio:.2f} | {shown[0]} | {shown[1]} |",
        flush=True,
    )


def one_series(example: ModuleType, mode: SdeAdjoint, batch: int, device: str) -> Work:
    """20 points of a cosine, steps of 0.01, up to the last point."""
    example.args = Namespace(method="euler", dt=1e-2, adaptive=False, rtol=1e-3, atol=1e-3)
    example.sdeint_fn = torchsde.sdeint_adjoint if mode == "full" else torchsde.sdeint
    data = OuSegmentsConfig(
        name="ou-segments", theta=1.0, mu=0.0, sigma=0.5, noise=0.0, steps=1, batch_size=1,
        eval_batch_size=1,
    )  # fmt: skip
    series = ou_segments(data, 0).parts[0].to(torch.device(device))
    times = torch.cat((torch.zeros(1), series.times[0]))
    theirs = example.LatentSDE()
    nn.init.normal_(theirs.net[-1].weight, std=0.1)  # the same for both, and not 0
    ours = LatentSdeOfOneSeries(
        settings(frequencies=1, hidden=200, activation="tanh", likelihood="laplace", noise=SCALE),
        data,
        SdeSpec("ito-euler", step_size=1e-2, adjoint=mode),
    )
    linear = [layer for layer in theirs.net if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        copy_drift(linear, ours.drift, told=slice(0, 2), state=slice(2, 3))

    def their_loss() -> Tensor:
        paths, kl = theirs(ts=times, batch_size=batch)
        likelihood = torch.distributions.Laplace(paths[1:].squeeze(-1), SCALE)
        return kl - likelihood.log_prob(series.values[0]).sum(dim=0).mean(dim=0)

    def our_loss(number: int) -> Tensor:
        return ours(series, batch, number).negative_elbo(1.0).mean()

    return Work(theirs, ours, their_loss, our_loss)


def lorenz(example: ModuleType, mode: SdeAdjoint, batch: int, device: str) -> Work:
    """100 points of each of ``batch`` series, two steps between two of them."""
    data = StochasticLorenzConfig(
        name="stochastic-lorenz", series=batch, validation=1, test=1, points=100, span=2.0,
        forward=0, sigma=10.0, rho=28.0, beta=8 / 3, diffusion=(0.1, 0.28, 0.3), noise=0.01,
        batch_size=batch, eval_batch_size=1,
    )  # fmt: skip
    with torch.device("cpu"):
        series: Series = stochastic_lorenz(data, 0).data_set.parts[0]
    series = series.to(torch.device(device))
    values, times = series.values.transpose(0, 1).contiguous(), series.times[0]
    step = float(times[1] - times[0]) / 2
    theirs = example.LatentSDE(data_size=3, latent_size=4, context_size=64, hidden_size=128)
    ours = LatentSdeOfSeries(
        settings(hidden=128, activation="softplus", likelihood="normal", noise=LORENZ_NOISE),
        3,
        gaps=False,
        masked=False,
        spec=SdeSpec("ito-euler", step_size=step * 1.001, adjoint=mode),
    )
    copy_lorenz(theirs, ours)
    solve = torchsde.sdeint_adjoint if mode == "full" else torchsde.sdeint
    # The example says 0.01 in its code; the steps that meet all times are a little longer.
    stretched = Namespace(
        sdeint=lambda *given, **named: solve(*given, **{**named, "dt": step}),
        sdeint_adjoint=lambda *given, **named: solve(*given, **{**named, "dt": step}),
    )
    example.torchsde = stretched

    def their_loss() -> Tensor:
        likelihood, kl = theirs(values, times, LORENZ_NOISE, adjoint=mode == "full")
        return kl - likelihood

    def our_loss(number: int) -> Tensor:
        return ours(series, 1, number).negative_elbo(1.0).mean()

    return Work(theirs, ours, their_loss, our_loss)


def settings(frequencies: int | None = None, **changes: object) -> LatentSdeConfig:
    return LatentSdeConfig.model_validate(
        {
            "name": "latent-sde",
            "latent": None,
            "context": None,
            "frequencies": frequencies,
            "calculus": "ito",
            "learn_noise": False,
            "kl_warmup": 0.0,
            "samples": None,
            "eval_samples": None,
            **changes,
        }
    )


def copy_drift(linear: list[nn.Linear], drift: nn.Module, told: slice, state: slice) -> None:
    """A perceptron into one whose first layer is in two parts."""
    first, second, last = linear
    drift.of_told.weight.copy_(first.weight[:, told])
    drift.of_told.bias.copy_(first.bias)
    drift.of_state.weight.copy_(first.weight[:, state])
    copy_in_order((second, last), drift.rest.parameters())


def copy_lorenz(theirs: nn.Module, ours: LatentSdeOfSeries) -> None:
    with torch.no_grad():
        copy_in_order(
            [theirs.encoder, theirs.qz0_net], ours.encoder.parameters(), ours.to_start.parameters()
        )
        linear = [layer for layer in theirs.f_net if isinstance(layer, nn.Linear)]
        copy_drift(linear, ours.drift, told=slice(4, None), state=slice(0, 4))
        copy_in_order([theirs.h_net], ours.drift_of_prior.parameters())
        diagonal = ours.diagonal
        for i, net in enumerate(theirs.g_nets):
            diagonal.weight[i], diagonal.bias[i] = net[0].weight[:, 0], net[0].bias
            diagonal.out_weight[i], diagonal.out_bias[i] = net[2].weight[0], net[2].bias[0]
        copy_in_order([theirs.projector], ours.decoder.parameters())


def copy_in_order(source: Iterable[nn.Module], *targets: Iterable[Tensor]) -> None:
    """Parameters, by an order that is the same on both sides."""
    given = [parameter for module in source for parameter in module.parameters()]
    taken = [parameter for target in targets for parameter in target]
    for theirs, ours in zip(given, taken, strict=True):
        ours.copy_(theirs)


if __name__ == "__main__":
    main()
