"""Where the YAML files lie."""

from __future__ import annotations

from pathlib import Path


def conf_dir(package: Path = Path(__file__).parents[1]) -> Path:
    """The folder of the config tree.

    An installed wheel holds it inside the package; a checkout has it beside the package.

    Args:
        package: the folder of ``node_cli``.

    Raises:
        FileNotFoundError: neither is there, so the installation is not complete.
    """
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(
        f"There is no conf folder in {package} or beside it. Install node-cli again."
    )
