"""Downloads of MNIST, Fashion-MNIST and CIFAR-10, by torchvision."""

from __future__ import annotations

import logging
import socket
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from node_cli.errors import DataError

# torchvision sets no limit of its own: a server that accepts and is silent would hold us forever.
_SILENCE_SECONDS = 20.0

Dataset = Literal["MNIST", "FashionMNIST", "CIFAR10"]
# Where torchvision lays the files of each, and how their names end.
_PLACES: dict[Dataset, tuple[str, str]] = {
    "MNIST": ("MNIST/raw", ".gz"),
    "FashionMNIST": ("FashionMNIST/raw", ".gz"),
    "CIFAR10": ("cifar-10-batches-py", ""),
}

_log = logging.getLogger(__name__)


def download(dataset: Dataset, root: Path, missing: Collection[str]) -> None:
    """Fetch the files ``missing`` of ``dataset`` to where torchvision looks for them in ``root``.

    All is fetched into a folder of its own first, where torchvision compares each file with the
    checksum it knows, and whole files are then renamed into place. So a download that is broken
    off leaves nothing that a later run could take for the data.

    Args:
        dataset: the name of torchvision's class.
        root: torchvision's root folder; made if it does not exist.
        missing: names of files; where they are gzipped, without ``.gz``.

    Raises:
        DataError: no network, a file with a wrong checksum, or a folder that cannot be written.
    """
    from torchvision import datasets  # takes a second to import, and few runs need it

    place, suffix = _PLACES[dataset]
    raw = root / place
    _log.info("Downloading %s to %s", dataset, raw)
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as scratch:
            with _limited_silence():
                getattr(datasets, dataset)(scratch, train=False, download=True)
            for name in missing:
                (Path(scratch) / place / f"{name}{suffix}").replace(raw / f"{name}{suffix}")
    except (OSError, RuntimeError, ValueError, HTTPException) as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{dataset} could not be downloaded to {raw} ({', '.join(missing)} missing): {cause}."
            " Check the network and run again, name a folder that holds the files with"
            " data.root=PATH, or use the sample of MNIST in the package with data=mnist-mini."
        ) from error


@contextmanager
def _limited_silence() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
