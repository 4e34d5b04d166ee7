"""Make mnist-mini, the sample of MNIST inside the package, from the original files.

``python -m node_cli.tasks.images.make_mnist_mini ROOT [OUT]``: ROOT is torchvision's root of the
full MNIST, with the four IDX files in ``ROOT/MNIST/raw``, gzipped or not. OUT is the folder to
write, by default the one that the package reads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from node_cli.errors import RunError
from node_cli.tasks.images.idx import write_idx
from node_cli.tasks.images.mnist import (
    CHECKSUMS,
    DIGITS,
    MINI_FOLDER,
    Part,
    image_file,
    label_file,
    read_part,
)
from node_cli.tasks.images.stratified import spread_over_classes

# Evenly spaced, because the two halves of the test file differ in difficulty: the first is by
# employees, the second by students.
IMAGES_PER_CLASS: dict[Part, int] = {"train": 600, "t10k": 100}


def make_mnist_mini(root: Path, out: Path) -> None:
    """Write the sample's four IDX files, gzipped, and the checksums of their unpacked bytes.

    Args:
        root: torchvision's root of the full MNIST.
        out: folder to write; made if it does not exist.

    Raises:
        DataError: a file under ``root`` is missing or damaged.
    """
    out.mkdir(parents=True, exist_ok=True)
    checksums = {}
    for part, size in IMAGES_PER_CLASS.items():
        images = read_part(root / "MNIST" / "raw", part)
        sample = images[spread_over_classes(images.labels, [size] * len(DIGITS))]
        for name, values in (
            (image_file(part), sample.pixels.squeeze(1)),
            (label_file(part), sample.labels.to(torch.uint8)),
        ):
            checksums[name] = write_idx(out / f"{name}.gz", values)
    lines = (f"{checksum}  {name}\n" for name, checksum in sorted(checksums.items()))
    (out / CHECKSUMS).write_text("".join(lines), encoding="ascii")


def main() -> None:
    """Read the command line and make the sample."""
    parser = argparse.ArgumentParser(
        prog="python -m node_cli.tasks.images.make_mnist_mini",
        description="Make mnist-mini from the original MNIST.",
    )
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder that holds MNIST/raw")
    parser.add_argument("out", type=Path, metavar="OUT", nargs="?", default=MINI_FOLDER)
    arguments = parser.parse_args()
    try:
        make_mnist_mini(arguments.root, arguments.out)
    except RunError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
