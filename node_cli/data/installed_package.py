"""Data files that ship in other packages: they are read, and the package is not imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from node_cli.errors import DataError


def installed_file(data: str, package: str, module: str, place: str) -> Path:
    """A file of an installed package.

    Args:
        data: the member of the group ``data`` that needs it, for messages.
        package: as it is installed.
        module: as it is imported.
        place: of the file, below the folder of the module.

    Raises:
        DataError: the package is not installed, or this version of it has no such file.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise not_installed(data, package)
    path = Path(spec.origin).parent / place
    if not path.is_file():
        raise DataError(
            f"data={data}: {installed(package)} has no file {path}; install another version with"
            f" pip install --upgrade {package}."
        )
    return path


def not_installed(data: str, package: str) -> DataError:
    """What to say where a package is missing."""
    return DataError(
        f"data={data} needs the package {package}, which is not installed; pip install"
        f" {package} brings it, or pip install -e '.[datasets]' in the folder of node-cli all such"
        " packages."
    )


def installed(package: str) -> str:
    """Name and version of a package."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # a folder on the path, without its metadata
        return package
