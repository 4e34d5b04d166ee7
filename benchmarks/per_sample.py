"""What steps of its own for each sample would save: counts of one joint solve beside torchode's.

Usage:
    pip install -e '.[benchmark]'
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/per_sample.py --examples torchdiffeq/examples

A joint solve takes its steps for all samples at once. With steps of their own the batch goes on
until its slowest sample is through, and evaluates all of them as often as that one needs, unless
those that are through are left out: then it evaluates the mean. Both are compared with ours, for
trained weights, by dopri5.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cnf_2d
import latent_ode
import numpy as np
import torch
import torchode
import van_der_pol
from side_by_side import load_example, machine
from torch import Tensor, nn

from node_cli.solving import SolveSpec, solve

TRAINING = 40


class Case(NamedTuple):
    """A batch to be solved; ``field(t, y)`` takes one time for all samples or one for each."""

    name: str
    field: Callable[[Tensor, Tensor], Tensor]
    y0: Tensor
    times: Tensor
    rtol: float
    atol: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=Path, required=True)
    examples: Path = parser.parse_args().examples
    print(f"{machine('cpu')}, torchode {torchode.__version__}")
    print("| work | joint steps | own steps: mean | most | joint / most | joint / mean |")
    print("|---|---|---|---|---|---|")
    for case in (*_van_der_pol(), *_latent(examples), *_cnf(examples)):
        joint, own = counted(case)
        mean, most = float(own.mean()), int(own.max())
        print(
            f"| {case.name} | {joint} | {mean:.1f} | {most} | {joint / most:.2f} |"
            f" {joint / mean:.2f} |",
            flush=True,
        )


@torch.no_grad()
def counted(case: Case) -> tuple[int, Tensor]:
    """Steps of ours, rejected ones included, and of each sample alone, ``[batch]``."""
    spec = SolveSpec(rtol=case.rtol, atol=case.atol)
    stats = solve(case.field, case.y0, case.times, spec).stats
    term = torchode.ODETerm(case.field)
    control = torchode.IntegralController(case.atol, case.rtol, term=term)
    alone = torchode.AutoDiffAdjoint(torchode.Dopri5(term=term), control)
    times = case.times.expand(len(case.y0), -1)
    found = alone.solve(torchode.InitialValueProblem(y0=case.y0, t_eval=times))
    return stats.steps_accepted + stats.steps_rejected, found.stats["n_steps"].double()


def _van_der_pol() -> Iterator[Case]:
    draw = torch.Generator().manual_seed(0)
    y0 = 2 * torch.randn((256, 2), generator=draw)
    for largest in (5.0, 10.0):
        mu = torch.linspace(0.0, largest, 256)
        times = torch.linspace(0.0, van_der_pol.cycle(largest), van_der_pol.OUTPUTS)
        name = f"van-der-pol, mu up to {largest:g}"
        yield Case(name, van_der_pol.field_of(mu), y0, times, 1e-5, 1e-5)


def _latent(examples: Path) -> Iterator[Case]:
    work = latent_ode.training(examples / "latent_ode.py", "direct", "ours")
    for number in range(TRAINING):
        work.steps["ours"](number)
    model = work.models["ours"]
    times = torch.tensor(work.shared(1)["times"], dtype=torch.float32)
    draw = torch.Generator().manual_seed(0)
    y0 = torch.randn((1000, 4), generator=draw)
    for rtol, atol in latent_ode.TOLERANCES.values():
        name = f"latent-spirals, {rtol:g}/{atol:g}"
        yield Case(name, lambda t, y: model.field(t, y), y0, times, rtol, atol)


def _cnf(examples: Path) -> Iterator[Case]:
    work = cnf_2d.training(examples / "cnf.py", "direct")
    for number in range(TRAINING):
        work.steps["ours"](number)
    theirs = load_example(examples / "cnf.py")
    network: nn.Module = theirs.HyperNetwork(2, 32, 64)
    with torch.no_grad():
        for a, b in zip(network.parameters(), work.models["ours"].parameters(), strict=True):
            a.copy_(b)

    def field(t: Tensor, y: Tensor) -> Tensor:
        w, b, u = torch.func.vmap(network)(t.expand(len(y)))
        w, u, b = w.squeeze(-1), u.squeeze(-2), b.squeeze((-1, -2))
        h = torch.tanh((w * y[:, None, :2]).sum(-1) + b)
        velocity = (h[..., None] * u).mean(1)
        trace = ((1 - h * h) * (w * u).sum(-1)).mean(1)
        return torch.cat((velocity, -trace[:, None]), 1)

    points = torch.tensor(cnf_2d.circles(0).astype(np.float32))
    y0 = torch.cat((points, torch.zeros(len(points), 1)), 1)
    times = torch.tensor([cnf_2d.END_TIME, 0.0])
    yield Case("cnf-2d, 1e-05", field, y0, times, cnf_2d.TOLERANCE, cnf_2d.TOLERANCE)


if __name__ == "__main__":
    main()
