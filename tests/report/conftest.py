import json

import pytest


@pytest.fixture
def a_run(tmp_path):
    """Writes the folder of a run, as node-train leaves it; returns it."""
    made = iter(range(10_000))

    def a_run(settings=None, accuracy=0.9, nfe=20.0, status="finished", curve=(), **summary):
        number = next(made)
        folder = tmp_path / "sweep" / f"{number}_cell"
        folder.mkdir(parents=True)
        content = {
            "status": status,
            "cause": summary.pop("cause", None),
            "command": summary.pop("command", "node-train"),
            "seconds": 10.0,
            "final": {"accuracy/test": accuracy, "loss/test": 0.5},
            "best": {"metric": "accuracy", "goal": "max", "unit": "", "value": accuracy},
            "nfe": {"forward_mean": nfe, "backward_mean": 0.0},
            "memory": {"saved_bytes_peak": 1e6, "device_peak_bytes": None, "rss_peak_bytes": 1e9},
            "settings": {"seed": number, "solver.name": "dopri5", **(settings or {})},
            **summary,
        }
        (folder / "summary.json").write_text(json.dumps(content))
        lines = [
            json.dumps({"step": 10 * epoch, "epoch": float(epoch), "accuracy/val": value}) + "\n"
            for epoch, value in enumerate(curve, start=1)
        ]
        (folder / "metrics.jsonl").write_text("".join(lines))
        return folder

    return a_run
