import shutil
from types import SimpleNamespace

import pytest
import torch

from node_cli.errors import DataError
from node_cli.tasks.images import mnist
from node_cli.tasks.images.idx import read_idx, write_idx
from node_cli.tasks.images.mnist import (
    CHECKSUMS,
    FILES,
    GARMENTS,
    MINI_FOLDER,
    load,
    load_mini,
    read_part,
)


def config(name="mnist", root=None, validation=10, download=False):
    return SimpleNamespace(
        name=name,
        root=None if root is None else str(root),
        validation=validation,
        download=download,
    )


@pytest.fixture
def mini_copy(tmp_path, monkeypatch):
    """A copy of the sample, in the place of the package's own, that a test may damage."""
    folder = tmp_path / "mnist_mini"
    shutil.copytree(MINI_FOLDER, folder)
    monkeypatch.setattr(mnist, "MINI_FOLDER", folder)
    return folder


def test_mini_has_equal_counts_of_each_class():
    sets = load(config("mnist-mini", validation=500))
    assert sets.name == "mnist-mini"
    assert sets.classes == tuple("0123456789")
    counts = [len(part) for part in (sets.train, sets.validation, sets.test)]
    assert counts == [5500, 500, 1000]
    for part, each in ((sets.train, 550), (sets.validation, 50), (sets.test, 100)):
        assert part.labels.bincount(minlength=10).tolist() == [each] * 10
        assert part.pixels.dtype == torch.uint8
        assert part.pixels.shape == (len(part), 1, 28, 28)
        assert part.labels.dtype == torch.int64


def test_mini_images_are_distinct_across_all_parts():
    sets = load_mini(500)
    pixels = torch.cat([sets.train.pixels, sets.validation.pixels, sets.test.pixels])
    assert len(pixels.flatten(1).unique(dim=0)) == 7000


def test_mini_ships_its_origin_and_licence():
    readme = (MINI_FOLDER / "README.md").read_text()
    licence = (MINI_FOLDER / "LICENSE").read_text()
    for text in (readme, licence):
        assert "CC BY-SA 3.0" in text
        assert all(author in text for author in ("LeCun", "Cortes", "Burges"))
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in licence


def test_mini_with_another_image_in_it_is_refused(mini_copy):
    path = mini_copy / "train-images-idx3-ubyte.gz"
    pixels = read_idx(path)
    pixels[3, 14, 14] ^= 1
    write_idx(path, pixels)
    with pytest.raises(DataError, match=r"SHA-256 .* part of node-cli: install it again") as caught:
        load_mini(500)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", [CHECKSUMS, *(f"{name}.gz" for name in FILES)])
def test_mini_without_one_of_its_files_is_refused(mini_copy, name):
    (mini_copy / name).unlink()
    with pytest.raises(DataError, match="install it again") as caught:
        load_mini(500)
    assert str(mini_copy / name) in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        (lambda text: text.replace("\n", " extra\n", 1), "cannot be read as lines"),
        (lambda text: text.split("\n", 1)[1], "no line for t10k-images-idx3-ubyte"),
        (lambda text: "\N{BULLET}" + text, "cannot be read as lines"),
    ],
)
def test_mini_with_damaged_checksums_is_refused(mini_copy, edit, finding):
    path = mini_copy / CHECKSUMS
    path.write_text(edit(path.read_text()), encoding="utf-8")
    with pytest.raises(DataError, match=finding):
        load_mini(500)


