"""A few images of mnist-mini in place of MNIST, for runs that need no more of them."""

import torch

from node_cli.tasks.images.idx import write_idx
from node_cli.tasks.images.mnist import MINI_FOLDER, image_file, label_file, read_part

COUNTS = {"train": 1100, "t10k": 100}


def small_images(folder):
    """Write them into a folder; returns the words that name them, with 1,000 to train on."""
    raw = folder / "images" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in COUNTS.items():
        images = read_part(MINI_FOLDER, part)
        write_idx(raw / image_file(part), images.pixels[:count].squeeze(1))
        write_idx(raw / label_file(part), images.labels[:count].to(torch.uint8))
    return ("data=mnist", f"data.root={folder / 'images'}", "data.validation=100")
