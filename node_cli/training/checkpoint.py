"""Checkpoints: written whole or not at all, read without running code."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from node_cli import __version__
from node_cli.config.run import RunConfig
from node_cli.errors import CheckpointError

FORMAT = 1

# What must be the same for a checkpoint to go on; the rest of the config may change. None stands
# for all settings of a group, but for those that only say where data lie and how they are read.
_MAY_DIFFER = ("data.root", "data.path", "data.download", "data.eval_batch_size")
_MUST_AGREE: dict[str, tuple[str, ...] | None] = {
    "seed": None,
    "task": ("name",),
    "model": None,
    "data": None,
    "regularization": None,
    "optimizer": ("name",),
}


def checkpoint_paths(folder: Path) -> tuple[Path, Path]:
    """The paths of the last and of the best checkpoint of a run folder."""
    return folder / "checkpoints" / "last.pt", folder / "checkpoints" / "best.pt"


def write_checkpoint(path: Path, content: Mapping[str, Any], config: RunConfig) -> None:
    """Write ``content`` with the config that it belongs to.

    It goes to a temporary file that is synced and renamed, so that ``path`` always holds a whole
    checkpoint: the old one until the new one is safe.

    Raises:
        CheckpointError: the file cannot be written, for example because the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(
                    {
                        "format": FORMAT,
                        "node_cli": __version__,
                        "config": config.model_dump(mode="json"),
                        **content,
                    },
                    file,
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        # torch's zip writer reports a full disk as a RuntimeError.
        kept = "The checkpoint before it is intact. " if path.exists() else ""
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise CheckpointError(
            f"cannot write the checkpoint {path}: {reason}. {kept}Make room or choose another"
            " place with hydra.run.dir=PATH."
        ) from error


def read_checkpoint(path: Path, option: str = "trainer.resume") -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``, onto the CPU.

    Args:
        path: of the file.
        option: by which the user named the run, for messages.

    Raises:
        CheckpointError: there is none, it is damaged, or another version wrote it.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no checkpoint {path}: give {option} the folder of a run that got as"
            " far as its first checkpoint."
        ) from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is damaged or no checkpoint of node-train"
            f" ({type(error).__name__}). Use another run or start anew."
        ) from error
    if not isinstance(content, dict) or "format" not in content:
        raise CheckpointError(f"{path} is no checkpoint of node-train. Start anew.")
    if content["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {content['format']} (written by node-cli"
            f" {content.get('node_cli', 'unknown')}); this is node-cli {__version__}, which reads"
            f" format {FORMAT}. Use the version that wrote it, or start anew."
        )
    return content


def check_same_experiment(path: Path, content: Mapping[str, Any], config: RunConfig) -> None:
    """Refuse a checkpoint of another seed, task, model, data set or optimizer.

    Raises:
        CheckpointError: names each setting that differs.
    """
    saved, wanted = content["config"], config.model_dump(mode="json")
    differences = []
    for group, members in _MUST_AGREE.items():
        if members is None and not isinstance(wanted[group], Mapping):
            pairs = [(group, saved.get(group), wanted[group])]
        else:
            old = saved.get(group) or {}
            names = members or tuple(dict.fromkeys((*wanted[group], *old)))
            pairs = [(f"{group}.{n}", old.get(n), wanted[group].get(n)) for n in names]
            pairs = [pair for pair in pairs if pair[0] not in _MAY_DIFFER]
        differences += [f"{name}={old} (now {new})" for name, old, new in pairs if old != new]
    if differences:
        raise CheckpointError(
            f"{path} belongs to a run with {', '.join(differences)}. Leave these settings as they"
            " were to resume it, or start a new run without trainer.resume."
        )