def test_files_are_read_from_torchvisions_layout(mnist_root):
    sets = load(config(root=mnist_root))
    stored = read_idx(mnist_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz")
    assert sets.name == "mnist"
    assert sets.test.pixels[:, 0].equal(stored)
    assert sets.test.labels.tolist() == list(range(10)) * 2


def test_unpacked_files_are_read_as_well(mnist_root):
    gzipped = load(config(root=mnist_root))
    raw = mnist_root / "MNIST" / "raw"
    for path in sorted(raw.glob("*.gz")):
        write_idx(path.with_suffix(""), read_idx(path))
        path.unlink()
    unpacked = load(config(root=mnist_root))
    assert unpacked.train.pixels.equal(gzipped.train.pixels)
    assert unpacked.test.labels.equal(gzipped.test.labels)


def test_gzipped_file_is_taken_where_an_unpacked_one_lies_beside_it(mnist_root):
    (mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"broken off")
    assert len(load(config(root=mnist_root)).train) == 30


def test_fashion_mnist_has_its_own_folder_and_names(mnist_root):
    (mnist_root / "MNIST").rename(mnist_root / "FashionMNIST")
    sets = load(config("fashion-mnist", mnist_root))
    assert sets.name == "fashion-mnist"
    assert sets.classes == GARMENTS
    assert len(set(GARMENTS)) == 10


def test_home_folder_may_be_written_as_tilde(mnist_root, monkeypatch):
    monkeypatch.setenv("HOME", str(mnist_root.parent))
    assert len(load(config(root="~/root")).train) == 30


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named_with_its_folder_and_the_ways_out(mnist_root, name):
    (mnist_root / "MNIST" / "raw" / f"{name}.gz").unlink()
    with pytest.raises(DataError) as caught:
        load(config(root=mnist_root))
    text = str(caught.value)
    assert text.startswith(f"{mnist_root / 'MNIST' / 'raw'}: {name} missing")
    assert not any(other in text for other in FILES if other != name)
    for way_out in ("data.root=PATH", "data.download=true", "data=mnist-mini"):
        assert way_out in text


def test_root_without_any_file_names_all_four(tmp_path):
    with pytest.raises(DataError, match=", ".join(FILES)):
        load(config(root=tmp_path / "nowhere"))


def test_nothing_is_downloaded_where_all_files_are_there(mnist_root, monkeypatch):
    def refuse(*_):
        raise AssertionError("download was called")

    monkeypatch.setattr(mnist, "download", refuse)
    assert len(load(config(root=mnist_root, download=True)).train) == 30


def test_only_missing_files_are_asked_of_the_download(mnist_root, monkeypatch):
    raw = mnist_root / "MNIST" / "raw"
    path = raw / "t10k-labels-idx1-ubyte.gz"
    held, asked = path.read_bytes(), []

    def fake_download(dataset, root, missing):
        asked.append((dataset, root, missing))
        path.write_bytes(held)

    path.unlink()
    monkeypatch.setattr(mnist, "download", fake_download)
    assert len(load(config(root=mnist_root, download=True)).test) == 20
    assert asked == [("MNIST", mnist_root, ["t10k-labels-idx1-ubyte"])]


@pytest.mark.parametrize(
    ("name", "values", "finding"),
    [
        ("train-images-idx3-ubyte", torch.zeros(40, 28, 27), "28x28 pixels, found 40 x 28 x 27"),
        ("train-images-idx3-ubyte", torch.zeros(40, 784), "28x28 pixels, found 40 x 784"),
        ("train-labels-idx1-ubyte", torch.zeros(40, 1), "one label an image, found 40 x 1"),
        ("train-labels-idx1-ubyte", torch.zeros(39), "40 labels, .* found 39"),
        ("train-labels-idx1-ubyte", torch.full((40,), 10), "labels from 0 to 9, found a label 10"),
    ],
)
def test_file_that_does_not_hold_what_its_name_says_is_refused(mnist_root, name, values, finding):
    path = mnist_root / "MNIST" / "raw" / f"{name}.gz"
    write_idx(path, values.to(torch.uint8))
    with pytest.raises(DataError, match=finding) as caught:
        load(config(root=mnist_root))
    assert str(path) in str(caught.value)


def test_empty_set_is_refused(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", torch.zeros(0, 28, 28, dtype=torch.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", torch.zeros(0, dtype=torch.uint8))
    with pytest.raises(DataError, match="at least one label, found none"):
        read_part(tmp_path, "train")


def test_validation_is_disjoint_from_training_and_loses_nothing():
    whole = read_part(MINI_FOLDER, "train")
    sets = load_mini(777)
    parts = torch.cat([sets.train.pixels, sets.validation.pixels]).flatten(1).unique(dim=0)
    assert (len(sets.train), len(sets.validation)) == (5223, 777)
    assert parts.equal(whole.pixels.flatten(1).unique(dim=0))
    counts = sets.validation.labels.bincount(minlength=10)
    assert counts.max() - counts.min() <= 1


def test_validation_is_proportional_to_the_classes(mnist_root):
    labels = torch.tensor([3] * 30 + [8] * 10, dtype=torch.uint8)
    write_idx(mnist_root / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz", labels)
    sets = load(config(root=mnist_root, validation=8))
    assert sets.validation.labels.tolist() == [3] * 6 + [8] * 2


def test_labels_stay_with_their_images_in_the_split():
    whole = read_part(MINI_FOLDER, "train")
    label_of = {bytes(p.numpy()): int(y) for p, y in zip(whole.pixels, whole.labels, strict=True)}
    sets = load_mini(500)
    for part in (sets.train, sets.validation):
        found = [label_of[bytes(p.numpy())] for p in part.pixels]
        assert found == part.labels.tolist()


def test_split_is_the_same_at_every_reading_whatever_the_random_state():
    torch.manual_seed(0)
    first = load_mini(500)
    torch.manual_seed(1)
    second = load_mini(500)
    assert first.validation.pixels.equal(second.validation.pixels)
    assert first.train.labels.equal(second.train.labels)


@pytest.mark.parametrize("validation", [0, 6000, 6001])
def test_validation_must_leave_images_to_train_on(validation):
    with pytest.raises(
        DataError, match=rf"data\.validation={validation}: must be an integer from 1 to 5999"
    ):
        load_mini(validation)
