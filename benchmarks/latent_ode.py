"""A training step of ours beside one of torchdiffeq's latent_ode.py, on the same work.

Usage:
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/latent_ode.py torchdiffeq/examples/latent_ode.py

1,000 spirals with 100 points each, as the example makes them, in one batch; the same weights, noise
and optimizer, in turns. ``--tolerances default`` are torchdiffeq's own (1e-7, 1e-9), ``ours`` those
of ``tolerance=typical`` (1e-3, 1e-4), for both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from side_by_side import (
    Step,
    Work,
    add_device_option,
    load_example,
    machine,
    ratio,
    stepper,
    take_turns,
    timed,
    weights_of,
)
from torch import Tensor, nn

from node_cli.solving import SolveSpec
from node_cli.solving.spec import AdjointMode
from node_cli.tasks.series.latent_series import LatentOde, negative_elbo
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.recognition import RecurrentEncoder
from node_cli.tasks.series.schema import LatentOdeConfig

TOLERANCES = {"default": (1e-7, 1e-9), "ours": (1e-3, 1e-4)}
NOISE = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's latent_ode.py")
    parser.add_argument("--steps", type=int, default=30, help="timed steps of each")
    add_device_option(parser)
    arguments = parser.parse_args()
    torch.set_default_device(arguments.device)  # of all tensors that both sides make
    print(f"{machine(arguments.device)}, 1,000 x 100 points")
    print(
        "| tolerances | gradients | theirs, s/step | ours, s/step | theirs / ours | last losses |"
    )
    print("|---|---|---|---|---|---|")
    modes: tuple[AdjointMode, ...] = ("direct", "full")
    for name in TOLERANCES:
        for mode in modes:
            compare(arguments.example, mode, name, arguments.steps)


def compare(path: Path, mode: AdjointMode, tolerances: str, steps: int) -> None:
    work = training(path, mode, tolerances)
    found = take_turns({name: timed(step) for name, step in work.steps.items()}, steps)
    theirs, ours = found["torchdiffeq"], found["ours"]
    rtol, atol = TOLERANCES[tolerances]
    print(
        f"| {tolerances}: {rtol:g}, {atol:g} | {'adjoint' if mode == 'full' else mode} |"
        f" {theirs.median:.3f} | {ours.median:.3f} | {ratio(theirs, ours):.2f} |"
        f" {theirs.values[-1]:.3f}, {ours.values[-1]:.3f} |",
        flush=True,
    )


def training(path: Path, mode: AdjointMode, tolerances: str, **ours: Any) -> Work:
    """Steps of training; ``ours`` are further settings of our solves."""
    rtol, atol = TOLERANCES[tolerances]
    # Theirs knows one adjoint.
    example = load_example(path, "--adjoint", str(mode in ("full", "seminorm")))
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    _, points, _, times = example.generate_spiral2d(
        nspiral=1000, start=0.0, stop=6 * np.pi, noise_std=NOISE, a=0.0, b=0.3, savefig=False
    )
    values, t = (torch.tensor(array, dtype=torch.float32) for array in (points, times))
    parts = [example.LatentODEfunc(4, 20), example.RecognitionRNN(4, 2, 25, 1000)]
    parts.append(example.Decoder(4, 2, 20))
    model = our_model(mode, rtol, atol, **ours)
    copy_weights(parts, model)
    theirs = nn.ModuleList(parts)
    weights = weights_of(theirs.parameters())
    fused = ours.get("compile") == "step"  # as in training
    steps = {
        "ours": stepper(model.parameters(), our_loss(model, values, t), lr=0.01, fused=fused),
        "torchdiffeq": stepper(
            theirs.parameters(), their_loss(example, parts, values, t, rtol, atol), lr=0.01
        ),
    }

    def with_noise(step: Callable[[], float]) -> Step:
        def run(number: int) -> float:
            torch.manual_seed(number)  # the same noise for both
            return step()

        return run

    def shared(turns: int) -> dict[str, np.ndarray]:
        return weights | {"values": points, "times": times, "noise": noise(turns)}

    return Work(
        "latent-spirals",
        {"adjoint": mode, "rtol": rtol, "atol": atol, "noise": NOISE, "lr": 0.01},
        {name: with_noise(step) for name, step in steps.items()},
        shared,
        {"ours": model},
    )


def noise(turns: int) -> np.ndarray:
    """The draws of each turn's sample of z(0), ``[turns, 1000, 4]``."""
    drawn = []
    for number in range(turns):
        torch.manual_seed(number)
        drawn.append(torch.randn(1000, 4).cpu().numpy())
    return np.stack(drawn)


def our_model(mode: AdjointMode, rtol: float, atol: float, **further: Any) -> LatentOde:
    config = LatentOdeConfig(
        name="latent-ode",
        latent=4,
        hidden=(20, 20),
        encoder="rnn",
        encoder_hidden=25,
        encoder_gaps=False,
        decoder_hidden=20,
        noise=NOISE,
        learn_noise=False,
        kl_warmup=0.0,
        samples=1,
        iwae_samples=1,
        poisson=False,
    )
    return LatentOde(config, 2, False, SolveSpec(rtol=rtol, atol=atol, adjoint=mode, **further))


def copy_weights(theirs: list[nn.Module], ours: LatentOde) -> None:
    """Copy the weights; the example has those of input and state in one matrix."""
    dynamics, recognition, decoder = theirs
    encoder = ours.encoder
    assert isinstance(encoder, RecurrentEncoder)
    with torch.no_grad():
        for source, target in ((dynamics, ours.field), (decoder, ours.decoder)):
            for a, b in zip(source.parameters(), target.parameters(), strict=True):
                b.copy_(a)
        both = recognition.i2h.weight
        encoder.recurrent.from_input.weight.copy_(both[:, :2])
        encoder.recurrent.from_input.bias.copy_(recognition.i2h.bias)
        encoder.recurrent.from_state.weight.copy_(both[:, 2:])
        encoder.to_posterior.load_state_dict(recognition.h2o.state_dict())


def their_loss(
    example: ModuleType, parts: list[nn.Module], x: Tensor, t: Tensor, rtol: float, atol: float
) -> Callable[[], Tensor]:
    """What the example's script does in an iteration."""
    dynamics, recognition, decoder = parts

    def loss() -> Tensor:
        h = recognition.initHidden()
        for i in reversed(range(x.size(1))):
            out, h = recognition.forward(x[:, i, :], h)
        mean, log_variance = out[:, :4], out[:, 4:]
        z0 = torch.randn(mean.size()) * torch.exp(0.5 * log_variance) + mean
        z = example.odeint(dynamics, z0, t, rtol=rtol, atol=atol).permute(1, 0, 2)
        predicted = decoder(z)
        log_noise = 2 * torch.log(torch.zeros(predicted.size()) + NOISE)
        log_likelihood = example.log_normal_pdf(x, predicted, log_noise).sum(-1).sum(-1)
        zeros = torch.zeros(z0.size())
        divergence = example.normal_kl(mean, log_variance, zeros, zeros).sum(-1)
        return torch.mean(-log_likelihood + divergence, dim=0)

    return loss


def our_loss(model: LatentOde, x: Tensor, t: Tensor) -> Callable[[], Tensor]:
    shape = x.shape[:2]
    series = Series(
        t.expand(shape),
        x,
        x,
        torch.ones_like(x, dtype=torch.bool),
        torch.full(shape, ROLES["observed"]),
    )
    return lambda: negative_elbo(model(series), 1.0)[0].mean()


if __name__ == "__main__":
    main()
