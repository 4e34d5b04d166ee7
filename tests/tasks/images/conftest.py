from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch

from node_cli.tasks.images.idx import write_idx
from node_cli.tasks.images.mnist import PARTS, image_file, label_file


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def write_small_set(folder: Path, suffix: str = ".gz", train: int = 40, test: int = 20) -> None:
    """Write four IDX files of random images whose labels go round the ten classes."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    for part, count in zip(PARTS, (train, test), strict=True):
        pixels = torch.randint(256, (count, 28, 28), generator=generator, dtype=torch.uint8)
        labels = torch.arange(count).remainder(10).to(torch.uint8)
        write_idx(folder / f"{image_file(part)}{suffix}", pixels)
        write_idx(folder / f"{label_file(part)}{suffix}", labels)


@pytest.fixture
def mnist_root(tmp_path: Path) -> Path:
    """A torchvision root with a small set in place of MNIST."""
    root = tmp_path / "root"
    write_small_set(root / "MNIST" / "raw")
    return root
