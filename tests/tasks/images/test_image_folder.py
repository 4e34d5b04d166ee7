import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from node_cli.errors import DataError
from node_cli.tasks.images.image_folder import read_image_folder
from node_cli.tasks.images.schema import ImageFolderConfig


def config(path, **changes):
    plain = {
        "name": "image-folder",
        "path": str(path),
        "size": None,
        "mode": None,
        "batch_size": 4,
        "eval_batch_size": 4,
        "validation": 0.2,
        "test": 0.2,
        "augment": False,
    }
    return ImageFolderConfig(**plain | changes)


def picture(shape=(16, 16), number=0):
    return np.random.default_rng(number).integers(256, size=shape, dtype=np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def write_classes(folder, counts, shape=(16, 16), suffix=".png"):
    """Classes of pictures that are all different; what was written, by class."""
    written, number = {}, len(str(folder))
    for name, count in counts.items():
        for place in range(count):
            number += 1
            save(folder / name / f"{place:02}{suffix}", picture(shape, number))
            written.setdefault(name, []).append(picture(shape, number))
    return written


def pictures_of(images, label):
    return sorted(image.numpy().tobytes() for image in images.pixels[images.labels == label])


@pytest.mark.parametrize("shape", [(16, 16), (17, 20, 3)])
def test_every_image_is_read_once_and_keeps_its_class(tmp_path, shape):
    written = write_classes(tmp_path, {"cat": 10, "ant": 20}, shape)
    sets = read_image_folder(config(tmp_path), seed=0)
    assert sets.classes == ("ant", "cat")
    assert sets.channels == (3 if len(shape) == 3 else 1)
    parts = (sets.train, sets.validation, sets.test)
    assert [part.labels.bincount().tolist() for part in parts] == [[12, 6], [4, 2], [4, 2]]
    for label, name in enumerate(sets.classes):
        read = sorted(image for part in parts for image in pictures_of(part, label))
        planes = [np.atleast_3d(pixels).transpose(2, 0, 1) for pixels in written[name]]
        assert read == sorted(image.tobytes() for image in planes)


def test_the_split_is_of_the_seed(tmp_path):
    write_classes(tmp_path, {"a": 10, "b": 10})
    first, again, other = (read_image_folder(config(tmp_path), seed) for seed in (1, 1, 2))
    assert first.test.pixels.equal(again.test.pixels)
    assert not first.test.pixels.equal(other.test.pixels)


def test_folders_of_the_three_parts_are_taken_as_they_are(tmp_path):
    for part, counts in (
        ("train", {"a": 3, "b": 1}),
        ("val", {"a": 2, "b": 1}),
        ("test", {"b": 2}),
    ):
        write_classes(tmp_path / part, counts)
    sets = read_image_folder(config(tmp_path), 0)
    assert sets.train.labels.tolist() == [0, 0, 0, 1]
    assert sets.validation.labels.tolist() == [0, 0, 1]
    assert sets.test.labels.tolist() == [1, 1]


def test_a_part_without_a_folder_is_split_off_the_training_images(tmp_path):
    write_classes(tmp_path / "train", {"a": 10, "b": 2})
    write_classes(tmp_path / "test", {"a": 1, "b": 1})
    sets = read_image_folder(config(tmp_path), 0)
    counts = [len(part) for part in (sets.train, sets.validation, sets.test)]
    assert counts == [9, 3, 2]


def test_a_class_may_be_called_train(tmp_path):
    write_classes(tmp_path, {"train": 5, "bus": 5})
    assert read_image_folder(config(tmp_path), 0).classes == ("bus", "train")


def test_jpegs_and_hidden_files_and_capitals(tmp_path):
    write_classes(tmp_path, {"a": 3, "b": 3}, suffix=".JPG")
    (tmp_path / "a" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / ".git").mkdir()
    assert len(read_image_folder(config(tmp_path), 0).train) == 2


def test_sizes_and_modes_are_made_alike_where_asked(tmp_path):
    write_classes(tmp_path, {"a": 3}, (16, 18))
    write_classes(tmp_path, {"b": 3}, (40, 20, 3))
    sets = read_image_folder(config(tmp_path, size=(20, 24), mode="grey"), 0)
    assert sets.train.pixels.shape == (2, 1, 20, 24)
    square = read_image_folder(config(tmp_path, size=32, mode="rgb"), 0)
    assert square.train.pixels.shape == (2, 3, 32, 32)


def test_transparent_pixels_become_white_and_photos_stand_upright(tmp_path):
    clear = np.zeros((16, 20, 4), np.uint8)
    clear[:8, :, 3] = 255
    for place in range(3):
        save(tmp_path / "clear" / f"{place}.png", clear)
        turned = Image.Exif()
        turned[0x0112] = 6  # a quarter turn: 20 high and 16 wide as stored
        bright = np.zeros((20, 16, 3), np.uint8)
        bright[:, :8] = 255
        save(tmp_path / "photo" / f"{place}.jpg", bright, exif=turned, quality=100)
    sets = read_image_folder(config(tmp_path, mode="rgb"), 0)
    first, second = sets.train.pixels[:, 0].float()
    assert (first[:8] == 0).all()
    assert (first[8:] == 255).all()
    assert second.shape == (16, 20)
    assert second[:8].mean() > 250
    assert second[8:].mean() < 5


def test_a_size_of_its_own_is_not_resampled(tmp_path):
    write_classes(tmp_path, {"a": 3, "b": 3}, (20, 20))
    plain, sized = (read_image_folder(config(tmp_path, size=size), 0) for size in (None, 20))
    assert plain.train.pixels.equal(sized.train.pixels)


def one_class(folder):
    write_classes(folder, {"a": 5})


def single_image(folder):
    write_classes(folder, {"a": 5, "b": 1})


def loose(folder):
    write_classes(folder, {"a": 5, "b": 5})
    save(folder / "stray.png", picture())


def nested(folder):
    write_classes(folder, {"a": 5, "b": 5, "a/inner": 2})


def mixed_sizes(folder):
    write_classes(folder, {"a": 5})
    write_classes(folder, {"b": 5}, (16, 17))


def mixed_modes(folder):
    write_classes(folder, {"a": 5})
    write_classes(folder, {"b": 5}, (16, 16, 3))


def alien(folder):
    write_classes(folder, {"a": 5, "b": 5})
    (folder / "b" / "02.png").write_text("no image")


def cut(folder):
    write_classes(folder, {"a": 5, "b": 5}, (64, 64))
    path = folder / "b" / "02.png"
    path.write_bytes(path.read_bytes()[:-2000])


def other_format(folder):
    write_classes(folder, {"a": 5, "b": 5})
    save(folder / "b" / "x.webp", picture())


def deep_pixels(folder):
    write_classes(folder, {"a": 5})
    for place in range(3):
        save(folder / "b" / f"{place}.png", picture().astype(np.uint16) * 257)


def palette(folder):
    write_classes(folder, {"b": 5})
    for place in range(3):
        (folder / "a").mkdir(exist_ok=True)
        Image.fromarray(picture((16, 16, 3))).quantize(8).save(folder / "a" / f"{place}.png")


def unknown_class(folder):
    write_classes(folder / "train", {"a": 5, "b": 5})
    write_classes(folder / "test", {"c": 5})


def beside_train(folder):
    write_classes(folder / "train", {"a": 5, "b": 5})
    write_classes(folder, {"validate": 5})


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda folder: None, "is empty; it must hold a folder of images for each class"),
        (lambda folder: (folder / "a").mkdir(), "/a: there is no PNG or JPEG image in the folder"),
        (one_class, "there is only one class, a;"),
        (single_image, "the class b has 1 image; it needs at least 3, for training and validation"),
        (loose, "the image stray.png lies in no folder"),
        (nested, "/a/inner: this folder lies inside that of a class"),
        (mixed_sizes, r"00.png has 16x16 pixels and .*b/00.png 16x17 .* data.size=\[16,16\]"),
        (mixed_modes, "00.png is grey and .*00.png in colours; give data.mode=rgb or"),
        (alien, "b/02.png: this is no PNG or JPEG image, whatever its name says"),
        (cut, "b/02.png: this image cannot be read"),
        (other_format, "b/x.webp: only PNG and JPEG are read; convert it"),
        (deep_pixels, "b/0.png: its pixels have more than 8 bits"),
        (palette, "a/0.png is in the colours of a palette; give data.mode=rgb"),
        (unknown_class, "/test: the class c has no folder in train"),
        (beside_train, "validate lies beside the folder train; only the folders train, val, test"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(tmp_path, write, says):
    write(tmp_path)
    with pytest.raises(DataError, match=says) as told:
        read_image_folder(config(tmp_path), 0)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["missing", "file.png"])
