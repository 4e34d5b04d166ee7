import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from node_cli.errors import DataError
from node_cli.tasks.images.idx import read_idx, sha256_of, write_idx
from node_cli.tasks.images.make_mnist_mini import make_mnist_mini
from node_cli.tasks.images.mnist import CHECKSUMS, FILES, MINI_FOLDER, read_checksums, read_part


def make_source(root: Path, train: int, test: int) -> None:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        # Each image carries its own number, so that the choice can be read off the sample.
        pixels = torch.zeros(count, 28, 28, dtype=torch.uint8)
        pixels[:, 0, 0] = torch.arange(count) % 256
        pixels[:, 0, 1] = torch.arange(count) // 256
        write_idx(raw / f"{part}-images-idx3-ubyte", pixels)
        write_idx(raw / f"{part}-labels-idx1-ubyte", (torch.arange(count) % 10).to(torch.uint8))


def test_sample_is_evenly_spaced_over_the_file(tmp_path):
    make_source(tmp_path, 12_000, 3_000)
    out = tmp_path / "out"
    make_mnist_mini(tmp_path, out)
    for part, step, size in (("train", 2, 600), ("t10k", 3, 100)):
        sample = read_part(out, part, read_checksums(out / CHECKSUMS))
        numbers = sample.pixels[:, 0, 0, 0].long() + 256 * sample.pixels[:, 0, 0, 1].long()
        members = torch.arange(size) * step + 1  # places within a class
        expected = (10 * members[:, None] + torch.arange(10)).flatten()
        assert numbers.tolist() == expected.tolist()
        assert sample.labels.equal(expected % 10)


def test_checksums_are_of_the_unpacked_bytes(tmp_path):
    make_source(tmp_path, 6_000, 1_000)
    make_mnist_mini(tmp_path, tmp_path / "out")
    sums = read_checksums(tmp_path / "out" / CHECKSUMS)
    assert sorted(sums) == sorted(FILES)
    for name in FILES:
        # All members are taken here, so the sample is the source.
        assert sums[name] == sha256_of((tmp_path / "MNIST" / "raw" / name).read_bytes())


def test_command_without_the_original_files_ends_in_one_sentence(tmp_path):
    command = [
        sys.executable,
        "-m",
        "node_cli.tasks.images.make_mnist_mini",
        tmp_path,
        tmp_path / "out",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "train-images-idx3-ubyte.gz: there is no such file" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_source_with_a_damaged_file_is_refused(tmp_path):
    make_source(tmp_path, 6_000, 1_000)
    path = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="is cut"):
        make_mnist_mini(tmp_path, tmp_path / "out")


@pytest.mark.full_mnist
@pytest.mark.skipif(
    "NODE_CLI_MNIST" not in os.environ, reason="NODE_CLI_MNIST names no root of the full MNIST"
)
def test_remaking_the_sample_gives_what_the_package_holds(tmp_path):
    make_mnist_mini(Path(os.environ["NODE_CLI_MNIST"]), tmp_path)
    assert (tmp_path / CHECKSUMS).read_bytes() == (MINI_FOLDER / CHECKSUMS).read_bytes()
    for name in FILES:
        remade, shipped = (read_idx(folder / f"{name}.gz") for folder in (tmp_path, MINI_FOLDER))
        assert remade.equal(shipped)
