"""What a run leaves, as far as it must not depend on interruptions."""

import json
from collections import Counter

import torch
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

# What depends on the machine and the hour, and not on the run.
_VARYING = ("time/", "memory/rss", "memory/device")
_SUMMARY = ("status", "cause", "task", "data", "model", "parameters", "seed", "steps", "epochs",
            "final", "best", "settings")  # fmt: skip


def differences(folder, reference):
    """In what a run folder is not as that of the same run which nobody disturbed.

    Args:
        folder: of a run that was killed and resumed.
        reference: of the other run.

    Returns:
        A sentence for each difference; none where the runs are wholly equal.
    """
    found = []
    for what, look in (
        ("files", _files),
        ("last.pt", lambda run: _checkpoint(run / "checkpoints" / "last.pt")),
        ("best.pt", lambda run: _checkpoint(run / "checkpoints" / "best.pt")),
        ("metrics.jsonl", _lines),
        ("TensorBoard", _events),
        ("figures", _figures),
        ("summary.json", _summary),
    ):
        try:
            one, other = look(folder), look(reference)
        except Exception as error:
            found.append(f"{what} cannot be read: {type(error).__name__}: {error}")
            continue
        if one != other:
            found.append(f"{what}: {_first_difference(one, other)}")
    return found


def _files(folder):
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted({"events" if name.startswith("events.out.") else name for name in names})


def _checkpoint(path):
    content = torch.load(path, weights_only=True)
    names = ("model", "optimizer", "scaler", "random", "progress", "data_digest")
    parts = _plain({name: content[name] for name in names})
    del parts["progress"]["seconds"]
    return parts


def _plain(value):
    """Tensors as what can be compared with ``==``, and without what varies."""
    if isinstance(value, torch.Tensor):
        return (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if not _varies(name)}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _lines(folder):
    text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    return [_plain(json.loads(line)) for line in text.splitlines()]


def _events(folder):
    """Scalars and images in order; texts and settings by how often they are there."""
    scalars, images, others = [], [], Counter()
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.HasField("image"):
                    images.append((value.tag, event.step, value.image.encoded_image_string))
                elif value.HasField("tensor") or value.metadata.plugin_data.plugin_name:
                    others[value.tag] += 1
                elif not _varies(value.tag):
                    scalars.append((value.tag, event.step, value.simple_value))
    return {"scalars": scalars, "images": images, "others": dict(others)}


def _figures(folder):
    return {path.name: path.read_bytes() for path in (folder / "figures").glob("*")}


def _summary(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return _plain({name: summary[name] for name in _SUMMARY})


def _varies(name):
    return isinstance(name, str) and name.startswith(_VARYING)


def _first_difference(one, other, where=""):
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            if name not in one or name not in other or one[name] != other[name]:
                inside = f"{where}/{name}"
                return _first_difference(one.get(name), other.get(name), inside)
    if isinstance(one, list) and isinstance(other, list):
        for number, (a, b) in enumerate(zip(one, other, strict=False)):
            if a != b:
                return _first_difference(a, b, f"{where}[{number}]")
        return f"{where} has {len(one)} entries and not {len(other)}"
    return f"{where} is {str(one)[:80]} and not {str(other)[:80]}"
