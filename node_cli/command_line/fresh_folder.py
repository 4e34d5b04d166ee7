"""Folders that no two runs share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from omegaconf import OmegaConf


def register_fresh_folder(claim: bool) -> None:
    """Teach OmegaConf ``${fresh_folder:PATH}``, as ``conf/config.yaml`` uses it.

    Args:
        claim: create the folder at once. Two runs started in the same second then cannot be given
            the same one; a config that is only looked at claims nothing.
    """
    # The cache belongs to the config, so that all jobs of a sweep see one and the same folder.
    OmegaConf.register_new_resolver(
        "fresh_folder",
        lambda path: str(claim_folder(Path(path)) if claim else free_folder(Path(path))),
        replace=True,
        use_cache=True,
    )


def free_folder(path: Path) -> Path:
    """``path``, or the first of ``path_2``, ``path_3``, ... that does not exist."""
    return next(candidate for candidate in _candidates(path) if not candidate.exists())


def claim_folder(path: Path) -> Path:
    """Create the folder that ``free_folder`` names, so that no other process can have it.

    Raises:
        OSError: it cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for candidate in _candidates(path):
        try:
            candidate.mkdir()
        except FileExistsError:
            continue
        return candidate
    raise AssertionError("the candidates never end")


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.name}_{number}")
