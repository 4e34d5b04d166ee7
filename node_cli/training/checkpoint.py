"""Checkpoints: written whole or not at all, read without running code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node_cli import __version__
from node_cli.errors import CheckpointError, ConfigError, reason
from node_cli.run_folder.writing import subfolder, write_whole
from node_cli.schema.run import RunConfig
from node_cli.tasks.validation import validate
from node_cli.training.archive import load_archive, save_archive
from node_cli.training.checkpoint_content import brief, check_content

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

    ``path`` always holds a whole checkpoint: the old one until the new one is safe. The folder of
    checkpoints is made if need be, and the run folder is not.

    Raises:
        CheckpointError: the file cannot be written, for example because the disk is full.
    """
    whole = {
        "format": FORMAT,
        "node_cli": __version__,
        "config": config.model_dump(mode="json"),
        **content,
    }
    try:
        subfolder(path.parent.parent, path.parent.name)
        write_whole(path, lambda file: save_archive(whole, file))
    except OSError as error:
        kept = " The checkpoint before it is intact." if path.exists() else ""
        raise CheckpointError(
            f"cannot write the checkpoint {path}: {reason(error)}{kept}"
        ) from error


def read_checkpoint(path: Path, option: str = "trainer.resume") -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``, onto the CPU.

    Its bytes are held against their checksums and its content against what the readers expect.
    Whether weights and optimizer state fit a model is seen where they are restored.

    Args:
        path: of the file.
        option: by which the user named the run, for messages.

    Raises:
        CheckpointError: there is none, it is damaged, or another version wrote it.
    """
    try:
        # A named pipe would wait for a writer for ever.
        if path.exists() and not path.is_file():
            raise _damaged(path, "it is not a file")
        with path.open("rb") as file:
            content = load_archive(file)
        _check_version(path, content)
        check_content(content)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no checkpoint {path}: give {option} the folder of a run that got as"
            " far as its first checkpoint."
        ) from error
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {reason(error)}") from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    assert isinstance(content, dict)
    return content


def config_of(path: Path, content: Mapping[str, Any]) -> RunConfig:
    """The config with which a checkpoint was written.

    Raises:
        CheckpointError: it has settings that this version does not take.
    """
    try:
        return validate(content["config"])
    except ConfigError as error:
        first, *_ = str(error).splitlines()
        raise CheckpointError(
            f"{path} has settings that node-cli {__version__} does not take (it was written by"
            f" {content['node_cli']}): {first}"
        ) from error


def check_same_experiment(path: Path, content: Mapping[str, Any], config: RunConfig) -> None:
    """Refuse a checkpoint of another seed, task, model, data set or optimizer.

    Raises:
        CheckpointError: names each setting that differs.
    """
    saved, wanted = _with_newer_settings(content["config"]), config.model_dump(mode="json")
    differences = []
    for group, members in _MUST_AGREE.items():
        if members is None and not isinstance(wanted[group], Mapping):
            pairs = [(group, saved.get(group), wanted[group])]
        else:
            old = saved.get(group)
            old = old if isinstance(old, Mapping) else {}
            names = members or tuple(dict.fromkeys((*wanted[group], *old)))
            pairs = [(f"{group}.{n}", old.get(n), wanted[group].get(n)) for n in names]
            pairs = [pair for pair in pairs if pair[0] not in _MAY_DIFFER]
        differences += [
            f"{name}={brief(old)} (now {new})" for name, old, new in pairs if old != new
        ]
    if differences:
        raise CheckpointError(
            f"{path} belongs to a run with {', '.join(differences)}. Leave these settings as they"
            " were to resume it, or start a new run without trainer.resume."
        )


def _with_newer_settings(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """A config that an older version wrote, with the defaults of settings that it did not have."""
    try:
        return validate(saved).model_dump(mode="json")
    except ConfigError:  # what differs is told setting by setting
        return saved


def _check_version(path: Path, content: object) -> None:
    """Refuse what another version wrote, before its content is looked at."""
    written = content.get("format") if isinstance(content, dict) else None
    if type(written) is not int:
        raise ValueError("it says no format")
    assert isinstance(content, dict)
    if written != FORMAT:
        raise CheckpointError(
            f"{path} has format {brief(written)} (written by node-cli"
            f" {brief(content.get('node_cli', 'unknown'))}); this is node-cli {__version__},"
            f" which reads format {FORMAT}. Use the version that wrote it, or start anew."
        )


def _damaged(path: Path, finding: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged or no checkpoint of node-train: {finding}. Use another run or start"
        " anew."
    )