def test_no_folder(tmp_path, name):
    save(tmp_path / "file.png", picture())
    with pytest.raises(DataError, match=r"(no such|this is a) f.*give a folder that holds"):
        read_image_folder(config(tmp_path / name), 0)


def test_small_images_are_told_how_to_grow(tmp_path):
    write_classes(tmp_path, {"a": 3, "b": 3}, (8, 8))
    with pytest.raises(DataError, match=r"8x8 pixels; each side must be at least 16.*data.size=28"):
        read_image_folder(config(tmp_path), 0)


def test_huge_images_are_refused_by_their_header(tmp_path):
    write_classes(tmp_path, {"a": 3, "b": 3})
    path = tmp_path / "b" / "01.png"
    small = path.read_bytes()
    for side, says in ((8000, "8000x8000 pixels; at most 50,000,000"), (30_000, "claims to have")):
        # The header alone: its type, height and width, the rest of it, and its checksum.
        header = b"IHDR" + struct.pack(">II", side, side) + small[24:29]
        path.write_bytes(small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:])
        with pytest.raises(DataError, match=says):
            read_image_folder(config(tmp_path, size=16), 0)


def test_more_images_than_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("node_cli.tasks.images.image_folder.free_bytes", lambda device: 1000)
    write_classes(tmp_path, {"a": 3, "b": 3})
    with pytest.raises(DataError, match=r"6 images .* need 1.5 KiB of memory.*data.size=64"):
        read_image_folder(config(tmp_path), 0)


def test_a_changed_image_is_another_digest(config_of, tmp_path):
    from node_cli.tasks.images.task import MnistOdeNet

    write_classes(tmp_path, {"a": 3, "b": 3})
    run = config_of("data=image-folder", f"data.path={tmp_path}")
    before = MnistOdeNet(run).data_digest
    assert MnistOdeNet(run).data_digest == before
    save(tmp_path / "a" / "00.png", picture(number=99))
    assert MnistOdeNet(run).data_digest != before
    assert isinstance(before, str)
    assert torch.equal(*(read_image_folder(run.data, 0).train.labels for _ in range(2)))
