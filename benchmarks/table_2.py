"""Table 2 of Chen et al. 2018 from a sweep of ``experiment=paper/table-2``.

Usage:
    node-train -m experiment=paper/table-2 model=latent-ode,rnn data.points=30,50,100 seed=0,1,2
    python benchmarks/table_2.py outputs/latent-spirals/multirun/DATE_TIME

Mean and standard deviation over the seeds, beside the figures of the paper.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path

import yaml

PAPER = {
    ("rnn", 30): 0.3937,
    ("rnn", 50): 0.3202,
    ("rnn", 100): 0.1813,
    ("latent-ode", 30): 0.1642,
    ("latent-ode", 50): 0.1502,
    ("latent-ode", 100): 0.1346,
}
METRICS = ("rmse_observed", "rmse_forward")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweeps", type=Path, nargs="+", help="folders of sweeps")
    found: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sweep in parser.parse_args().sweeps:
        for path in sorted(sweep.glob("*/summary.json")):
            summary = json.loads(path.read_text())
            if summary["status"] != "finished":
                print(f"{path.parent}: {summary['status']}, left out")
                continue
            config = yaml.safe_load((path.parent / ".hydra" / "config.yaml").read_text())
            cell = found[config["model"]["name"], config["data"]["points"]]
            for metric in METRICS:
                cell[metric].append(summary["final"][f"{metric}/test"])
    print("| model | points | seeds | reconstruction | forwards in time | paper |")
    print("|---|---|---|---|---|---|")
    for (model, points), cell in sorted(found.items()):
        shown = [
            f"{statistics.mean(v):.3f} ± {statistics.stdev(v) if len(v) > 1 else 0:.3f}"
            for v in (cell[metric] for metric in METRICS)
        ]
        paper = PAPER.get((model, points), "-")
        seeds = len(cell[METRICS[0]])
        print(f"| `{model}` | {points} | {seeds} | {' | '.join(shown)} | {paper} |")


if __name__ == "__main__":
    main()
