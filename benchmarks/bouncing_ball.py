"""A ball that bounces, ours beside torchdiffeq's bouncing_ball.py, on the same work.

Usage:
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/bouncing_ball.py torchdiffeq/examples/bouncing_ball.py

The same ball, solver (dopri5 at 1e-8) and float64, in turns: the times of ten impacts with the
gradient of the last one, as the example's ``gradcheck`` has them, and the heights along the path
with the gradient of their sum, as ``simulate`` gives them. Times, heights and gradients are
compared; heights at the very times of impacts are left out, where theirs move along with the
impact. As in the example the ball is lifted by 1e-7 at each impact, which ours would not need.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from side_by_side import load_example
from torch import Tensor, nn

from node_cli.solving import EventSolution, SolveSpec, solve_with_events
from node_cli.solving.spec import AdjointMode

TOLERANCE = 1e-8
LIFT = 1e-7
WARM_UP = 2

# The numbers that are compared, and the gradients of the ball's parameters.
Result = tuple[Tensor, list[Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's bouncing_ball.py")
    parser.add_argument("--steps", type=int, default=20, help="timed iterations of each")
    parser.add_argument("--bounces", type=int, default=10)
    arguments = parser.parse_args()
    example = load_example(arguments.example)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float64")
    print(
        "| iteration | gradients | theirs, s | ours, s | theirs / ours | last time, or sum |"
        " largest difference | of gradients, relative |"
    )
    print("|---|---|---|---|---|---|---|---|")
    modes: tuple[AdjointMode, ...] = ("direct", "full", "checkpointed")
    for mode in modes:
        theirs = example.BouncingBallExample(adjoint=mode == "full")
        ours = Ball(mode)
        compare_one(theirs, ours, arguments.bounces, arguments.steps)


def compare_one(theirs: nn.Module, ours: Ball, bounces: int, steps: int) -> None:
    with torch.no_grad():
        path, _, _, impacts = theirs.simulate(bounces)
    end = path[-1:] + 1e-3
    inside = ~torch.isin(path, torch.stack(impacts).reshape(-1))

    def their_times() -> Tensor:
        return torch.stack([time.reshape(()) for time in theirs.get_collision_times(bounces)])

    balls = (theirs, ours)
    of_times = (their_times, lambda: ours.impacts(end, bounces))
    compare(f"times of {bounces} impacts", of_times, lambda values: values[-1], balls, steps)
    if ours.spec.adjoint == "full":
        return  # the example's path is backpropagated directly
    of_heights = (lambda: theirs.simulate(bounces)[1][inside], lambda: ours.heights(path)[inside])
    compare(f"{len(path)} heights", of_heights, torch.sum, balls, steps)


class Ball(nn.Module):
    """The example's ball, with its parameters."""

    def __init__(self, mode: AdjointMode) -> None:
        super().__init__()
        self.gravity = nn.Parameter(torch.tensor([9.8]))
        self.log_radius = nn.Parameter(torch.log(torch.tensor([0.2])))
        self.init_pos = nn.Parameter(torch.tensor([10.0]))
        self.init_vel = nn.Parameter(torch.tensor([0.0]))
        self.absorption = nn.Parameter(torch.tensor([0.2]))
        self.spec = SolveSpec(rtol=TOLERANCE, atol=TOLERANCE, adjoint=mode)

    def field(self, t: Tensor, y: Tensor) -> Tensor:
        return torch.cat((y[1:], -self.gravity))

    def above_the_ground(self, t: Tensor, y: Tensor) -> Tensor:
        return y[:1] - self.log_radius.exp()

    def bounce(self, t: Tensor, y: Tensor) -> Tensor:
        return torch.cat((y[:1] + LIFT, -y[1:] * (1 - self.absorption)))

    def solve(self, times: Tensor) -> EventSolution:
        start = torch.cat((self.init_pos, self.init_vel))
        return solve_with_events(
            self.field,
            start,
            times,
            self.spec,
            self.above_the_ground,
            self.bounce,
            (self.gravity,),
        )

    def impacts(self, end: Tensor, count: int) -> Tensor:
        events = self.solve(torch.cat((torch.zeros(1), end))).events
        assert len(events) == count
        return torch.stack([event.time for event in events])

    def heights(self, times: Tensor) -> Tensor:
        values = self.solve(times).values
        assert isinstance(values, Tensor)
        return values[:, 0]


def compare(
    what: str,
    runs: Sequence[Callable[[], Tensor]],
    loss: Callable[[Tensor], Tensor],
    balls: Sequence[nn.Module],
    steps: int,
) -> None:
    mode = balls[1].spec.adjoint
    seconds: list[list[float]] = [[], []]
    results: list[Result] = []
    for _ in range(steps + WARM_UP):
        results = []
        for run, ball, spent in zip(runs, balls, seconds, strict=True):
            ball.zero_grad()
            started = time.perf_counter()
            values = run()
            loss(values).backward()
            spent.append(time.perf_counter() - started)
            # Theirs has the initial time as a parameter too, ours has it as a number.
            gradients = [
                parameter.grad for name, parameter in ball.named_parameters() if name != "t0"
            ]
            results.append((values.detach(), gradients))
    a, b = (spent[WARM_UP:] for spent in seconds)
    ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
    (x, of_x), (y, of_y) = results
    slopes = max(float(((p - q) / p).abs().max()) for p, q in zip(of_x, of_y, strict=True))
    print(
        f"| {what} | {'adjoint' if mode == 'full' else mode} | {statistics.median(a):.4f} |"
        f" {statistics.median(b):.4f} | {ratio:.2f} | {float(loss(x)):.7f}, {float(loss(y)):.7f} |"
        f" {float((x - y).abs().max()):.0e} | {slopes:.0e} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
