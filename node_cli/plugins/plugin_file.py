"""A plugin that is a file of the user's own."""

from __future__ import annotations

import hashlib
import re
import sys
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from node_cli.errors import ConfigError, kind_and_text, reason
from node_cli.source_place import place, place_of_failure, tell_places_in

_loaded: dict[Path, tuple[str, ModuleType]] = {}


def load_file(path: Path, source: str) -> tuple[ModuleType, str]:
    """Import a file.

    A file that was imported before in this process, and has not changed, is not imported again.

    Args:
        path: of the file; a real path, by which it is known again.
        source: how the user named it, such as ``--plugin``, for messages.

    Returns:
        The module, and the SHA-256 of the bytes that it was made from.

    Raises:
        ConfigError: it is not there, or cannot be imported.
    """
    content = _content(path, source)
    digest = hashlib.sha256(content).hexdigest()
    if path not in _loaded or _loaded[path][0] != digest:
        tell_places_in(path)
        _loaded[path] = digest, _imported(path, content)
    return _loaded[path][1], digest


def _content(path: Path, source: str) -> bytes:
    if path.suffix != ".py":
        raise ConfigError(
            f"{source} {path}: a plugin is a Python file, NAME.py; node-new NAME writes one."
        )
    if not path.exists():
        raise ConfigError(
            f"{source} {path}: there is no such file; node-new {path.stem} writes one."
        )
    if not path.is_file():
        raise ConfigError(f"{source} {path}: this is not a file; give a Python file.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{source} {path}: {reason(error)}") from error


class _Loader(SourceLoader):
    """Makes the module from the very bytes that the digest is of, past any cache."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path, self._content = path, content

    def get_filename(self, fullname: str) -> str:
        """The file."""
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        """Its bytes; of no other file."""
        if path != str(self._path):
            raise OSError
        return self._content


def _imported(path: Path, content: bytes) -> ModuleType:
    # A name that no other module has: torch.py may be a plugin too.
    unlike = hashlib.sha256(bytes(path)).hexdigest()[:8]
    name = f"node_cli_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{unlike}"
    spec = spec_from_loader(name, _Loader(path, content))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise ConfigError(_about_import(path, error)) from error
    return module


def _about_import(path: Path, error: BaseException) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{place(path, error.lineno)}: this is not valid Python ({error.msg})."
    where = place_of_failure(error) or path.name
    told = f"{where}: it cannot be imported ({kind_and_text(error)})."
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and (path.parent / f"{missing}.py").exists():
        told += (
            f" A plugin is one file: put what it needs of {missing}.py into it, or make a package"
            " of both, with an entry point in the group node_cli.tasks."
        )
    return told
